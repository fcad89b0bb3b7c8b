"""Resume and fork cost the same however long the history is: store calls and rows are counted, nothing is timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.stores.sqlite import SqliteStore
from tests.unit.session.documents.world import StillClock, World, on_stores

LENGTHS = (100, 10_000)
LOOP = """
    inputs: { n: int }
    outputs: { i: int }
    channels: { i: { type: int, default: 0 }, log: { type: "list[int]", reducer: append, scope: step }, last_: str }
    limits: { supersteps: 200000 }
    start: tick
    nodes:
      tick: { kind: set, writes: { i: "${ i + 1 }", log: "${ [i] }" }, next: [{ when: i < inputs.n, to: tick }, { to: ask }] }
      ask: { kind: human, mode: choose, prompt: "Go on?", options: [yes, no], writes: { last_: "${ out.choice }" }, next: end }
"""


class Counted:
    """A store that counts its calls, and the rows that they give back, by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await method(*args, **kwargs)
            self.calls[name] += 1
            self.rows[name] += len(result) if isinstance(result, list | dict) else 1
            if name == "takeover":
                self.rows[name] += len(result.journal) + len(result.inputs) + len(result.interrupts)
            return result

        return call


async def counted(world: World, act: Callable[[Any], Awaitable[Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """What a new process reads and writes for it."""
    host = world.new_host()
    store = Counted(world.store)
    host.store = store
    await act(host)
    return dict(store.calls), dict(store.rows)


@on_stores
async def test_resume_and_fork_read_the_same_at_every_length(world: World) -> None:
    await costs_are_equal(world, LENGTHS)


@pytest.mark.long
def test_a_hundred_thousand_checkpoints_change_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        clock = StillClock()
        store = await SqliteStore.open(tmp_path / "sessions.db", clock=clock)
        try:
            await costs_are_equal(World(tmp_path, store, clock), (100, 100_000))
        finally:
            await store.aclose()

    trio.run(main)


async def costs_are_equal(world: World, lengths: Sequence[int]) -> None:
    """The same calls and rows for sessions of so many checkpoints; they are made in `pipelined`, which is quick."""
    costs: dict[str, list[Any]] = {"open": [], "resume": [], "fork": [], "fork before": []}
    for n in lengths:
        outcome = await world.start(LOOP, {"n": n}, limits={"supersteps": 200_000}, durability="pipelined")
        session = outcome.row.session
        head = (await world.store.session(session)).head_superstep
        assert head == n + 2

        async def opened(host: Any, session: Any = session) -> None:
            await host.release(await host.open(session))

        costs["open"].append(await counted(world, opened))
        costs["fork"].append(await counted(world, lambda host, s=session, at=head: ops.fork(host, s, at)))  # type: ignore[misc]
        costs["fork before"].append(await counted(world, lambda host, s=session, at=n // 2: ops.fork(host, s, at)))  # type: ignore[misc]
        await ops.answer(world.host, (await ops.open_interrupts(world.host, session))[0], "yes")
        costs["resume"].append(await counted(world, lambda host, s=session: ops.resume(host, s)))  # type: ignore[misc]
        assert (await world.store.session(session)).status == "done"
    for what, found in costs.items():
        assert all(cost == found[0] for cost in found), (what, found)
    calls = costs["fork"][0][0]
    assert calls["fork"] == 1
    assert "events" not in costs["open"][0][0]
    assert costs["open"][0][0] == {"takeover": 1, "blobs": 1, "release": 1}
