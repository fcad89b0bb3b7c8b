"""A snapshot under another plan: by name, channels and nodes are what they were. Pure.

What the other graph doesn't have is left out: who moves a session has asked `graph.compatibility` before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graphagent.graph.plan import GraphPlan
from graphagent.snapshot import Control, Group, PendingJoin, Snapshot, Token, Waiting


def moved(snapshot: Snapshot, old: GraphPlan, new: GraphPlan) -> Snapshot:
    """The snapshot with its tuples in the order of another graph. A channel that is new there is unset."""
    if old is new:
        return snapshot
    at = [old.channel_index.get(channel.name) for channel in new.channels]
    values = tuple(c.default if i is None or snapshot.versions[i] is None else snapshot.values[i]
                   for i, c in zip(at, new.channels, strict=True))  # fmt: skip
    return replace(
        snapshot, values=values, versions=tuple([None if i is None else snapshot.versions[i] for i in at]),
        entries=tuple([None if i is None else snapshot.entries[i] for i in at]),
        control=moved_control(snapshot.control, old, new),
    )  # fmt: skip


def moved_control(control: Control, old: GraphPlan, new: GraphPlan) -> Control:
    """The control state for another graph. `visits` and all nodes are found by name."""
    if old is new:
        return control
    move = _Nodes(old, new)
    visits = [0] * len(new.nodes)
    for index, count in enumerate(control.visits):
        now = move.node(index)
        if now is not None:
            visits[now] = count
    return replace(
        control,
        due=tuple([t for token in control.due if (t := move.token(token)) is not None]),
        waiting=tuple([w for waiting in control.waiting if (w := move.waiting(waiting)) is not None]),
        joins=tuple([j for join in control.joins if (j := move.join(join)) is not None]),
        visits=tuple(visits),
        last_run={now: k for n, k in control.last_run.items() if (now := move.node(n)) is not None},
    )


class _Nodes:
    """From the nodes of one graph to those of another. Pseudo nodes are the same in all."""

    def __init__(self, old: GraphPlan, new: GraphPlan) -> None:
        self._old, self._new = old, new

    def node(self, index: int) -> int | None:
        return index if index < 0 else self._new.node_index.get(self._old.nodes[index].name)

    def nodes(self, indexes: Iterable[int]) -> tuple[int, ...]:
        return tuple([now for index in indexes if (now := self.node(index)) is not None])

    def groups(self, groups: Iterable[Group]) -> tuple[Group, ...]:
        return tuple([replace(g, fork=now) for g in groups if (now := self.node(g.fork)) is not None])

    def token(self, token: Token) -> Token | None:
        now = self.node(token.node)
        if now is None:
            return None
        return replace(token, node=now, groups=self.groups(token.groups), sources=self.nodes(token.sources))

    def waiting(self, waiting: Waiting) -> Waiting | None:
        token = self.token(waiting.token)
        return None if token is None else replace(waiting, token=token)

    def join(self, join: PendingJoin) -> PendingJoin | None:
        node, fork = self.node(join.node), self.node(join.fork)
        if node is None or fork is None:
            return None
        return replace(join, node=node, fork=fork, groups=self.groups(join.groups), sources=self.nodes(join.sources))
