"""Placing tokens: forks open groups, joins close them, dead branches don't hold them up. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from graphagent.engine.failures import record, view
from graphagent.engine.results import Taken, TaskResult
from graphagent.frozen import dataclass, replace
from graphagent.graph.plan import END, FAIL, START, GraphPlan, RoutePlan
from graphagent.snapshot import Control, Group, PendingJoin, Token, Waiting

Groups = tuple[Group, ...]
JoinKey = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where control is after a barrier. `failure` is set when a token went to `fail`."""

    due: tuple[Token, ...]
    waiting: tuple[Waiting, ...]
    joins: tuple[PendingJoin, ...]
    failure: dict[str, Any] | None


def start_tokens(graph: GraphPlan, superstep: int) -> Placed:
    """The tokens of a new run; `superstep` is the one that places them."""
    board = _Board(graph, superstep, (), ())
    board.send(START, (), graph.start, None)
    return board.settle()


def place(
    graph: GraphPlan, control: Control, superstep: int, results: Sequence[TaskResult], taken: Sequence[Taken]
) -> Placed:
    """Where the routes that were taken lead, in plan order."""
    board = _Board(graph, superstep, control.joins, control.waiting)
    for result, route in zip(results, taken, strict=True):
        if result.waiting is not None:
            board.waiting.append(result.waiting)
        elif route.route is not None:
            token = result.token
            error = view(result.error) if route.kind == "error" and result.error else None
            carried = error or (token.error if FAIL in route.route.to else None)
            board.send(token.node, token.groups, route.route, carried)
    return board.settle()


def release(graph: GraphPlan, control: Control, superstep: int, names: Collection[tuple[int, str]]) -> Control:
    """Let tokens go on that a breakpoint stopped: those with these (superstep, node)."""

    def named(waiting: Waiting) -> bool:
        return waiting.reason in ("before", "after") and (
            (waiting.superstep, graph.nodes[waiting.token.node].name) in names
        )

    stopped = [w for w in control.waiting if named(w)]
    board = _Board(graph, superstep, control.joins, [w for w in control.waiting if not named(w)])
    for waiting in stopped:
        token = waiting.token
        if waiting.reason == "after" and graph.nodes[token.node].join_fork is not None:
            board.join(token.node, token.sources, token.groups, token.error)
        else:
            board.arrive(replace(token, placed=superstep + 1))
    placed = board.settle(stops=False)
    due = tuple(sorted((*control.due, *placed.due), key=lambda t: t.node))
    return replace(control, due=due, waiting=placed.waiting, joins=placed.joins)


def send_on(graph: GraphPlan, control: Control, superstep: int, token: Token, taken: Taken) -> Placed:
    """Where one token goes along its route while all others stay where they are."""
    board = _Board(graph, superstep, control.joins, control.waiting)
    for other in control.due:
        board.arrived[other.node] = other
    if taken.route is not None:
        board.send(token.node, token.groups, taken.route, None)
    placed = board.settle(stops=False)
    kept = {t.node: t for t in control.due}
    due: list[Token] = []
    waiting = list(placed.waiting)
    for new in placed.due:
        stop = stopped(graph, superstep, new) if new.node not in kept else None
        if stop is not None:
            waiting.append(stop)
        else:
            answer = kept[new.node].answer if new.node in kept else None
            due.append(replace(new, answer=answer))
    return replace(placed, due=tuple(due), waiting=tuple(waiting))


def stopped(graph: GraphPlan, superstep: int, token: Token) -> Waiting | None:
    """The token as it waits before its node, if that has a breakpoint there."""
    return Waiting(token, "before", superstep) if graph.nodes[token.node].interrupt == "before" else None


