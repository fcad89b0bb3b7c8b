"""Whether a session can go on under another plan. Pure; nothing is moved here."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from graphagent.graph.plan import ChannelPlan, GraphPlan, Plan, PortPlan
from graphagent.graph.spec import Path
from graphagent.graph.types import TypeMismatch, assignable, describe
from graphagent.snapshot import UNSET, Control


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something of a session that has no place in another plan. `path` is where that plan's document shows it."""

    message: str
    path: Path
    help: str


def conflicts(old: Plan, new: Plan, control: Control, upcast: Set[str] = frozenset()) -> list[Conflict]:
    """Why a session of `old` that stands at `control` can't go on under `new`; empty if it can.

    Child sessions keep the plan that they were started with, so other graphs of the document don't count.

    Args:
        upcast: Channels that are given values of the new type.
    """
    graph = new.graphs.get(old.entry)
    if graph is None:
        message = f"the session runs the sub-graph `{old.entry}`, which is gone"
        return [Conflict(message, ("graphs",), f"keep `{old.entry}` under `graphs`")]
    at: Path = ("graphs", old.entry) if old.entry else ()
    return [
        *_channels(old.graph, graph, at, upcast),
        *_nodes(old.graph, graph, control, at),
        *_inputs(graph, control, at),
    ]


def other_types(old: GraphPlan, new: GraphPlan) -> list[str]:
    """The channels that stay, and whose values don't fit: of another type, or kept in another form."""
    pairs = [(c, new.channels[new.channel_index[c.name]]) for c in old.channels if c.name in new.channel_index]
    return [was.name for was, now in pairs if not assignable(was.type, now.type) or was.appends != now.appends]


def _channels(old: GraphPlan, new: GraphPlan, at: Path, upcast: Set[str]) -> Iterator[Conflict]:
    """A channel that stays has to take every value that it may hold."""
    for channel in old.channels:
        index = new.channel_index.get(channel.name)
        if index is not None:
            path = (*at, "channels", channel.name)
            yield from _channel(channel, new.channels[index], path, upcast=channel.name in upcast)


def _channel(old: ChannelPlan, new: ChannelPlan, path: Path, *, upcast: bool) -> Iterator[Conflict]:
    rename = "keep it as it was, and declare a channel with another name beside it"
    if not upcast and not assignable(old.type, new.type):
        message = f"the session's channel `{old.name}` is a `{describe(old.type)}`, not a `{describe(new.type)}`"
        yield Conflict(message, path, rename)
    elif not upcast and old.appends != new.appends:
        message = f"the session keeps `{old.name}` under the reducer `{old.reducer}`, not `{new.reducer}`"
        yield Conflict(message, path, rename)
    elif old.secret and not new.secret:
        message = f"the session's channel `{old.name}` is secret, and would be shown from now on"
        yield Conflict(message, path, "keep `secret: true`")


def _nodes(old: GraphPlan, new: GraphPlan, control: Control, at: Path) -> Iterator[Conflict]:
    """The nodes that have a token, and the joins and forks of tokens that are on their way, have to stay."""
    needed: dict[int, str] = {}
    for waiting in control.waiting:
        needed.setdefault(waiting.token.node, "waits at")
    for token in control.due:
        needed.setdefault(token.node, "is about to run")
    for join in control.joins:
        needed.setdefault(join.node, "gathers branches at")
    groups = [*(t.groups for t in control.due), *(w.token.groups for w in control.waiting)]
    for fork in [*(g.fork for found in groups for g in found), *(join.fork for join in control.joins)]:
        needed.setdefault(fork, "has open branches of")
    for index, what in sorted(needed.items()):
        if index < 0:
            continue
        node = old.nodes[index]
        now = new.node_index.get(node.name)
        if now is None:
            help = f"keep `{node.name}` until no session needs it"
            yield Conflict(f"the session {what} `{node.name}`, which is gone", (*at, "nodes"), help)
        elif new.nodes[now].kind != node.kind and what == "waits at":
            message = (
                f"the session waits at the {node.kind} node `{node.name}`, which is a {new.nodes[now].kind} node now"
            )
            yield Conflict(message, (*at, "nodes", node.name), "give the new node another name")
        elif node.join_fork is not None and what == "gathers branches at" and not _same_fork(old, new, index, now):
            message = f"the session gathers branches at `{node.name}`, which waits for another fork now"
            yield Conflict(message, (*at, "nodes", node.name), "keep it, and give the new join another name")


def _same_fork(old: GraphPlan, new: GraphPlan, before: int, now: int) -> bool:
    """Whether a join waits for branches of the same node as before."""
    forks = [(old, old.nodes[before].join_fork), (new, new.nodes[now].join_fork)]
    was, is_ = [None if fork is None else graph.nodes[fork].name if fork >= 0 else "" for graph, fork in forks]
    return was == is_


def _inputs(new: GraphPlan, control: Control, at: Path) -> Iterator[Conflict]:
    """A run that is under way has its inputs already."""
    if not control.run or not (control.due or control.waiting):
        return
    given = control.inputs or {}
    for port in new.inputs:
        path = (*at, "inputs", port.name)
        if port.name in given:
            if not _fits(port, given[port.name]):
                message = f"the session's run was given another `{port.name}` than a `{describe(port.type)}`"
                yield Conflict(message, path, "keep the type that it had")
        elif port.default is UNSET:
            yield Conflict(f"the session's run was started without `{port.name}`", path, "give it a default")


def _fits(port: PortPlan, value: object) -> bool:
    try:
        port.check(value)
    except TypeMismatch:
        return False
    return True
