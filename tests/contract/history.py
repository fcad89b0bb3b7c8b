"""A history checker: clients of one store note what they ask for and what they hear, and the store must agree.

Controllers commit to one session and take it from each other, others give it inputs and answer its questions. Each
call ends as `ok`, as `fail` (refused, so nothing may be stored) or as `unknown` (the acknowledgement was lost). Then:
the commits form one chain; every `ok` is in it once, every `unknown` at most once, no `fail` ever; and what began after
something else had been acknowledged comes after it.

`python -m tests.contract.history PLACE SEED NAME SECONDS` are the clients of one process, on a SQLite file or on the
URL of a Postgres store.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import trio

from graphagent import concurrency
from graphagent.codec import decode, digest, encode
from graphagent.errors import Fenced, InterruptAnswered, InterruptExpired, SessionBusy
from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.snapshot import Commit, Delta, EventBatch, NewInput, SessionRow
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.postgres_url import SCHEMES
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import checkpoint_row, interrupt_row, session_row
from tests.servers import cut_off

Kind = Literal["commit", "input", "answer"]
End = Literal["ok", "fail", "unknown"]
SESSION = session_row()
LOSSES = 0.15
"""So many acknowledgements are lost."""


@dataclass(frozen=True)
class Call:
    """One call: what it was to store, when it began and ended on the clock that all processes share, and how."""

    kind: Kind
    value: str
    began: int
    ended: int
    end: End
    target: str = ""


class Lost(Exception):
    """Nobody knows whether it happened."""


@dataclass
class Clients:
    """The clients of one process. `rob` makes others' workers count as dead."""

    store: Store
    name: str
    chance: random.Random
    rob: Callable[[WorkerId], Awaitable[None]]
    calls: list[Call]

    async def run(self, commits: int, seconds: float = 0) -> None:
        """All of them at once, until each controller has tried so many commits and so much time has passed."""
        end = trio.current_time() + seconds
        async with trio.open_nursery() as nursery:
            for client in (self._inputs, self._inputs, self._answers, self._answers):
                nursery.start_soon(client, f"{self.name}{len(nursery.child_tasks)}")
            async with trio.open_nursery() as controllers:
                for number in range(2):
                    controllers.start_soon(self._controller, f"{self.name}-{number}", commits, end)
            nursery.cancel_scope.cancel()

    async def _call(
        self, kind: Kind, value: str, act: Callable[[], Awaitable[Any]], target: str = ""
    ) -> End:  # fmt: skip
        """Make a call and note it; one in some never hears its end, one in some not even begins."""
        end: End = "ok"
        began = time.monotonic_ns()
        fate = self.chance.random()
        await trio.sleep(self.chance.random() / 1000)
        try:
            with trio.CancelScope(shield=True):
                if fate > LOSSES / 3:
                    await act()
            if fate < LOSSES:
                end = "unknown"
        except (Fenced, InterruptAnswered, InterruptExpired):
            end = "fail"
        self.calls.append(Call(kind, value, began, time.monotonic_ns(), end, target))
        return end

    async def _controller(self, name: str, commits: int, end: float) -> None:
        worker = WorkerId.derive(name)
        tried, epoch = 0, 0
        while tried < commits or trio.current_time() < end:
            try:
                row = (await self.store.takeover(SESSION.session, worker)).row
            except SessionBusy:
                await trio.sleep(self.chance.random() / 200)
                owner = (await self.store.session(SESSION.session)).owner
                if owner is not None and self.chance.random() < 0.5:
                    await self.rob(owner)
                continue
            epoch = row.epoch
            tried += await self._own(row, name)
        await self.store.release(SESSION.session, epoch)  # nobody of this process could take it from a living worker

    async def _own(self, row: SessionRow, name: str) -> int:
        """Commit while the session is owned. Returns how often."""
        for tried in range(self.chance.randint(1, 8)):
            value = f"{name}:{row.epoch}:{row.commit_n}"
            commit = commit_of(row, value, asks=self.chance.random() < 0.3)
            end = await self._call("commit", value, partial(self.store.commit, commit))
            while end == "unknown" and self.chance.random() < 0.8:  # the very same again
                end = await self._call("commit", value, partial(self.store.commit, commit))
            if end != "ok":
                return tried + 1
            assert commit.checkpoint is not None
            row = replace(
                row, commit_n=row.commit_n + 1, head=commit.checkpoint.checkpoint, head_superstep=commit.head_superstep
            )  # fmt: skip
        await self.store.release(row.session, row.epoch)
        return tried + 1

    async def _inputs(self, name: str) -> None:
        number = 0
        while True:
            number += 1
            new = NewInput("event", f"{name}:{number}", encode(name))
            value = new.message_id
            while await self._call("input", value, partial(self.store.accept, SESSION.session, new)) == "unknown":
                if self.chance.random() < 0.5:
                    break
            await trio.sleep(0.002)

    async def _answers(self, name: str) -> None:
        while True:
            for row in await self.store.interrupts(SESSION.session):
                new = NewInput("answer", f"answer:{row.interrupt}", encode(name))
                act = partial(self.store.answer, row.interrupt, encode(name), name, [(SESSION.session, new)])
                await self._call("answer", name, act, row.interrupt)
            await trio.sleep(0.002)