class _Board:
    """Tokens on their way within one barrier."""

    def __init__(
        self, graph: GraphPlan, superstep: int, joins: Iterable[PendingJoin], waiting: Iterable[Waiting]
    ) -> None:
        self.graph, self.superstep = graph, superstep
        self.arrived: dict[int, Token] = {}
        self.waiting = list(waiting)
        self.joins = {(j.node, j.fork, j.superstep): j for j in joins}
        self.failure: dict[str, Any] | None = None

    def send(self, source: int, groups: Groups, route: RoutePlan, error: Mapping[str, Any] | None) -> None:
        """Send one token to every target of a route."""
        sources = () if source == START else (source,)
        stops = source >= 0 and self.graph.nodes[source].interrupt == "after"
        for awaited in route.awaited:
            key = (awaited.node, source, self.superstep)
            self.joins[key] = PendingJoin(*key, (), groups, (), need=awaited.need)
        for branch, target in enumerate(route.to):
            inner = (*groups, Group(source, self.superstep, (branch,))) if route.grouped else groups
            if target == END:
                continue
            if target == FAIL:
                self.fail(source, route, error)
            elif stops:
                token = Token(target, self.superstep + 1, inner, sources, error)
                self.waiting.append(Waiting(token, "after", self.superstep))
            elif self.graph.nodes[target].join_fork is None:
                self.arrive(Token(target, self.superstep + 1, inner, sources, error))
            else:
                self.join(target, sources, inner, error)

    def fail(self, source: int, route: RoutePlan, error: Mapping[str, Any] | None) -> None:
        if self.failure is None:
            name = self.graph.nodes[source].name if source >= 0 else None
            self.failure = dict(error) if error else record("raised", route.label, node=name, attempt=0, source="graph")

    def arrive(self, token: Token) -> None:
        """Tokens to one node in one superstep merge; the first error in plan order stays."""
        old = self.arrived.get(token.node)
        if old is not None:
            token = Token(
                token.node, token.placed, merged(old.groups, token.groups), _joined(old.sources, token.sources),
                old.error or token.error, failure=old.failure or token.failure,
            )  # fmt: skip
        self.arrived[token.node] = token

    def join(self, node: int, sources: tuple[int, ...], groups: Groups, error: Mapping[str, Any] | None) -> None:
        """Note an arrival at a join. A token that isn't of the join's fork passes through alone."""
        fork = self.graph.nodes[node].join_fork
        at = next((i for i in range(len(groups) - 1, -1, -1) if groups[i].fork == fork), None)
        if at is None:
            self.arrive(Token(node, self.superstep + 1, groups, sources, error))
            return
        group = groups[at]
        key = (node, group.fork, group.superstep)
        old = self.joins.get(key) or PendingJoin(*key, (), groups[:at], ())
        branches = tuple(sorted({*old.branches, *group.branches}))
        self.joins[key] = replace(
            old, branches=branches, sources=_joined(old.sources, sources), error=old.error or error
        )

    def settle(self, *, stops: bool = True) -> Placed:
        """Let every join run that has what it waits for; that may free further joins.

        Args:
            stops: Tokens wait before nodes with a breakpoint.
        """
        moved = True
        while moved and self.joins:
            moved = False
            for key, join in sorted(self.joins.items()):
                if not join.over and self.decide(key, join):
                    moved = True
                    break
        joins = tuple([j for _, j in sorted(self.joins.items()) if not j.over or self.live(j)])
        due = []
        for node in sorted(self.arrived):
            token = self.arrived[node]
            stop = stopped(self.graph, self.superstep, token) if stops else None
            if stop is None:
                due.append(token)
            else:
                self.waiting.append(stop)
        return Placed(tuple(due), tuple(self.waiting), joins, self.failure)

    def decide(self, key: JoinKey, join: PendingJoin) -> bool:
        """Let a join run, or fail where it can't get what it needs any more; False while it goes on waiting."""
        if join.need is None:
            if self.live(join):
                return False
            del self.joins[key]
            self.arrive(self.token(join))
        elif len(join.branches) >= join.need:
            if self.graph.nodes[join.node].cancels:
                self.withdraw(join)
            else:
                self.joins[key] = replace(join, over=True)
            self.arrive(self.token(join))
        elif len(self.live(join).union(join.branches)) < join.need:
            self.joins[key] = replace(join, over=True)
            self.arrive(replace(self.token(join), failure=self.unsatisfied(join)))
        else:
            return False
        return True

    def token(self, join: PendingJoin) -> Token:
        """What a join places: it carries the outer groups only."""
        return Token(join.node, self.superstep + 1, join.groups, join.sources, join.error)

    def unsatisfied(self, join: PendingJoin) -> dict[str, Any]:
        name = self.graph.nodes[join.node].name
        message = f"{len(join.branches)} branches arrived at {name!r}, which needs {join.need}, and no more can come"
        hint = "lower `at_least`, or take this with `on_error`"
        return record("join_unsatisfied", message, node=name, attempt=0, hint=hint, source="graph")

    def live(self, join: PendingJoin) -> set[int]:
        """The branches of the join's group from which a token can still come: it is due, waiting, or in a join
        further inside."""
        groups = [t.groups for t in self.arrived.values()]
        groups += [w.token.groups for w in self.waiting]
        groups += [j.groups for j in self.joins.values() if not j.over]
        return {branch for found in groups for branch in _branches(found, join)}

    def withdraw(self, join: PendingJoin) -> None:
        """Take away all other tokens of the join's group, and what has arrived of it elsewhere."""
        self.arrived = {n: t for n, t in self.arrived.items() if not _branches(t.groups, join)}
        self.waiting = [w for w in self.waiting if not _branches(w.token.groups, join)]
        self.joins = {
            key: j
            for key, j in self.joins.items()
            if key[1:] != (join.fork, join.superstep) and not _branches(j.groups, join)
        }


def merged(one: Groups, other: Groups) -> Groups:
    """The groups in which a token is that two others made; it stands for the branches of both."""
    out = []
    for a, b in zip(one, other, strict=False):
        if (a.fork, a.superstep) != (b.fork, b.superstep):
            break
        out.append(Group(a.fork, a.superstep, tuple(sorted({*a.branches, *b.branches}))))
    return tuple(out)


def _branches(groups: Groups, join: PendingJoin) -> tuple[int, ...]:
    """The branches of the join's group in which a token with these groups is."""
    for group in groups:
        if group.fork == join.fork and group.superstep == join.superstep:
            return group.branches
    return ()


def _joined(sources: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return sources + tuple(s for s in more if s not in sources)
