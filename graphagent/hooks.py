"""What an operator's hook gives: whether a model is asked, and whether its answer counts. Importing this imports
nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

HookStage = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Allow:
    """It passes as it is."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Another value takes its place: the messages before a call, the model's message after it."""

    value: Any
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """It doesn't pass: the node fails with `content_filter`. The reason is shown to whoever reads the error."""

    reason: str


@dataclass(frozen=True, slots=True)
class HookContext:
    """Which call a hook is asked about.

    Attributes:
        graph: As `graphagent sessions` lists it: `clinic`, or `clinic.nurse` for a graph inside of it.
        model: As the graph calls it. One of its fallbacks may answer in its place.
    """

    session: str
    graph: str
    node: str
    model: str
