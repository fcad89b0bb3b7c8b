"""What a model is asked and what it answers: frozen value types and the model port.

A message is plain JSON data: `role` (`system`, `user`, `assistant`, `tool`), `content`, and what the role adds
(`tool_calls`, `tool_call_id`, `name`). Money is counted in micro-dollars, integers; an unknown price is None.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Finish = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why a model stopped. An answer that a filter cut is a `ModelError`, so nobody takes it for a whole one."""


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars per million model tokens. `cached_input` None is priced like `input`.

    `date` is that of the table that says so, `2026-11-01`; None where it has none.
    """

    input: int
    output: int
    cached_input: int | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model is and can do. Sizes are in model tokens; None is unknown.

    `json_schema` says that an answer can be constrained to a schema, `tools` that calls are native.
    """

    name: str
    provider: str
    context_window: int | None = None
    max_output: int | None = None
    tools: bool = True
    parallel_tools: bool = True
    json_schema: bool = True
    reasoning: bool = False
    vision: bool = False
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next model token is chosen. None leaves it to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_output: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call.

    `tools` are plain data: `{name, description, parameters}` with a JSON Schema. `tool_choice` is `auto`, `none`,
    `required` or a tool's name. `output` is the JSON Schema that the answer has to fit. `params` are keys that go
    to the provider as they are. `deadline_s` is the time for the whole call, counted from its start.
    """

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str = "auto"
    output: Mapping[str, Any] | None = None
    sampling: Sampling = Sampling()
    params: Mapping[str, Any] = field(default_factory=dict)
    deadline_s: float | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Model tokens of one call or of many. `estimated`: at least one number wasn't reported but guessed.

    `cached_input_tokens` are part of `input_tokens`, `reasoning_tokens` part of `output_tokens`. `cost_micro` is
    None as soon as the price of one call is unknown; `Usage()` is neutral in a sum, with a cost of 0.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micro: int | None = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost_micro is None or other.cost_micro is None else self.cost_micro + other.cost_micro
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            cost,
            self.estimated or other.estimated,
        )

    @property
    def total_tokens(self) -> int:
        """What `limits.tokens` counts."""
        return self.input_tokens + self.output_tokens

    def priced(self, price: Price | None) -> Usage:
        """The same usage with its cost, rounded up to a whole micro-dollar."""
        if price is None:
            cost = None
        else:
            cached = price.input if price.cached_input is None else price.cached_input
            fresh = max(self.input_tokens - self.cached_input_tokens, 0)
            total = fresh * price.input + self.cached_input_tokens * cached + self.output_tokens * price.output
            cost = -(-total // 1_000_000)
        return Usage(
            self.input_tokens,
            self.output_tokens,
            self.cached_input_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
            cost,
            self.estimated,
        )

    def data(self) -> dict[str, Any]:
        """Plain data, all fields."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_input_tokens": self.cached_input_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cost_micro": self.cost_micro,
            "estimated": self.estimated,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Usage:
        """The usage that `data` wrote; a missing number is 0, a missing cost unknown."""
        return cls(
            input_tokens=data.get("input_tokens", 0),
            output_tokens=data.get("output_tokens", 0),
            cached_input_tokens=data.get("cached_input_tokens", 0),
            cache_write_tokens=data.get("cache_write_tokens", 0),
            reasoning_tokens=data.get("reasoning_tokens", 0),
            cost_micro=data.get("cost_micro"),
            estimated=data.get("estimated", False),
        )


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of what the model thought before it answered. Pieces of one `block` belong together."""

    text: str
    block: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of one tool call: `id` and `name` come whole with the first one, `arguments` are pieces of JSON text."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a provider says is left of its rate limits, and in how many seconds they are whole again; None is unsaid."""

    requests: int | None = None
    tokens: int | None = None
    requests_reset_s: float | None = None
    tokens_reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The last part of every whole stream. `raw_id` is the provider's id of the call; `tries` counts how often the
    adapter sent it, since a connection may be closed before it is used again."""

    finish: Finish
    usage: Usage
    raw_id: str | None = None
    tries: int = 1
    quota: Quota | None = None


ModelPart = TextDelta | ReasoningDelta | ToolCallDelta | Done


class Model(Protocol):
    """One model, ready to be called. Safe for any number of calls at the same time."""

    @property
    def info(self) -> ModelInfo:
        """What it is and can do."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last. Awaited from trio; iterate inside `contextlib.aclosing`.

        Raises:
            ModelError: the call failed; nothing else is raised.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and processes. A closed model isn't called again."""
        ...
