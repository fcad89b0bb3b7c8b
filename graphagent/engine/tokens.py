"""Placing tokens: forks open groups, joins close them, dead branches don't hold them up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphagent.engine.failures import record, view
from graphagent.engine.results import Taken, TaskResult
from graphagent.frozen import dataclass
from graphagent.graph.plan import END, FAIL, START, GraphPlan, RoutePlan
from graphagent.snapshot import Control, Group, PendingJoin, Token, Waiting

Groups = tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where control is after a barrier. `failure` is set when a token went to `fail`."""

    due: tuple[Token, ...]
    waiting: tuple[Waiting, ...]
    joins: tuple[PendingJoin, ...]
    failure: dict[str, Any] | None


def start_tokens(graph: GraphPlan, superstep: int) -> tuple[Token, ...]:
    """The tokens of a new run; `superstep` is the one that places them."""
    board = _Board(graph, superstep, ())
    board.send(START, (), graph.start, None)
    return board.settle(()).due


def place(
    graph: GraphPlan, control: Control, superstep: int, results: Sequence[TaskResult], taken: Sequence[Taken]
) -> Placed:
    """Where the routes that were taken lead, in plan order."""
    board = _Board(graph, superstep, control.joins)
    waiting = list(control.waiting)
    for result, route in zip(results, taken, strict=True):
        if result.waiting is not None:
            waiting.append(result.waiting)
        elif route.route is not None:
            token = result.token
            error = view(result.error) if route.kind == "error" and result.error else None
            carried = error or (token.error if FAIL in route.route.to else None)
            board.send(token.node, token.groups, route.route, carried)
    return board.settle(tuple(waiting))


class _Board:
    """Tokens on their way within one barrier."""

    def __init__(self, graph: GraphPlan, superstep: int, joins: Iterable[PendingJoin]) -> None:
        self.graph, self.superstep = graph, superstep
        self.arrived: dict[int, Token] = {}
        self.joins = {(j.node, j.fork, j.superstep): j for j in joins}
        self.failure: dict[str, Any] | None = None

    def send(self, source: int, groups: Groups, route: RoutePlan, error: Mapping[str, Any] | None) -> None:
        """Send one token to every target of a route."""
        for branch, target in enumerate(route.to):
            inner = (*groups, Group(source, self.superstep, branch)) if route.grouped else groups
            if target == END:
                continue
            if target == FAIL:
                self.fail(source, route, error)
            elif self.graph.nodes[target].join_fork is None:
                self.arrive(Token(target, self.superstep + 1, inner, () if source == START else (source,), error))
            else:
                self.join(target, source, inner, error)

    def fail(self, source: int, route: RoutePlan, error: Mapping[str, Any] | None) -> None:
        if self.failure is None:
            name = self.graph.nodes[source].name if source >= 0 else None
            self.failure = dict(error) if error else record("raised", route.label, node=name, attempt=0, source="graph")

    def arrive(self, token: Token) -> None:
        """Tokens to one node in one superstep merge; the first error in plan order stays."""
        old = self.arrived.get(token.node)
        if old is not None:
            common = tuple(a for a, b in zip(old.groups, token.groups, strict=False) if a == b)
            sources = old.sources + tuple(s for s in token.sources if s not in old.sources)
            token = Token(token.node, token.placed, common, sources, old.error or token.error)
        self.arrived[token.node] = token

    def join(self, node: int, source: int, groups: Groups, error: Mapping[str, Any] | None) -> None:
        """Note an arrival at a join. A token that isn't of the join's fork passes through alone."""
        fork = self.graph.nodes[node].join_fork
        at = next((i for i in range(len(groups) - 1, -1, -1) if groups[i].fork == fork), None)
        if at is None:
            self.arrive(Token(node, self.superstep + 1, groups, (source,), error))
            return
        group = groups[at]
        key = (node, group.fork, group.superstep)
        old = self.joins.get(key) or PendingJoin(node, group.fork, group.superstep, (), groups[:at], ())
        self.joins[key] = PendingJoin(
            node, group.fork, group.superstep, tuple(sorted({*old.branches, group.branch})), old.groups,
            old.sources if source in old.sources else (*old.sources, source), old.error or error,
        )  # fmt: skip

    def settle(self, waiting: tuple[Waiting, ...]) -> Placed:
        """Let every join run whose group has no live token left outside it; that may free further joins."""
        moved = True
        while moved and self.joins:
            moved = False
            for key, join in sorted(self.joins.items()):
                if not self.alive(join, waiting):
                    del self.joins[key]
                    self.arrive(Token(join.node, self.superstep + 1, join.groups, join.sources, join.error))
                    moved = True
                    break
        due = tuple([self.arrived[node] for node in sorted(self.arrived)])
        return Placed(due, waiting, tuple([self.joins[k] for k in sorted(self.joins)]), self.failure)

    def alive(self, join: PendingJoin, waiting: tuple[Waiting, ...]) -> bool:
        """Whether a token of the join's group can still come: it is due, waiting, or in a join further inside."""

        def inside(groups: Groups) -> bool:
            return any(g.fork == join.fork and g.superstep == join.superstep for g in groups)

        return (
            any(inside(t.groups) for t in self.arrived.values())
            or any(inside(w.token.groups) for w in waiting)
            or any(inside(j.groups) for j in self.joins.values())
        )
