"""Hypothesis plays with sessions through the public API on any store, beside a model of what they must do.

Each rule may meet a fault in one of its calls of the store: the process dies before or after it, the acknowledgement
of a commit is lost, or a commit is refused for now. After each step the store is compared with the model:

- G1 a snapshot's values, status, question and events appear together
- G2 what was acknowledged stays, and a crash costs nothing but the superstep that was open
- G3 no write is called twice, and no read more often than processes died in it
- G4 who has lost its session writes nothing
- G5 a lost acknowledgement neither loses nor repeats a superstep
- G6 every session replays to the same digests, with no call
- G8 a fork leaves its origin as it was
- G9 the first answer wins; the same again changes nothing, and another one is refused
- G10 an input counts once per message id, in the order of acceptance
- G11 committed events are dense and never change

G7 is in tests/property/test_shuffles.py.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol, TypeVar

import hypothesis.strategies as st
import pytest
import trio
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from graphagent import (
    Conflict,
    Fenced,
    ForkOpenWrite,
    Graph,
    InputInvalid,
    InterruptAnswered,
    InterruptExpired,
    Project,
    RunOptions,
    Session,
    SessionBusy,
    StoreUnavailable,
    trio_node,
)
from graphagent.codec import decode
from graphagent.engine.doubt import doubt_id
from graphagent.engine.run import Line, Stop
from graphagent.errors import NotFound
from graphagent.ids import SessionId, WorkerId
from graphagent.ports import Store
from graphagent.session.host import Host
from graphagent.session.loading import load_snapshot
from graphagent.session.reading import checkpoint_at, read_events
from graphagent.snapshot import Mode, SessionQuery, SessionRow
from tests.contract.session_model import GRAPH, Given, Modelled

T = TypeVar("T")
CALLS: Counter[tuple[str, int]] = Counter()
WRITES = ("create", "takeover", "commit", "append", "accept", "answer", "fork")
MOST_SESSIONS = 3


@trio_node
async def first(x: int) -> int:
    CALLS["first", x] += 1
    await trio.sleep(0.01)  # longer than the 5 ms after which rows are appended
    return x


@trio_node
async def pay(x: int) -> str:
    CALLS["pay", x] += 1
    await trio.sleep(0.01)
    return f"paid {x}"


class Place(Protocol):
    """Where sessions are kept; several processes may open it."""

    def run(self, afn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run this in trio."""
        ...

    def close(self) -> None:
        """Nothing will be run any more."""
        ...

    async def open(self) -> Store:
        """A store object of one process."""
        ...

    async def die(self, store: Store, worker: WorkerId) -> None:
        """The process that holds `store`, and is `worker`, dies."""
        ...

    async def presume_dead(self, worker: WorkerId) -> None:
        """Others may take over what this worker owns, though it lives."""
        ...


class Died(BaseException):
    """The process is gone."""


@dataclass(frozen=True)
class Fault:
    """What happens in the `hit`-th write to the store: `before` or `after` it the process dies; `lost` and `refused`
    concern commits alone."""

    kind: str
    hit: int


FAULTS = st.none() | st.builds(Fault, st.sampled_from(["before", "after", "lost", "refused"]), st.integers(1, 8))


class Wire:
    """One process's way to its store."""

    def __init__(self, store: Store) -> None:
        self.store, self.dead = store, False
        self.fault: Fault | None = None
        self.hits = 0

    def arm(self, fault: Fault | None) -> None:
        self.fault, self.hits = fault, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name == "name":
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            kind = self._fault(name)
            if kind == "before":
                self.dead = True
            if self.dead:
                raise Died
            if kind == "refused":
                raise StoreUnavailable("not now")
            result = await method(*args, **kwargs)
            if kind == "after":
                self.dead = True
                raise Died
            if kind == "lost":
                raise StoreUnavailable("who knows")
            return result

        return call

    def _fault(self, name: str) -> str | None:
        if self.fault is None or name not in WRITES:
            return None
        if self.fault.kind in ("lost", "refused") and name != "commit":
            return None
        self.hits += 1
        return self.fault.kind if self.hits == self.fault.hit else None


