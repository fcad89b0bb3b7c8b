"""Delegates: spokes that an agent's model calls like tools, each a child session, with what is handed to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from graphagent.codec import digest, encode, freeze, show_digest
from graphagent.errors import NodeError
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import REDACTED, DelegatePlan, Plan
from graphagent.graph.spokes import OUT
from graphagent.graph.types import STR, Field, ObjectOf, json_schema
from graphagent.nodes.history import groups
from graphagent.nodes.offers import fitting, inputs_of
from graphagent.ports import Task, ToolInfo
from graphagent.snapshot import UNSET

TASK: Final = "task"
HISTORY: Final = "history"
NO_LIMIT: Final = float("inf")
FilledBy = Literal["model", "repair", "fallback"]

Repair = Callable[["Spoke", NodeError], Awaitable[Any]]
"""Asks the hub's model once more for the arguments of a call, and gives what it answers."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """What a spoke gets: `code` was computed, `llm` was filled by the hub's model, or as `filled_by` says."""

    to: str
    task: str
    code: Mapping[str, Any]
    llm: Mapping[str, Any]
    messages: Sequence[Mapping[str, Any]]
    schema_hash: str
    filled_by: FilledBy

    def data(self, *, hidden: bool) -> dict[str, Any]:
        """The record as an event shows it, messages by their hash.

        Args:
            hidden: Values are left out: they may be what a secret channel holds.
        """
        given: dict[str, Any] = {"task": self.task, "code": dict(self.code), "llm": dict(self.llm)}
        if hidden:
            given = {"task": REDACTED, **{key: dict.fromkeys(given[key], REDACTED) for key in ("code", "llm")}}
        return {
            "to": self.to, **given,
            "messages": [show_digest(digest(encode(freeze(dict(m))))) for m in self.messages],
            "schema_hash": self.schema_hash, "filled_by": self.filled_by,
        }  # fmt: skip

    def inputs(self, names: Sequence[str]) -> dict[str, Any]:
        """What the spoke's graph is given, of the inputs that it has."""
        given = {TASK: self.task, HISTORY: [dict(m) for m in self.messages], **self.code, **self.llm}
        return {name: given[name] for name in names if name in given}


class Spoke:
    """One delegate, as an offer to the hub's model."""

    def __init__(self, delegate: DelegatePlan, plan: Plan) -> None:
        self.delegate = delegate
        graph = plan.graphs[delegate.graph]
        self.names = [port.name for port in graph.inputs]
        passed = [name for name, _ in delegate.handoff]
        if delegate.history != "none":
            passed.append(HISTORY)
        self.kind = ObjectOf((Field(TASK, STR), *inputs_of(graph, [*passed, TASK]).fields))
        parameters = json_schema(self.kind)
        self.schema_hash = show_digest(digest(encode(freeze(parameters))))
        self.info = ToolInfo(delegate.name, "graph", delegate.about, parameters, None, "read", NO_LIMIT)

    def check(self, arguments: Any) -> dict[str, Any]:
        """See `Offer`."""
        return fitting(self.kind, arguments)

    async def filled(self, given: Any, last_said: str, repair: Repair) -> tuple[dict[str, Any], FilledBy]:
        """The arguments of a call: as given, repaired by the hub's model once, or what can be used in their place.

        Raises:
            NodeError: they don't fit, and an input has no default.
        """
        try:
            return self.check(given), "model"
        except NodeError as error:
            wrong = error
        try:
            return self.check(await repair(self, wrong)), "repair"
        except NodeError as error:
            if error.kind not in ("invalid_input", "invalid_output"):
                raise
        defaults = {f.name: f.default for f in self.kind.fields if f.default is not UNSET}
        return self.check({**defaults, TASK: last_said}), "fallback"

    def handoff(
        self, task: Task, arguments: Mapping[str, Any], filled_by: FilledBy, said: Sequence[Mapping[str, Any]]
    ) -> Handoff:
        """The record of a call. `said` are the hub's messages so far.

        Raises:
            NodeError: kind `expression`, a value of the handoff can't be evaluated.
        """
        try:
            code = {name: value.evaluate(task.seen) for name, value in self.delegate.handoff}
        except EvaluationError as error:
            raise NodeError(f"handoff: {error}", kind="expression", retryable=False, hint=error.hint) from error
        history = self.delegate.history
        messages = [] if history == "none" else list(said) if history == "all" else newest(said, history)
        llm = {name: value for name, value in arguments.items() if name != TASK}
        return Handoff(
            self.delegate.name, arguments[TASK], code, llm, messages, self.schema_hash, filled_by
        )  # fmt: skip

    async def run(self, task: Task, handoff: Handoff) -> Any:
        """The spoke's result: its outputs, of a node under `do` its `out`."""
        outputs = await task.child(self.delegate.graph, handoff.inputs(self.names))
        if outputs is None:
            task.hold()
        return outputs[OUT] if self.delegate.single else dict(outputs)


def newest(messages: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """The last `count` messages, and those without which they would be torn apart: calls and their results."""
    out: list[Mapping[str, Any]] = []
    for group in reversed(groups(messages)):
        if len(out) >= count:
            break
        out = [*group, *out]
    return out
