"""A simulated world for graphs: several controllers on one store, in one process, in which nothing takes real time.

    from graphagent.testing import simulate

    for seed in range(100):
        simulate(graph, {"topic": "bees"}, seed=seed)

Calls of the store are delayed, refused, or lose their acknowledgement; controllers die in the middle and others take
over; sessions are taken from controllers that live. A seed decides all of it, the order in which tasks run included,
so that a failure can be seen again. At the end the session must have the digests of a run in which nothing failed.

What a graph runs has to work under plain trio: functions are `def`, or marked with `@graphagent.trio_node`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import trio
import trio.testing

from graphagent.codec import decode, digest
from graphagent.errors import Conflict, Fenced, SessionBusy, SessionPoisoned, StoreUnavailable
from graphagent.events import Event
from graphagent.ids import SessionId, WorkerId
from graphagent.messages import Model
from graphagent.session import operations as ops
from graphagent.session.graph import Graph
from graphagent.session.host import Host
from graphagent.session.new import NewSession
from graphagent.session.observer import Observer
from graphagent.session.parked import next_due
from graphagent.session.reading import read_events
from graphagent.session.services import Models
from graphagent.session.settings import Settings
from graphagent.snapshot import SessionQuery, SessionRow
from graphagent.stores.memory import MemoryStore
from graphagent.testing.faulty_store import NO_FAULTS, Died, Faults, FaultyStore

START_US = 1_700_000_000_000_000
POLL_S = 1.0
LEASE_S = 15.0
OVER = ("done", "failed", "cancelled")

Answer = Callable[[Mapping[str, Any]], Any]
"""What a person says to a question `{kind, node, prompt, options, payload, ...}`; None leaves it open."""


class SimulationFailed(AssertionError):
    """Something didn't hold in a simulated world; the message ends with the seed that shows it again."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """How a session ended in a simulated world.

    Attributes:
        digests: Of every superstep, from the first on.
        met: How often each fault was met: `before`, `after`, `crash`, `robbery`, `fenced`.
        trace: (time in seconds, controller, call of the store, what became of it), in order.
    """

    status: str
    outputs: Mapping[str, Any] | None
    digests: tuple[bytes, ...]
    met: Counter[str]
    trace: tuple[tuple[float, str, str, str], ...]


class _WorldClock:
    """The wall clock of the world, which moves with trio's."""

    def now_us(self) -> int:
        return START_US + int(trio.current_time() * 1e6)


