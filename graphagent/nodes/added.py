"""Kinds that the language doesn't have: what they raise or leave behind is never taken on trust."""

from __future__ import annotations

from typing import Any

from graphagent.calling import code_failed, failure
from graphagent.codec import freeze
from graphagent.errors import (
    CodecError,
    Conflict,
    EffectOrder,
    GraphAgentError,
    MissingExtra,
    NodeError,
    ReplayDivergence,
    SecretMissing,
    StoreError,
)
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.types import TypeMismatch, checker, parse_type
from graphagent.ports import Finished, Node, Parked, Task
from graphagent.snapshot import UNSET

_ENGINES: tuple[type[GraphAgentError], ...] = (
    NodeError, EvaluationError, TypeMismatch, CodecError, EffectOrder, StoreError, Conflict, ReplayDivergence,
    MissingExtra, SecretMissing,
)  # fmt: skip
"""What comes out of the task itself, and what the engine does about it is its own affair."""


class AddedNode:
    """A kind from `registry.NODES` or of a package, around which our own kinds have nothing.

    Whatever it raises is the failure of its node, as that of an author's function is; `out` is checked by the class's
    `OUT`, since the graph was typed by it.
    """

    def __init__(self, kind: type[Any], node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        self.name = node.kind
        self.immediate = bool(kind.immediate)
        out = getattr(kind, "OUT", None)
        self._check = None if out is None else checker(parse_type(out, {}))
        self._kind: Node | None = None
        self._broken: Exception | None = None
        try:
            self._kind = kind(node, graph, plan)
        except Exception as error:
            self._broken = _failure(error)

    def run_now(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        kind = self._bound()
        try:
            outcome = kind.run_now(task)
        except Exception as error:
            raise _failure(error) from error
        return self._checked(outcome)

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        kind = self._bound()
        try:
            outcome = await kind.run(task)
        except Exception as error:
            raise _failure(error) from error
        return self._checked(outcome)

    def _bound(self) -> Node:
        if self._kind is None:
            assert self._broken is not None
            raise self._broken
        return self._kind

    def _checked(self, outcome: Any) -> Finished | Parked:
        if isinstance(outcome, Parked):
            return outcome
        if not isinstance(outcome, Finished):
            message = f"kind {self.name!r} returned {type(outcome).__name__}, not `Finished` or `Parked`"
            raise NodeError(message, kind="invalid_output")
        if self._check is None:
            outcome.out = UNSET  # without an `OUT` graphs know no `out`
            return outcome
        try:
            outcome.out = self._check(freeze(None if outcome.out is UNSET else outcome.out))
        except TypeMismatch as error:
            message = f"kind {self.name!r} left something else than its `OUT`: out{error.path[1:]}: {error.message}"
            raise NodeError(message, kind="invalid_output") from error
        return outcome


def _failure(error: Exception) -> Exception:
    """What the engine gets to see: our own errors as far as it knows what to do about them."""
    return failure(error) if isinstance(error, _ENGINES) else code_failed(error)
