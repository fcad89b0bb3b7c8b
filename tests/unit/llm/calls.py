"""How the tests here call a model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from graphagent.errors import ModelError
from graphagent.messages import Done, Model, ModelPart, ModelRequest, Sampling, TextDelta

ANSWER = {
    "type": "object",
    "properties": {"bullets": {"type": "array", "items": {"type": "string"}}, "mood": {"enum": ["good", "bad"]}},
    "required": ["bullets", "mood"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Answered:
    parts: tuple[ModelPart, ...]

    @property
    def text(self) -> str:
        return "".join(p.text for p in self.parts if isinstance(p, TextDelta))

    @property
    def done(self) -> Done:
        last = self.parts[-1]
        assert isinstance(last, Done)
        assert sum(isinstance(p, Done) for p in self.parts) == 1
        return last


def ask(prompt: str = "hi", *, output: Mapping[str, Any] | None = None, **fields: Any) -> ModelRequest:
    return ModelRequest(({"role": "user", "content": prompt},), output=output, **fields)


async def call(model: Model, request: ModelRequest) -> Answered:
    async with aclosing(model.stream(request)) as parts:
        return Answered(tuple([part async for part in parts]))


def answer(model: Model, request: ModelRequest | None = None) -> Answered:
    """One call under plain trio; the model is closed."""

    async def main() -> Answered:
        try:
            return await call(model, request or ask())
        finally:
            await model.aclose()

    return trio.run(main)


def failure(model: Model, request: ModelRequest | None = None) -> ModelError:
    """The error of one call."""
    with pytest.raises(ModelError) as caught:
        answer(model, request)
    assert type(caught.value) is ModelError
    return caught.value


__all__ = ["ANSWER", "Answered", "Sampling", "answer", "ask", "call", "failure"]
