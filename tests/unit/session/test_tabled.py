"""A store with hot tables before it: bounded whatever runs, and nothing wrong in them is believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from graphagent.ids import SessionId
from graphagent.session import operations as ops
from graphagent.session import tables
from graphagent.session.graph import loads
from graphagent.session.host import Host
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.session.tables import Bound, SubAgent
from graphagent.stores.memory import MemoryStore

COUNT = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: count }
outputs: { n: int }
channels: { n: { type: int, default: 0 } }
start: add
nodes: { add: { kind: set, writes: { n: "${ n + 1 }" }, next: end } }
"""
CALLS = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: calls }
outputs: { said: str }
channels: { said: { type: str, default: "" } }
start: call
nodes: { call: { kind: graph, graph: asks, writes: { said: "${ out.said }" }, next: end } }
graphs:
  asks:
    outputs: { said: str }
    channels: { said: { type: str, default: "" } }
    start: q
    nodes: { q: { kind: human, mode: approve, prompt: "May I?", writes: { said: "${ out.decision }" }, next: end } }
"""


def host_of(store: MemoryStore, folder: Path) -> Host:
    settings = Settings(folder, "memory:")
    return Host(settings, store, SystemClock(), Models(settings, {}))


async def many(host: Host, count: int) -> list[SessionId]:
    plan = loads(COUNT).compile()
    return [(await ops.start(host, plan, {}, ops.Options(seed=n))).row.session for n in range(count)]


def bounded(host: Host) -> bool:
    return all(
        len(table) <= table.bound.entries and table.bytes <= table.bound.bytes for table in host.tables.all.values()
    )


def test_bounds_hold_and_old_heads_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SESSIONS", Bound(10, 1 << 20, None))

    async def main() -> None:
        host = host_of(MemoryStore(), tmp_path)
        sessions = await many(host, 40)
        assert bounded(host)
        assert list(host.tables.sessions) == sessions[-10:]
        for session in (sessions[-1], sessions[0]):
            line = await host.open(session)
            assert line.snapshot.values == (1,)
            await host.release(line)
        counts = host.tables.sessions.counts
        assert (counts.hits, counts.evictions) == (1, 31)

    trio.run(main)


@pytest.mark.long
def test_bounds_hold_under_twenty_thousand_sessions(tmp_path: Path) -> None:
    async def main() -> None:
        host = host_of(MemoryStore(), tmp_path)
        sessions = await many(host, 20_000)
        assert bounded(host)
        assert list(host.tables.sessions) == sessions[-host.tables.sessions.bound.entries :]

    trio.run(main)


def test_a_head_that_is_not_the_stores_is_a_miss(tmp_path: Path) -> None:
    async def main() -> None:
        host = host_of(MemoryStore(), tmp_path)
        (session,) = await many(host, 1)
        known = host.tables.sessions
        left = known.get(session)
        assert left is not None
        known.put(session, replace(left, digest=bytes(32), values=(7,)), 100)
        line = await host.open(session)
        await host.release(line)
        assert line.snapshot.values == (1,)
        assert (known.counts.wrong, known.counts.rebuilds) == (1, 2)

    trio.run(main)


def test_a_child_is_found_whatever_is_remembered_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        store = MemoryStore()
        host = host_of(store, tmp_path)
        plan = loads(CALLS).compile()
        first = await ops.start(host, plan, {}, ops.Options(seed=1))
        assert first.row.status == "waiting"
        known = host.tables.sub_agent_contexts
        ((child, agent),) = [(key, known.get(key)) for key in list(known)]
        assert isinstance(agent, SubAgent)
        known.put(child, replace(agent, path="elsewhere"), 1)
        asked = await ops.find_interrupt(host, first.row.session)
        await ops.answer(host, asked, {"decision": "approve"})
        done = await ops.drive(host, first.row.session)
        assert done.outputs == {"said": "approve"}
        assert known.counts.wrong == 1
        assert child not in known, "it goes with the child"
        assert len(await store.children(first.row.session)) == 1

    trio.run(main)
