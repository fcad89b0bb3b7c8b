"""Wherever processes die, and however often: the session ends with the digests of an undisturbed run."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from graphagent.events import Event
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.session import host as host_module
from graphagent.session import operations as ops
from graphagent.session.host import Host
from graphagent.session.new import NewSession
from graphagent.session.observer import Observer
from graphagent.session.operations import Options
from graphagent.session.reading import read_events
from graphagent.snapshot import Mode
from graphagent.stores.memory import MemoryStore
from tests.property.test_shuffles import host_of, one_run, project

SEEDS = 60
DEADLY = frozenset({"commit", "append", "create", "takeover", "accept", "session"})


class Died(BaseException):
    """The process is gone."""


class MortalStore:
    """A way to a store on which the process dies at one in six calls, before it or after it."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self.store, self.chance, self.dead = store, chance, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            fate = self.chance.random() if name in DEADLY else 1.0
            self.dead = self.dead or fate < 0.08
            if self.dead:
                raise Died
            result = await method(*args, **kwargs)
            if fate < 0.16:
                self.dead = True
                raise Died
            return result

        return call


def only_died(error: BaseException) -> bool:
    """Whether nothing else went wrong."""
    if isinstance(error, BaseExceptionGroup):
        return all(only_died(inner) for inner in error.exceptions)
    return isinstance(error, Died | trio.Cancelled)


async def outlive(
    store: MemoryStore, folder: Path, session: SessionId, chance: random.Random, told: list[Event]
) -> int:
    """Run the session in one process after another until it has ended; how many that took.

    Args:
        told: Gets the events that were shown as committed.
    """

    def tell(event: Event) -> None:
        if event.seq is not None:
            told.append(event)

    for process in range(1, 1_000):
        host = host_of(MortalStore(store, chance), folder)
        try:
            await ops.drive(host, session, observer=Observer(tell))
        except BaseException as error:
            if not only_died(error):
                raise
            store.worker_died(host.worker)
        else:
            return process
    raise AssertionError("it never ends")


@pytest.mark.parametrize("mode", ["strict", "pipelined"])
def test_crashes_leave_no_trace(tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what somebody was told is there, however much of a queue of commits a crash took with it."""
    monkeypatch.setattr(host_module, "MOST_ATTEMPTS", 1_000)
    plan = project(tmp_path)

    async def main() -> None:
        _, expected, outputs = await one_run(host_of(MemoryStore(), tmp_path), plan, 0)
        processes = 0
        for seed in range(SEEDS):
            store, chance = MemoryStore(), random.Random(seed)
            calm: Host = host_of(store, tmp_path)
            new = [ops.run_input(plan, {}, Options())]
            session = await calm.create(NewSession(plan, ops.seed_of(Options(seed=7)), mode=mode), new)
            told: list[Event] = []
            processes += await outlive(store, tmp_path, session, chance, told)
            rows = await store.checkpoints((await store.session(session)).spans(), limit=1_000)
            assert [row.digest for row in rows] == expected, f"seed {seed}"
            outcome = await ops.drive(calm, session)
            assert outcome.outputs == outputs
            for row in [outcome.row, *await store.children(session)]:
                assert (await ops.replay(calm, row.session)).identical, f"seed {seed}"
                graph = (await calm.plan_of(row)).graph
                kept = {event.seq: event.event_id for event in await read_events(store, row, graph)}
                assert all(kept[e.seq] == e.event_id for e in told if e.session == row.session and e.seq is not None)
        assert processes > 3 * SEEDS

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