@dataclass(slots=True)
class _World:
    graph: Graph
    inputs: Mapping[str, Any]
    seed: int
    faults: Faults
    controllers: int
    settings: Settings
    models: Mapping[str, Model]
    answer: Answer | None
    durability: Literal["strict", "pipelined"]
    clock: _WorldClock = field(default_factory=_WorldClock)
    store: MemoryStore = field(init=False)
    chance: random.Random = field(init=False)
    session: SessionId = field(init=False)
    calm: Host = field(init=False)
    """A process in which nothing fails; the others share its plans."""
    told: dict[tuple[str, int], str] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    trace: list[tuple[float, str, str, str]] = field(default_factory=list)
    answered: bool = False

    def __post_init__(self) -> None:
        self.store = MemoryStore(clock=self.clock)
        self.chance = random.Random(f"{self.seed} faults")
        self.calm = Host(self.settings, self.store, self.clock, Models(self.settings, self.models))
        self.session = SessionId.timed(START_US // 1000, digest(b"%d" % self.seed))

    # ---- processes

    def host(self, name: str) -> tuple[Host, FaultyStore]:
        """A new process."""

        def note(call: str, became: str) -> None:
            self.trace.append((round(trio.current_time(), 6), name, call, became))
            if became != "ok":
                self.met["crash" if became == "dead" else became] += 1

        store = FaultyStore(self.store, self.faults, self.chance, note)
        worker = WorkerId.derive(name, len(self.trace))
        return replace(self.calm, store=store, worker=worker, busy=set()), store

    def observer(self) -> Observer:
        """Remembers what was shown as committed: no event may change or go away afterwards."""

        def told(event: Event) -> None:
            if event.seq is not None:
                known = self.told.setdefault((event.session, event.seq), event.event_id)
                self.must(known == event.event_id, f"event {event.seq} was shown as two different ones")

        return Observer(told)

    async def controller(self, name: str) -> None:
        """One process after another that runs the session wherever it finds it."""
        while True:
            host, store = self.host(name)
            try:
                while True:
                    await self.visit(host)
                    await trio.sleep(self.chance.random() * POLL_S)
            except BaseException as error:
                if not _only_died(error):
                    raise
                store.dead = True
            await trio.sleep(self.chance.random() * LEASE_S)
            self.store.worker_died(host.worker)

    async def visit(self, host: Host) -> None:
        """Drive the session as far as it goes, if it isn't another's."""
        row = await self.store.session(self.session)
        if row.input_n == row.taken_n and (row.status in OVER or await self.waits(row)):
            return
        try:
            if row.status == "poisoned":
                await ops.resume(host, self.session, observer=self.observer(), force=True)
            else:
                await ops.drive(host, self.session, observer=self.observer())
        except Fenced:
            self.met["fenced"] += 1
        except SessionBusy:
            owner = (await self.store.session(self.session)).owner
            if owner is not None and owner != host.worker and self.chance.random() < self.faults.robbery:
                self.met["robbery"] += 1
                self.store.worker_died(owner)
        except (StoreUnavailable, SessionPoisoned):
            pass  # as a person would: try again

    async def waits(self, row: SessionRow) -> bool:
        """Whether it waits for a person, or for a time that hasn't come."""
        if row.status != "waiting" or row.reason == "paused":
            return False
        due = await next_due(self.calm, row)
        return due is None or due > self.clock.now_us()

    async def person(self) -> None:
        """Answers one question at a time, when nothing else is going on, and says it again if nobody heard it."""
        host, store = self.host("person")
        while True:
            await trio.sleep(POLL_S)
            row = await self.store.session(self.session)
            asked = await ops.open_interrupts(host, self.session) if row.status == "waiting" else []
            for question in sorted(asked, key=lambda q: (q.superstep, q.path))[:1]:
                value = self.answer({**decode(question.question), "node": question.node}) if self.answer else None
                while value is not None and not store.dead:
                    try:
                        self.answered = self.answered or question.kind == "in_doubt"
                        await ops.answer(host, question, value)
                        break
                    except StoreUnavailable:
                        continue
                    except Conflict:
                        break

    async def end(self) -> SessionRow:
        """The session when nothing more will happen to it."""
        quiet = 0
        while True:
            await trio.sleep(POLL_S)
            row = await self.store.session(self.session)
            if row.status in OVER and row.input_n == row.taken_n:
                return row
            waits = row.status == "waiting" and row.input_n == row.taken_n and row.reason != "paused"
            quiet = quiet + 1 if waits and await next_due(self.calm, row) is None else 0
            if quiet > 3 * LEASE_S:
                return row

    # ---- the whole

    async def play(self, limit_s: float) -> Simulated:
        """Run it, and check what must hold."""
        plan = self.graph.compile()
        options = ops.Options(seed=1)
        new = NewSession(plan, ops.seed_of(options), session=self.session, mode=self.durability)
        await self.calm.create(new, [ops.run_input(plan, self.inputs, ops.Options(message_id="run"))])
        row = None
        with trio.move_on_after(limit_s):
            async with trio.open_nursery() as nursery:
                for number in range(self.controllers):
                    nursery.start_soon(self.controller, f"controller {number}")
                nursery.start_soon(self.mortal_person)
                row = await self.end()
                nursery.cancel_scope.cancel()
        self.must(row is not None, f"the session didn't end in {limit_s:g} simulated seconds")
        await self.check()
        outcome = await ops.standing(self.calm, self.session)
        if outcome.row.owner is not None:  # all processes have ended
            self.store.worker_died(outcome.row.owner)
        if outcome.row.status == "done":
            outcome = await ops.drive(self.calm, self.session)
        checkpoints = await self.store.checkpoints(outcome.row.spans(0), limit=1_000_000)
        digests = tuple(c.digest for c in checkpoints)
        return Simulated(outcome.row.status, outcome.outputs, digests, self.met, tuple(self.trace))

    async def mortal_person(self) -> None:
        """The process through which the person speaks may die as well."""
        while True:
            try:
                await self.person()
            except Died:
                continue

    async def check(self) -> None:
        """Every session replays, and its events are dense and those that were shown."""
        for entry in await self.store.sessions(SessionQuery(children=True, limit=10_000)):
            row = entry.row
            report = await ops.replay(self.calm, row.session)
            self.must(report.identical, f"{row.graph} doesn't replay: {report.first_difference}")
            events = await read_events(self.calm.store, row, (await self.calm.plan_of(row)).graph)
            self.must([e.seq for e in events] == list(range(row.event_n)), f"{row.graph}: its events have gaps")
            for event in events:
                shown = self.told.get((event.session, event.seq or 0), event.event_id)
                self.must(shown == event.event_id, f"event {event.seq} isn't the one that was shown")
            last = max((seq for session, seq in self.told if session == row.session), default=-1)
            self.must(last < row.event_n, f"event {last} was shown as committed, and is gone")

    def must(self, holds: bool, what: str) -> None:
        """Raise SimulationFailed unless it holds."""
        if not holds:
            raise SimulationFailed(f"{what}\nsee it again: --seed {self.seed}")


def simulate(
    graph: Graph, inputs: Mapping[str, Any] | None = None, *, seed: int, controllers: int = 3,
    faults: Faults | None = None, models: Callable[[], Mapping[str, Model]] = dict, answer: Answer | None = None,
    root: str | Path = ".", allow_modules: tuple[str, ...] = (), durability: Literal["strict", "pipelined"] = "strict",
    limit_s: float = 24 * 3600,
) -> Simulated:  # fmt: skip
    """Run a graph in a simulated world, and in a calm one, and compare.

    Args:
        graph: What is run.
        inputs: Of its one run.
        seed: Decides every fault and every order.
        controllers: So many processes look for work at once.
        faults: How often something fails; by default each of them now and then.
        models: Makes the models by name, anew for each of both worlds.
        answer: What a person says to a question; by default nobody answers.
        root: The project folder with the graph's code.
        allow_modules: Modules outside of it that the graph names.
        durability: Of the session.
        limit_s: In simulated seconds.

    Raises:
        SimulationFailed: a digest, an output, an event or a replay isn't what it must be, or the session hangs. The
            message names the seed.
    """
    settings = Settings(Path(root).resolve(), "memory:", allow_modules=allow_modules)

    def play(chosen: Faults, processes: int) -> tuple[Simulated, _World]:
        world = _World(
            graph, inputs or {}, seed, chosen, processes, settings, dict(models()), answer, durability
        )  # fmt: skip
        clock = trio.testing.MockClock(autojump_threshold=0)
        with seeded_order(seed):
            return trio.run(world.play, limit_s, clock=clock), world

    expected, calm = play(NO_FAULTS, 1)
    found, world = play(faults or Faults(), controllers)
    same = (found.status, found.outputs) == (expected.status, expected.outputs)
    world.must(same, f"ended as {found.status} with {found.outputs}, but {expected.status} with {expected.outputs}")
    if not (world.answered or calm.answered):  # a write that a person settled is another history
        world.must(found.digests == expected.digests, "its digests aren't those of an undisturbed run")
    return found


@contextmanager
def seeded_order(seed: int) -> Iterator[None]:
    """Let trio run its tasks in an order that a seed decides.

    Source: https://github.com/python-trio/trio/blob/main/src/trio/_tests/test_scheduler_determinism.py
    """
    from trio._core import _run

    state, before = _run._r.getstate(), _run._ALLOW_DETERMINISTIC_SCHEDULING
    _run._r.seed(seed)
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    try:
        yield
    finally:
        _run._r.setstate(state)
        _run._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]


def _only_died(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(isinstance(e, Died) for e in error.exceptions) and all(
            isinstance(e, trio.Cancelled) or _only_died(e) for e in error.exceptions
        )
    return isinstance(error, Died)