@dataclass
class Known:
    """What was seen of a session, and its model."""

    id: SessionId
    model: Modelled
    forked_at: int = 0
    carries_pay: bool = False
    unarmed: bool = False
    """A process died before it asked a fork's question again."""
    digests: list[bytes] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    messages: set[int] = field(default_factory=set)
    """Runs that were asked for under a message id of their own."""
    decided: set[int] = field(default_factory=set)
    """Runs whose write a person has settled."""


def only_died(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(only_died(inner) for inner in error.exceptions)
    return isinstance(error, Died | trio.Cancelled)


class Sessions(RuleBasedStateMachine):
    """Two processes on one store. Subclasses say which, and the mode of durability."""

    place_of: Callable[[Path], Place]
    mode: Mode

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="graphagent-"))
        self.place = type(self).place_of(self.folder)
        self.graph = Graph.from_yaml(GRAPH.replace("MODULE", __name__), project=self.project(None))
        self.projects: list[Project] = []
        self.wires: list[Wire] = []
        self.sessions: list[Known] = []
        self.runs = 0
        self.allowed: Counter[tuple[str, int]] = Counter()
        CALLS.clear()
        self.do(self._boot)

    def project(self, store: Any) -> Project:
        return Project(self.folder, store=store, allow_modules=[__name__])

    def do(self, afn: Callable[..., Awaitable[T]], *args: Any) -> T:
        return self.place.run(afn, *args)

    async def _boot(self) -> None:
        for _ in range(2):
            wire = Wire(await self.place.open())
            self.wires.append(wire)
            self.projects.append(self.project(wire))

    async def _restart(self, which: int) -> None:
        """The process dies, and another one comes."""
        self.wires[which].dead = True
        await self.place.die(self.wires[which].store, (await self.projects[which].host()).worker)
        self.wires[which] = Wire(await self.place.open())
        self.projects[which] = self.project(self.wires[which])

    @property
    def store(self) -> Store:
        return self.wires[0].store

    def met(self, which: int, fault: Fault | None, afn: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """The result, or `Died` if the process did."""
        wire = self.wires[which]
        wire.arm(fault)
        try:
            return self.do(afn, *args)
        except BaseException as error:
            if not only_died(error):
                raise
            self.do(self._restart, which)
            return Died
        finally:
            wire.arm(None)

    def pick(self, number: int) -> Known:
        return self.sessions[number % len(self.sessions)]

    def view(self, known: Known, which: int) -> Session:
        return self.do(Session.find, self.projects[which], known.id)

    # ---- facts that the model is told

    async def _facts(self, known: Known) -> tuple[SessionRow, bool, bool, bool]:
        """The row; whether its superstep is open; has a write without outcome; which nobody has settled."""
        row = await self.store.session(known.id)
        rows = await self.store.effects(row.spans(row.head_superstep))
        writes = [r for r in rows if r.effect_class == "write" and r.outcome is None]
        unsettled = False
        for write in writes:
            try:
                asked = await self.store.interrupt(doubt_id(known.id, write))
                unsettled = unsettled or asked.status != "answered"
            except NotFound:
                unsettled = True
        return row, bool(rows), bool(writes), unsettled

    async def _given(self, known: Known, after: int = 0) -> list[Given]:
        out: list[Given] = []
        for row in await self.store.inputs(known.id, after=after):
            body = decode(row.body)
            if row.kind == "run":
                out.append(("run", body["inputs"]["x"]))
            elif row.kind == "answer":
                value = body["value"]
                out.append(("answer", value["choice"]) if "choice" in value else ("settle", value["decision"]))
            elif row.kind == "event":
                out.append(("event", body["data"]["n"]))
            elif row.kind == "edit":
                out.append(("edit", body["set"]["log"][0]))
            else:
                out.append(("cancel", None))
        return out

    def careful(self, known: Known, fault: Fault | None) -> Fault | None:
        """No death more where the session would be poisoned."""
        deadly = fault is not None and fault.kind in ("before", "after")
        return None if deadly and self.do(self.store.session, known.id).attempts >= 4 else fault

    def drive(
        self,
        known: Known,
        which: int,
        fault: Fault | None,
        act: Callable[[], Awaitable[Any]],
        given: Given | None = None,
    ) -> None:
        """Do what drives a session, and let the model do the same, as far as the process came."""
        _, opened, _, doubt = self.do(self._facts, known)
        before = self.do(self.store.session, known.id).input_n
        result = self.met(which, self.careful(known, fault), act)
        row = self.do(self.store.session, known.id)
        if given is not None and (result is not Died or row.input_n > before):
            known.given.append(given)
            known.model.pending.append(given)
        after = deepcopy(known.model)
        after.drive(opened=opened, doubt=doubt)
        self._allow(known, after, doubt=doubt)
        if result is not Died:
            known.model, known.unarmed = after, False
            return
        model, head = known.model, row.head_superstep
        assert len(model.history) <= head + 1 <= len(after.history), "a crash lost or made supersteps"
        fine = {model.status, after.history[head].status, *(["waiting"] if doubt or known.unarmed else [])}
        assert row.status in fine, (row.status, fine)
        model.history, model.status = after.history[: head + 1], row.status
        model.pending = self.do(self._given, known, row.taken_n)

    def _allow(self, known: Known, after: Modelled, *, doubt: bool) -> None:
        """Note the calls that this may have made."""
        for old in after.history[len(known.model.history) - 1 : -1]:
            if "first" in old.due:
                self.allowed["first", old.x] += 1
            if "pay" in old.due and not known.carries_pay and old.x not in known.decided:
                known.decided.add(old.x)
                self.allowed["pay", old.x] += 1

    # ---- rules

    @precondition(lambda self: len(self.sessions) < MOST_SESSIONS)
    @rule(which=st.integers(0, 1), fault=FAULTS)
    def start(self, which: int, fault: Fault | None) -> None:
        self.runs += 1
        name, x = f"session {self.runs}", self.runs
        options = RunOptions(name=name, seed=1, durability="pipelined" if self.mode == "pipelined" else "strict")

        async def act() -> Any:
            return await self.graph.arun({"x": x}, project=self.projects[which], options=options)

        result = self.met(which, fault, act)
        found = [e.row for e in self.do(self.store.sessions, SessionQuery()) if e.row.name == name]
        assert len(found) == 1 or (result is Died and not found)
        if not found:
            return
        known = Known(found[0].session, Modelled())
        self.sessions.append(known)
        # What has happened already happens to the model as if it were a run that died at once.
        self.drive_after_the_fact(known, died=result is Died, given=("run", x))

    def drive_after_the_fact(self, known: Known, *, died: bool, given: Given) -> None:
        """As `drive`, for a session that didn't exist before."""
        known.given.append(given)
        known.model.pending.append(given)
        row = self.do(self.store.session, known.id)
        after = deepcopy(known.model)
        after.drive(opened=False, doubt=False)
        self._allow(known, after, doubt=False)
        if not died:
            known.model = after
            return
        known.model.history = after.history[: row.head_superstep + 1]
        assert row.status == known.model.head.status
        known.model.status = row.status
        known.model.pending = self.do(self._given, known, row.taken_n)

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS)
    def run_again(self, number: int, which: int, fault: Fault | None) -> None:
        """The next run; while one is going on it is refused. One whose process died is asked for again, by its id."""
        known = self.pick(number)
        session = self.view(known, which)
        waiting = [int(str(value)) for kind, value in known.model.pending if kind == "run"]
        x = waiting[0] if waiting else self.runs + 1
        options = RunOptions(message_id=f"run {x}")
        if known.model.status in ("running", "waiting"):
            with pytest.raises(SessionBusy):
                self.do(lambda: session.arun({"x": x}, options=options))
            return None
        if known.model.status == "idle":
            return self.resume(number, which, fault)
        self.runs = max(self.runs, x)
        act = lambda: session.arun({"x": x}, options=options)  # noqa: E731
        self.drive(known, which, fault, act, None if waiting else ("run", x))
        if ("run", x) in known.given:
            known.messages.add(x)
        return None

    @precondition(lambda self: any(known.messages for known in self.sessions))
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS)
    def run_the_same_again(self, number: int, which: int, fault: Fault | None) -> None:
        """A message that was processed starts nothing, and its id is refused with another body."""
        asked = [known for known in self.sessions if known.messages]
        known = asked[number % len(asked)]
        if known.model.status not in ("done", "cancelled"):
            return
        x = max(known.messages)
        options = RunOptions(message_id=f"run {x}")
        session = self.view(known, which)
        self.drive(known, which, fault, lambda: session.arun({"x": x}, options=options))
        session = self.view(known, which)
        with pytest.raises(Conflict):
            self.do(lambda: session.arun({"x": -1}, options=options))

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS)
    def resume(self, number: int, which: int, fault: Fault | None) -> None:
        known = self.pick(number)
        self.drive(known, which, fault, self.view(known, which).aresume)

    @precondition(lambda self: self.sessions)
    @rule(
        number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS, wait=st.booleans(),
        choice=st.sampled_from(["red", "blue", "green"]),
    )  # fmt: skip
    def answer(self, number: int, which: int, fault: Fault | None, wait: bool, choice: str) -> None:
        known = self.pick(number)
        session = self.view(known, which)
        asked = [r for r in self.do(self.store.interrupts, known.id) if r.kind == "choose"]
        if not asked:
            return self.answer_again(number, which, choice)
        (row,) = asked
        if choice == "green":
            with pytest.raises(InputInvalid):
                self.do(lambda: session.aanswer(choice, interrupt=row.interrupt))
            return None
        act = lambda: session.aanswer(choice, interrupt=row.interrupt, wait=wait)  # noqa: E731
        self._say(known, which, fault, act, ("answer", choice), wait=wait)
        return None

    def _say(
        self, known: Known, which: int, fault: Fault | None, act: Callable[[], Awaitable[Any]], given: Given, *,
        wait: bool,
    ) -> None:  # fmt: skip
        """Give an input that is accepted before anything runs."""
        if wait:
            return self.drive(known, which, fault, act, given)
        result = self.met(which, self.careful(known, fault), act)
        there = self.do(self.store.session, known.id).input_n > len(known.given)
        assert there or result is Died
        if there:
            known.given.append(given)
            known.model.pending.append(given)
        return None

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), choice=st.sampled_from(["red", "blue"]))
    def answer_again(self, number: int, which: int, choice: str) -> None:
        """The same answer changes nothing, another is refused, and so is one to a question that is closed."""
        known = self.pick(number)
        session = self.view(known, which)
        for row in self.do(lambda: self.store.interrupts(known.id, status=None)):
            if row.kind != "choose" or row.status == "open":
                continue
            answer = lambda interrupt=row.interrupt: session.aanswer(choice, interrupt=interrupt, wait=False)  # noqa: E731
            if row.answer is None:
                with pytest.raises(InterruptExpired):
                    self.do(answer)
            elif decode(row.answer)["choice"] == choice:
                self.do(answer)
            else:
                with pytest.raises(InterruptAnswered):
                    self.do(answer)
            assert self.do(self.store.interrupt, row.interrupt) == row

    @precondition(lambda self: self.sessions)
    @rule(
        number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS,
        decision=st.sampled_from(["done", "retry"]),
    )  # fmt: skip
    def settle(self, number: int, which: int, fault: Fault | None, decision: str) -> None:
        """Answer a question about a write in doubt."""
        known = self.pick(number)
        session = self.view(known, which)
        asked = [r for r in self.do(self.store.interrupts, known.id) if r.kind == "in_doubt"]
        for row in asked[:1]:
            x = known.model.head.x
            value = {"decision": "done", "value": f"paid {x}"} if decision == "done" else "retry"
            self.allowed["pay", x] += decision == "retry"
            act = lambda row=row, value=value: session.aanswer(value, interrupt=row.interrupt, wait=False)  # noqa: E731
            self._say(known, which, fault, act, ("settle", decision), wait=False)

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS, wait=st.booleans(), n=st.integers(1, 3))
    def send(self, number: int, which: int, fault: Fault | None, wait: bool, n: int) -> None:
        known = self.pick(number)
        session = self.view(known, which)
        act = lambda: session.asend("go", {"n": n}, wait=wait)  # noqa: E731
        waits = any(kind == "run" for kind, _ in known.model.pending)
        if known.model.status in ("done", "cancelled", "idle") and not waits:
            with pytest.raises(Conflict):
                self.do(act)
        else:
            self._say(known, which, fault, act, ("event", n), wait=wait)

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS)
    def finish(self, number: int, which: int, fault: Fault | None) -> None:
        """All that a run needs to end."""
        self.answer(number, which, None, False, "red")
        self.send(number, which, None, False, 1)
        self.settle(number, which, None, "done")
        self.resume(number, which, fault)

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS)
    def cancel(self, number: int, which: int, fault: Fault | None) -> None:
        known = self.pick(number)
        session = self.view(known, which)
        if known.model.status in ("done", "cancelled"):
            self.do(session.acancel)
        else:
            self.drive(known, which, fault, session.acancel, ("cancel", None))

    @precondition(lambda self: self.sessions and len(self.sessions) < MOST_SESSIONS)
    @rule(
        number=st.integers(0, 9), which=st.integers(0, 1), fault=FAULTS, at=st.integers(0, 20), edited=st.booleans()
    )  # fmt: skip
    def fork(self, number: int, which: int, fault: Fault | None, at: int, edited: bool) -> None:
        known = self.pick(number)
        row, _, open_write, _ = self.do(self._facts, known)
        at %= len(known.model.history)
        session, edits = self.view(known, which), {"log": ["edited"]} if edited else None
        act = lambda: session.afork(at, set=edits)  # noqa: E731
        if open_write and at == row.head_superstep:
            with pytest.raises(ForkOpenWrite):
                self.do(act)
            return
        journal = self.do(self.store.effects, row.spans(at, at + 1)) if at == row.head_superstep else []
        before = {r.session for r in self.do(self.store.forks, known.id)}
        origin = self.do(self._dump, known)
        result = self.met(which, fault, act)
        assert self.do(self._dump, known) == origin, "a fork changed its origin"
        new = [r for r in self.do(self.store.forks, known.id) if r.session not in before]
        assert len(new) == 1 or (result is Died and not new)
        for fork in new:
            carries = not edited and any(r.path == "pay" and r.outcome is not None for r in journal)
            made = Known(fork.session, known.model.forked(at), at, carries)
            made.unarmed = result is Died and not self.do(self.store.interrupts, fork.session)
            made.given = self.do(self._given, made)
            made.model.pending = self.do(self._given, made, fork.taken_n)
            if edited and not made.model.pending:
                made.model.history.append(made.model.head.applied([("edit", "edited")]))
            self.sessions.append(made)

    async def _dump(self, known: Known) -> Any:
        row = await self.store.session(known.id)
        rows = await self.store.checkpoints(row.spans(), limit=1_000)
        return row, rows, await self.store.effects(row.spans()), await self.store.interrupts(known.id, status=None)

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1))
    def takeover(self, number: int, which: int) -> None:
        """One process holds the session, the other is refused; then the first is presumed dead, and is fenced."""
        known = self.pick(number)
        if self.careful(known, Fault("before", 1)) is None:
            return
        line = self.do(self._hold, which, known)
        held = known.model.head
        self.allowed["first", held.x] += "first" in held.due  # a read that it begins before it learns so
        with pytest.raises(SessionBusy):
            self.do(self.view(known, 1 - which).aresume)
        worker = self.do(self.projects[which].host)
        self.do(self.place.presume_dead, worker.worker)
        self.drive(known, 1 - which, None, self.view(known, 1 - which).aresume)
        dump = self.do(self._dump, known)
        for write in (line.pause, lambda: line.advance(Stop())):
            try:
                self.do(write)
            except Fenced:
                continue
            assert write is not line.pause or not held.due, "who has lost its session may write"
        assert self.do(self._dump, known) == dump
        self.do(self._restart, which)

    async def _hold(self, which: int, known: Known) -> Line:
        host: Host = await self.projects[which].host()
        return await host.open(known.id)

    @precondition(lambda self: self.sessions)
    @rule(number=st.integers(0, 9), which=st.integers(0, 1))
    def replay(self, number: int, which: int) -> None:
        known, called = self.pick(number), sum(CALLS.values())
        replayed = self.do(self.view(known, which).areplay)
        assert replayed.identical, replayed.first_difference
        assert len(replayed.report.supersteps) == len(known.model.history) - 1
        assert sum(CALLS.values()) == called, "a replay called something"

    # ---- what holds after every step

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        if self.sessions:
            self.do(self._check_all)
        for call, times in CALLS.items():
            assert times <= self.allowed[call], f"{call} was called {times} times, {self.allowed[call]} are allowed"

    async def _check_all(self) -> None:
        for known in self.sessions:
            await self._check(known)

    async def _check(self, known: Known) -> None:
        model, store = known.model, self.store
        host = await self.projects[0].host()
        row = await store.session(known.id)
        plan = await host.plan_of(row)
        assert (row.head_superstep, row.status) == (len(model.history) - 1, model.status), model.head
        snapshot = await load_snapshot(store, row, plan.graph, await checkpoint_at(store, row, row.head_superstep))
        names = [c.name for c in plan.graph.channels]
        values = dict(zip(names, snapshot.values, strict=True))
        assert (tuple(values["log"]), values["total"]) == (model.head.log, model.head.total)
        asked = [r.kind for r in await store.interrupts(known.id)]
        assert ("choose" in asked) == (model.asks and not known.unarmed)
        digests = [c.digest for c in await store.checkpoints(row.spans(0), limit=1_000)]
        assert digests[: len(known.digests)] == known.digests, "history was changed"
        assert len(digests) == row.head_superstep
        events = await read_events(store, row, plan.graph)
        assert [e.seq for e in events] == list(range(row.event_n))
        ids = [str(e.event_id) for e in events]
        assert ids[: len(known.events)] == known.events, "an event was changed"
        known.digests, known.events = digests, ids
        assert await self._given(known) == known.given
        taken = [i.taken_by for i in await store.inputs(known.id)]
        there = [n for n in taken if n is not None]
        assert there == sorted(there)
        assert taken == [*there, *[None] * (len(taken) - len(there))]

    def teardown(self) -> None:
        try:
            for number, known in enumerate(self.sessions):
                self.replay(number, 0)
                self._check_paid(known)
        finally:
            self.do(self._close)
            self.place.close()
            rmtree(self.folder)

    def _check_paid(self, known: Known) -> None:
        """Every write that a history shows was made."""
        for state in known.model.history:
            if any(entry == f"paid {state.x}" for entry in state.log) and state.x not in self.settled():
                assert CALLS["pay", state.x] >= 1

    def settled(self) -> Sequence[int]:
        """Runs of which somebody said that the write had happened."""
        return [s.x for k in self.sessions if ("settle", "done") in k.given for s in k.model.history]

    async def _close(self) -> None:
        for wire in self.wires:
            await wire.store.aclose()