def commit_of(row: SessionRow, value: str, *, asks: bool) -> Commit:
    """A superstep that holds `value` in its events and in a channel, and may put a question."""
    k = row.head_superstep
    at = row.created_at + k + 1
    checkpoint = checkpoint_row(row, k, row.head, manifest=encode(value), digest=digest(value.encode()))
    checkpoint = replace(checkpoint, checkpoint=type(checkpoint.checkpoint).timed(at, digest(value.encode())))
    question = interrupt_row(row, value, superstep=k)
    return Commit(
        row.session, row.epoch, row.commit_n, digest(value.encode())[:16], "running", None, k + 1, checkpoint,
        EventBatch(k, 1, encode([value]), at), deltas=[Delta("log", k, encode([value]))],
        interrupts=[question] if asks else [], at=at,
    )  # fmt: skip


async def begin(store: Store) -> None:
    """The session that all clients know."""
    await store.create(SESSION, checkpoint_row(SESSION, -1), (), ())


# ---- what must hold --------------------------------------------------------------------------------------------------


async def check(store: Store, calls: Sequence[Call]) -> Counter[str]:
    """Raise AssertionError unless the store agrees with what its clients heard. Returns how often calls ended how."""
    row = await store.session(SESSION.session)
    chain = await store.checkpoints(row.spans(), limit=1_000_000)
    assert [c.superstep for c in chain] == list(range(-1, row.head_superstep))
    assert [c.parent for c in chain[1:]] == [c.checkpoint for c in chain[:-1]], "the commits are no chain"
    assert chain[-1].checkpoint == row.head
    committed = [decode(c.manifest) for c in chain[1:]]
    assert [decode(b.body) for b in await store.events(row.spans())] == [[value] for value in committed]
    assert [decode(d.items) for d in await store.deltas(row.spans(), "log")] == [[value] for value in committed]
    _agree(committed, [c for c in calls if c.kind == "commit"])
    inputs = await store.inputs(SESSION.session)
    assert [i.n for i in inputs] == list(range(1, len(inputs) + 1))
    _agree([i.message_id for i in inputs if i.kind == "event"], [c for c in calls if c.kind == "input"])
    answers = Counter(i.message_id for i in inputs if i.kind == "answer")
    for asked in await store.interrupts(SESSION.session, status=None):
        mine = [c for c in calls if c.target == asked.interrupt]
        assert answers[f"answer:{asked.interrupt}"] == (asked.status == "answered")
        assert {c.value for c in mine if c.end == "ok"} <= {asked.answered_by}, "two answers were told that they count"
        assert asked.answered_by in {c.value for c in mine if c.end != "fail"} | {None}
    return Counter(f"{c.kind} {c.end}" for c in calls)


def _agree(stored: Sequence[str], calls: Sequence[Call]) -> None:
    """What is stored, in its order, against the calls that were to store it."""
    assert len(set(stored)) == len(stored), "something is stored twice"
    place = {value: n for n, value in enumerate(stored)}
    ends: dict[str, set[End]] = {}
    for call in calls:
        ends.setdefault(call.value, set()).add(call.end)
    assert set(stored) <= set(ends), "something is stored that nobody asked for"
    for value, heard in ends.items():
        assert value in place or "ok" not in heard, f"{value} was acknowledged, and is lost"
        assert value not in place or heard != {"fail"}, f"{value} was refused, and is stored"
    done = sorted((c for c in calls if c.end == "ok"), key=lambda c: c.ended)
    first = {call.value: min(c.began for c in calls if c.value == call.value) for call in done}
    latest, behind = -1, 0
    for call in sorted(done, key=lambda c: first[c.value]):
        while behind < len(done) and done[behind].ended < first[call.value]:
            latest = max(latest, place[done[behind].value])
            behind += 1
        assert place[call.value] >= latest, f"{call.value} began after what stands behind it had been acknowledged"


async def open_store(place: str) -> Store:
    """The store of one process, in a file or in Postgres."""
    if place.startswith(SCHEMES):
        return await PostgresStore.open(place)
    return await SqliteStore.open(Path(place), synchronous="normal")


async def clients_of(
    place: str, seed: int, name: str, seconds: float = 0, ready: Callable[[], object] = lambda: None
) -> list[Call]:  # fmt: skip
    """One process on a store; `ready` returns when the others are there."""
    store = await open_store(place)

    async def rob(worker: WorkerId) -> None:
        if place.startswith(SCHEMES):
            await cut_off(place, worker)
        else:
            Path(f"{place}.worker-{worker}").unlink(missing_ok=True)

    calls: list[Call] = []
    try:
        await begin(store)
        ready()
        await Clients(store, name, random.Random(seed), rob, calls).run(40, seconds)
    finally:
        await store.aclose()
    return calls


def _meet() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    place, seed, name, seconds = sys.argv[1:]
    found = concurrency.run_sync(clients_of, place, int(seed), name, float(seconds), _meet)
    json.dump([asdict(call) for call in found], sys.stdout)
