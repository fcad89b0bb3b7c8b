"""Which nodes can run in one superstep, and which fork a join waits for: may-analyses over tokens.

A token is a node and the stack of the forks whose groups it is in. Two tokens are looked at as a pair: if a set
of tokens can exist, so can each pair in it, and pairs move like sets do, one step per superstep unless a token
may wait (a join, a human, a child session). So whatever can meet is found; guards count as free, so more may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Final, TypeAlias

from graphagent.graph.flow import START, Edge, Flow
from graphagent.graph.spec import END, FAIL

MAX_PAIRS: Final = 100_000
MAX_STACKS: Final = 64
MAX_NESTING: Final = 64
"""Beyond these an analysis takes the coarser answer, which claims more."""

_PARKING: Final = frozenset({"human", "graph", "wait"})
Stack: TypeAlias = tuple[str, ...]
Token: TypeAlias = tuple[str, Stack]
Pair: TypeAlias = tuple[str, str, Stack]
"""Two nodes in the order of their names, and the stack that both tokens share, their common fork last."""
Adder: TypeAlias = Callable[[str, str, Stack], None]


@dataclass(slots=True)
class Arrivals:
    """The tokens that reach a join: which edges brought them, and what all their stacks begin with."""

    edges: list[tuple[Edge, Stack]] = field(default_factory=list)
    common: Stack = ()

    def add(self, edge: Edge, stack: Stack) -> None:
        n = 0
        if not self.edges:
            n = len(stack)
        while n < min(len(stack), len(self.common)) and stack[n] == self.common[n]:
            n += 1
        self.common = stack[:n]
        self.edges.append((edge, stack))


class Tokens:
    """The analyses of one graph; each is made when it is first asked for.

    `too_deep` is a fork inside of so many others that its group is not told from theirs (GA407).
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.nodes = flow.graph.nodes
        self.too_deep: str | None = None

    def waits(self, name: str) -> bool:
        return name in self._waiting

    @cached_property
    def _waiting(self) -> frozenset[str]:
        return frozenset(name for name in self.nodes if self._can_wait(name))

    def _can_wait(self, name: str) -> bool:
        """Whether a token can stay at this node while other branches go on."""
        node = self.nodes[name]
        return node.joins or node.kind in _PARKING

    def pushed(self, edge: Edge, stack: Stack) -> Stack:
        """The stack of a token that `edge` places."""
        if len(edge.route.to) < 2:
            return stack
        if edge.source in stack:  # a loop that forks again: its groups are looked at as one
            return stack[: stack.index(edge.source) + 1]
        if len(stack) >= MAX_NESTING:
            self.too_deep = self.too_deep or edge.source
            return stack
        return (*stack, edge.source)

    @cached_property
    def arrivals(self) -> dict[str, Arrivals]:
        """What reaches each node with a join."""
        return self._explored[1]

    @cached_property
    def stacks(self) -> dict[str, set[Stack]]:
        """The stacks with which tokens can be at each node, as they are when it runs."""
        return self._explored[0]

    @cached_property
    def _explored(self) -> tuple[dict[str, set[Stack]], dict[str, Arrivals]]:
        """Explores until the groups that joins take away no longer change.

        A join lets nothing pass until its fork is known; it is known when nothing else is left to explore, and
        if a later arrival shows that it was another one, everything is done again with what has been learned.
        """
        known: dict[str, Stack] = {}
        while True:
            stacks, arrivals, changed = self._explore(known)
            if not changed:
                return stacks, arrivals

    def _explore(self, known: dict[str, Stack]) -> tuple[dict[str, set[Stack]], dict[str, Arrivals], bool]:
        stacks: dict[str, set[Stack]] = {}
        arrivals: dict[str, Arrivals] = {}
        todo: list[Token] = [(START, ())]
        todo += [(root, ()) for root in self.flow.roots if root != START]
        waiting: list[str] = []
        while True:
            while todo:
                name, stack = todo.pop()
                found = stacks.setdefault(name, set())
                if stack in found or len(found) >= MAX_STACKS:
                    continue
                found.add(stack)
                for edge in self.flow.edges.get(name, ()):
                    if edge.target in {END, FAIL}:
                        continue
                    pushed = () if edge.kind == "update" else self.pushed(edge, stack)
                    if not self.nodes[edge.target].joins:
                        todo.append((edge.target, pushed))
                        continue
                    at_join = arrivals.setdefault(edge.target, Arrivals())
                    at_join.add(edge, pushed)
                    if edge.target not in known:
                        waiting.append(edge.target)
                    elif at_join.common != known[edge.target]:
                        known[edge.target] = at_join.common
                        return stacks, arrivals, True
                    else:
                        todo.append((edge.target, known[edge.target][:-1]))
            while waiting and waiting[0] in known:
                waiting.pop(0)
            if not waiting:
                return stacks, arrivals, False
            name = waiting.pop(0)
            known[name] = arrivals[name].common
            todo.append((name, known[name][:-1]))

    @cached_property
    def join_forks(self) -> dict[str, str]:
        """The fork that each node with a join waits for; START (the empty name) is the fork in `start`.

        A join without one is left out (GA407).
        """
        found = ((name, arrivals.common) for name, arrivals in self.arrivals.items())
        return {name: common[-1] for name, common in found if common}

    @cached_property
    def pairs(self) -> set[Pair] | None:
        """All pairs of tokens that can exist at the same time at different nodes; None if there are too many."""
        seen: set[Pair] = set()
        todo: list[Pair] = []

        def add(a: str, b: str, shared: Stack) -> None:
            if a != b and a not in {END, FAIL} and b not in {END, FAIL}:
                pair = (a, b, shared) if a < b else (b, a, shared)
                if pair not in seen:
                    seen.add(pair)
                    todo.append(pair)

        self._first_pairs(add)
        while todo:
            if len(seen) > MAX_PAIRS:
                return None
            self._move(todo.pop(), add)
        return seen

    def _first_pairs(self, add: Adder) -> None:
        """The pairs that a fork makes, and those of a node that a write can wake at any time."""
        for name, stacks in self.stacks.items():
            for stack in stacks:
                groups: dict[int, list[Edge]] = {}
                for edge in self.flow.edges.get(name, ()):
                    groups.setdefault(id(edge.route), []).append(edge)
                for edges in groups.values():
                    for a, b in combinations(edges, 2):
                        add(a.target, b.target, self.pushed(a, stack))
        for woken in (name for name, node in self.nodes.items() if node.on_update):
            for other in self.flow.live:
                add(woken, other, ())

    def _move(self, pair: Pair, add: Adder) -> None:
        """The pairs that can follow one superstep later, or while one of the two waits."""
        a, b, shared = pair
        a_goes, b_goes = self.fires(a, shared), self.fires(b, shared)
        next_a = self._targets(a) if a_goes else []
        next_b = self._targets(b) if b_goes else []
        for x in next_a:
            for y in next_b:
                add(x, y, shared)
        if self.waits(b):
            for x in next_a:
                add(x, b, shared)
        if self.waits(a):
            for y in next_b:
                add(a, y, shared)

    def fires(self, name: str, shared: Stack) -> bool:
        """Whether a node can run while another token that shares this stack is alive."""
        node = self.nodes[name]
        return not node.waits_for_all or self.join_forks.get(name) not in shared

    def _targets(self, name: str) -> list[str]:
        return list(dict.fromkeys(edge.target for edge in self.flow.edges[name] if edge.kind != "update"))

    def together(self, a: str, b: str) -> bool:
        """Whether two nodes can run in one superstep."""
        return any(True for _ in self.meetings([a, b]))

    def meetings(self, names: list[str]) -> Iterator[tuple[str, str]]:
        """The pairs of these nodes that can run in one superstep, each in the given order."""
        order = {name: i for i, name in enumerate(names)}
        if self.pairs is None:
            coarse = _AnyBranches(self.flow)
            yield from (pair for pair in combinations(names, 2) if pair in coarse)
            return
        found = {
            (a, b) if order[a] < order[b] else (b, a)
            for a, b, shared in self.pairs
            if a in order and b in order and self.fires(a, shared) and self.fires(b, shared)
        }
        yield from sorted(found, key=lambda pair: (order[pair[0]], order[pair[1]]))

    def beside(self, name: str, fork: str) -> set[str]:
        """Where the other token of a fork can be while the node runs."""
        return self._beside.get((name, fork), set())

    @cached_property
    def _beside(self) -> dict[tuple[str, str], set[str]]:
        out: dict[tuple[str, str], set[str]] = {}
        for a, b, shared in self.pairs or ():
            for name, other in ((a, b), (b, a)):
                if shared and self.fires(name, shared):
                    out.setdefault((name, shared[-1]), set()).add(other)
        return out


class _AnyBranches:
    """The coarse answer: two nodes can meet if a fork reaches them over different targets."""

    def __init__(self, flow: Flow) -> None:
        self.reach: list[list[set[str]]] = []
        for edges in flow.edges.values():
            for route in {id(edge.route): edge.route for edge in edges if len(edge.route.to) > 1}.values():
                self.reach.append([flow.reachable([target]) for target in route.to])

    def __contains__(self, pair: tuple[str, str]) -> bool:
        a, b = pair
        for branches in self.reach:
            for i, branch in enumerate(branches):
                if a in branch and any(b in other for k, other in enumerate(branches) if k != i):
                    return True
        return False
