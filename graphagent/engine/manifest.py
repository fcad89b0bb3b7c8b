"""Manifests: the canonical form of a snapshot, without the values that stand in blobs and deltas.

`channels` are entries by name, `control` is everything that decides what happens next, `run` is what the digest
must not see: the run's id and start. Node names stand for node indexes, so a manifest reads well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from graphagent.channels.entries import Entry, read_entry
from graphagent.codec import decode, encode
from graphagent.graph.plan import START, GraphPlan
from graphagent.snapshot import NOTHING_SPENT, Control, Group, PendingJoin, Token, Waiting


@dataclass(frozen=True, slots=True)
class Manifest:
    """A decoded manifest. `entries` are by channel index, None where a channel was never written."""

    entries: tuple[Entry | None, ...]
    control: Control
    run_id: str | None
    run_started_at: int


def _name(graph: GraphPlan, node: int) -> str:
    return graph.nodes[node].name if node >= 0 else ""


def _index(graph: GraphPlan, name: str) -> int:
    return graph.node_index[name] if name else START


def _groups(graph: GraphPlan, groups: Sequence[Group]) -> list[list[Any]]:
    return [[_name(graph, g.fork), g.superstep, _branches(g.branches)] for g in groups]


def _read_groups(graph: GraphPlan, data: Sequence[Sequence[Any]]) -> tuple[Group, ...]:
    return tuple(Group(_index(graph, fork), superstep, _read_branches(b)) for fork, superstep, b in data)


def _branches(branches: tuple[int, ...]) -> int | list[int]:
    """One branch, nearly always; several where tokens merged."""
    return branches[0] if len(branches) == 1 else list(branches)


def _read_branches(data: int | list[int]) -> tuple[int, ...]:
    return (data,) if isinstance(data, int) else tuple(data)


def _token(graph: GraphPlan, token: Token) -> dict[str, Any]:
    data: dict[str, Any] = {"node": graph.nodes[token.node].name, "placed": token.placed}
    if token.sources:
        data["from"] = [graph.nodes[s].name for s in token.sources]
    if token.groups:
        data["groups"] = _groups(graph, token.groups)
    if token.error is not None:
        data["error"] = token.error
    if token.answer is not None:
        data["answer"] = token.answer
    if token.failure is not None:
        data["failure"] = token.failure
    return data


def _read_token(graph: GraphPlan, data: Mapping[str, Any]) -> Token:
    return Token(
        graph.node_index[data["node"]], data["placed"], _read_groups(graph, data.get("groups", ())),
        tuple(graph.node_index[s] for s in data.get("from", ())), data.get("error"), data.get("answer"),
        data.get("failure"),
    )  # fmt: skip


def _waiting(graph: GraphPlan, waiting: Waiting) -> list[Any]:
    data = [_token(graph, waiting.token), waiting.reason, waiting.superstep, waiting.attempt, waiting.ordinal,
            waiting.expires_us]  # fmt: skip
    return [*data, waiting.due_us, waiting.until_us] if waiting.reason == "timer" else data


def _join(graph: GraphPlan, join: PendingJoin) -> list[Any]:
    data = [_name(graph, join.node), _name(graph, join.fork), join.superstep, list(join.branches),
            _groups(graph, join.groups), [_name(graph, s) for s in join.sources], join.error]  # fmt: skip
    return data if join.need is None else [*data, join.need, join.over]


def _read_join(graph: GraphPlan, data: Sequence[Any]) -> PendingJoin:
    node, fork, superstep, branches, groups, sources, error, *counted = data
    return PendingJoin(
        graph.node_index[node], _index(graph, fork), superstep, tuple(branches), _read_groups(graph, groups),
        tuple(_index(graph, s) for s in sources), error, *counted,
    )  # fmt: skip


def control_data(graph: GraphPlan, control: Control) -> dict[str, Any]:
    """Control state as plain data; parts that are empty are left out."""
    data: dict[str, Any] = {"run": control.run, "steps": control.steps}
    if control.inputs is not None:
        data["inputs"] = control.inputs
    if control.due:
        data["due"] = [_token(graph, t) for t in control.due]
    if control.waiting:
        data["waiting"] = [_waiting(graph, w) for w in control.waiting]
    if control.joins:
        data["joins"] = [_join(graph, j) for j in control.joins]
    if any(control.visits):
        data["visits"] = list(control.visits)
    if control.last_run:
        data["last_run"] = {graph.nodes[n].name: k for n, k in control.last_run.items()}
    if control.spent != NOTHING_SPENT:
        data["spent"] = list(control.spent)
    if control.limited:
        data["limited"] = True
    if control.queue:
        data["queue"] = [list(q) for q in control.queue]
    if control.bounds:
        data["bounds"] = dict(control.bounds)
    if control.events:
        data["events"] = [list(e) for e in control.events]
    return data


def read_control(graph: GraphPlan, data: Mapping[str, Any]) -> Control:
    """Control state of plain data."""
    visits = data.get("visits") or [0] * len(graph.nodes)
    return Control(
        run=data["run"],
        inputs=data.get("inputs"),
        due=tuple(_read_token(graph, t) for t in data.get("due", ())),
        waiting=tuple(Waiting(_read_token(graph, w[0]), *w[1:]) for w in data.get("waiting", ())),
        joins=tuple(_read_join(graph, j) for j in data.get("joins", ())),
        visits=tuple(visits) + (0,) * (len(graph.nodes) - len(visits)),
        last_run={graph.node_index[n]: k for n, k in data.get("last_run", {}).items()},
        steps=data["steps"],
        spent=tuple(data.get("spent", NOTHING_SPENT)),
        limited=data.get("limited", False),
        queue=tuple((q[0], q[1]) for q in data.get("queue", ())),
        bounds=data.get("bounds", {}),
        events=tuple((e[0], e[1], e[2]) for e in data.get("events", ())),
    )


def write_manifest(
    graph: GraphPlan, entries: Sequence[Entry | None], control: bytes, run_id: str | None, started: int
) -> bytes:
    """Canonical bytes of a manifest; `control` is the canonical form of `control_data`.

    Joined from parts that are canonical already, so that nothing is encoded twice.
    """
    named = [_key(c.name) + e.manifest for c in graph.channels_by_name if (e := entries[c.index]) is not None]
    channels = b",".join(named)
    return b'{"channels":{%s},"control":%s,"run":%s}' % (channels, control, _run(run_id, started))


@lru_cache(1024)
def _run(run_id: str | None, started: int) -> bytes:
    return encode([run_id, started])


@cache
def _key(name: str) -> bytes:
    return encode(name) + b":"


def read_manifest(graph: GraphPlan, data: bytes) -> Manifest:
    """The manifest of canonical bytes, for the channels of this graph."""
    tree = decode(data)
    channels = tree["channels"]
    entries = tuple(read_entry(channels[c.name]) if c.name in channels else None for c in graph.channels)
    run_id, started = tree["run"]
    return Manifest(entries, read_control(graph, tree["control"]), run_id, started)
