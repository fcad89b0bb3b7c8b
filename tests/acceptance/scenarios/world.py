"""A small world for scenarios: a project folder with a module `fns`, a store, a host that can crash and come back.

Every scenario runs on all stores, undisturbed and with a crash after each barrier. When it has ended, every session
in the store that isn't in the middle of a superstep is replayed and must be identical.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.artifacts.local import LocalArtifacts
from graphagent.artifacts.memory import MemoryArtifacts
from graphagent.codec import decode
from graphagent.events import Event
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import positions_of, validate_text
from graphagent.ids import SessionId
from graphagent.ports import Artifacts, Model, Store
from graphagent.session import operations as ops
from graphagent.session.host import Host
from graphagent.session.loading import load_snapshot
from graphagent.session.new import NewSession
from graphagent.session.observer import Observer
from graphagent.session.operations import Fork, Options, Outcome
from graphagent.session.reading import checkpoint_at, read_events
from graphagent.session.services import Models
from graphagent.session.settings import Settings
from graphagent.snapshot import UNSET, Commit, InterruptRow, Mode, NewInput, SessionQuery, SessionRow
from graphagent.stores.memory import MemoryStore
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.postgres_url import SCHEMES
from graphagent.stores.sqlite import SqliteStore

HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: scenario }\n"
PRELUDE = """
import asyncio, time
import trio
from graphagent.errors import NodeError
from graphagent.marks import trio_node

CALLS = []

def note(*what):
    CALLS.append(what[0] if len(what) == 1 else what)
    return CALLS.count(CALLS[-1])

"""
ALL = SessionQuery(children=True, limit=10_000)
SEED = Options(seed=1)


class Crash(BaseException):
    """The process of this host died. Not an Exception: nothing in a process outlives its death."""


class MovingClock:
    """The machine's clock, and what was skipped."""

    def __init__(self) -> None:
        self.skipped = 0

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self.skipped


class Wire:
    """A host's way to its store. Cut, nothing passes any more; armed, it is cut after each checkpoint."""

    def __init__(self, store: Store, *, armed: bool) -> None:
        self.store, self.armed, self.cut = store, armed, False
        self.faults: list[Exception] = []
        """Errors of the next commits: one before each is stored."""
        self.forget: Callable[[], object] = lambda: None
        """Called around each commit."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name == "name":
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.cut:
                raise Crash
            return await method(*args, **kwargs)

        return call

    async def commit(self, *commits: Commit) -> None:
        if self.cut:
            raise Crash
        if self.faults:
            raise self.faults.pop(0)
        self.forget()
        await self.store.commit(*commits)
        self.forget()
        if self.armed and any(commit.checkpoint is not None for commit in commits):
            self.cut = True
            raise Crash

    async def release(self, session: SessionId, epoch: int) -> None:
        if not self.cut:
            await self.store.release(session, epoch)

    async def aclose(self) -> None:
        pass


class World:
    """One project, one store, and the host that is alive now."""

    host: Host
    wire: Wire
    store: Any

    def __init__(
        self, folder: Path, store: str | None = None, *, crashing: bool = False, mode: Mode = "strict",
        forgetful: bool = False,
    ) -> None:  # fmt: skip
        """`store` is the URL of an empty store in Postgres, or the name of a file in the folder; None is memory. In a
        forgetful world all hot tables are emptied at every commit."""
        self.project, self.place = folder / "project", store
        self.project.mkdir(parents=True)
        self.crashing, self.mode, self.forgetful = crashing, mode, forgetful
        self.clock = MovingClock()
        self.seen: list[Event] = []
        self.created: list[SessionId] = []
        self.observer = Observer(self.seen.append)
        self.settings = Settings(self.project, "memory:")
        self.artifacts: Artifacts = (
            MemoryArtifacts(clock=self.clock) if store is None else LocalArtifacts(folder / "artifacts")
        )
        self.models: dict[str, Model] = {}
        """Models by name, for every host that comes."""

    async def begin(self) -> None:
        self.store = await self.open_store()
        self.boot()

    async def open_store(self) -> Store:
        if self.place is None:
            return MemoryStore(clock=self.clock)
        if self.place.startswith(SCHEMES):
            return await PostgresStore.open(self.place, clock=self.clock)
        # What a power cut or a slow disk does is tested beside the store.
        file = self.project.parent / self.place
        return await SqliteStore.open(file, clock=self.clock, synchronous="normal", on_loop_s=math.inf)

    def boot(self) -> None:
        """A new process."""
        self.wire = Wire(self.store, armed=self.crashing)
        self.host = Host(self.settings, self.wire, self.clock, Models(self.settings, self.models), self.artifacts)
        if self.forgetful:
            self.wire.forget = self.host.tables.clear

    async def crash(self) -> None:
        """The process dies, and another one starts."""
        self.wire.cut = True
        if isinstance(self.store, MemoryStore):
            self.store.worker_died(self.host.worker)
        else:
            await self.store.aclose()
            self.store = await self.open_store()
        self.boot()

    async def end(self) -> list[list[bytes]]:
        """Replay everything; the digests of the sessions that were created, in order."""
        await self.verify_all()
        return [await self.digests(session) for session in self.created]

    # ---- graphs and functions

    def functions(self, text: str) -> None:
        """Write the module `fns`; `note(...)` in it counts calls."""
        file = self.project / "fns.py"
        file.write_text(PRELUDE + textwrap.dedent(text))
        Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)  # it tells seconds apart, no more
        sys.modules.pop("fns", None)

    def calls(self, *what: Any) -> int:
        """How often a function noted this."""
        return self.noted().count(what[0] if len(what) == 1 else what)

    def noted(self) -> list[Any]:
        module = sys.modules.get("fns")
        noted: list[Any] = getattr(module, "CALLS", [])
        return noted if getattr(module, "__file__", None) == str(self.project.resolve() / "fns.py") else []

    def function(self, name: str) -> Any:
        """What the module calls `name`."""
        return getattr(sys.modules["fns"], name)

    async def plan_module(self, session: SessionId) -> Any:
        """`note` of the module as this session's nodes see it, imported if it isn't yet."""
        plan = await self.host.plan_of(await self.row(session))
        return self.host.services_of(plan).function("fns:note")

    def forget(self) -> None:
        """Count from nothing again, lists of the module included."""
        for value in vars(sys.modules.get("fns", self)).values():
            if self.noted() is not None and isinstance(value, list) and value is not self.seen:
                value.clear()

    def plan(self, graph: str) -> Plan:
        """Compile a graph that has no errors."""
        files = ProjectFolder(self.project)
        spec, found, document = validate_text(HEAD + textwrap.dedent(graph), "scenario.graph.yaml", files)
        assert spec is not None, "\n".join(f"{d.code} {d.span.line}: {d.message}" for d in found)
        return compile_spec(spec, files.template, positions_of(spec, document))

    def findings(self, graph: str) -> list[tuple[str, int]]:
        """Code and line of what the compiler finds, the first line of the text being 1."""
        text = textwrap.dedent(graph)
        _, found, _ = validate_text(HEAD + text, "scenario.graph.yaml", ProjectFolder(self.project))
        return [(d.code, d.span.line - HEAD.count("\n")) for d in found]

    # ---- running

    async def create(
        self, graph: str | Plan, inputs: Mapping[str, Any] | None = None, options: Options = SEED
    ) -> SessionId:
        plan = self.plan(graph) if isinstance(graph, str) else graph
        new = ops.run_input(plan, inputs or {}, options)
        session = await self.host.create(
            NewSession(plan, ops.seed_of(options), options.name, options.tags, mode=self.mode), [new]
        )
        self.created.append(session)
        return session

    async def start(
        self, graph: str | Plan, inputs: Mapping[str, Any] | None = None, options: Options = SEED
    ) -> Outcome:
        """Create a session and run it until it ends or waits."""
        return await self.drive(await self.create(graph, inputs, options), options)

    async def drive(self, session: SessionId, options: Options = SEED) -> Outcome:
        return await self.surviving(session, lambda: ops.drive(self.host, session, options, self.observer), options)

    async def resume(self, session: SessionId, options: Options = SEED, *, retry: str | None = None) -> Outcome:
        return await self.surviving(
            session, lambda: ops.resume(self.host, session, options, self.observer, retry=retry), options
        )

    async def run_again(self, session: SessionId, inputs: Mapping[str, Any]) -> Outcome:
        return await self.surviving(session, lambda: ops.run_again(self.host, session, inputs), SEED)

    async def surviving(self, session: SessionId, act: Callable[[], Awaitable[Outcome]], options: Options) -> Outcome:
        """Do it, and go on after every crash until nothing is left to do."""
        while True:
            try:
                return await act()
            except (Crash, BaseExceptionGroup) as error:
                if isinstance(error, BaseExceptionGroup) and error.split(Crash)[1] is not None:
                    raise
                await self.crash()
            row = await self.store.session(session)
            if row.status not in ("running", "idle") and row.reason != "paused" and row.input_n == row.taken_n:
                return await self.standing(session)

            async def go_on() -> Outcome:
                return await ops.drive(self.host, session, options, self.observer)

            act = go_on

    async def standing(self, session: SessionId) -> Outcome:
        outcome = await ops.standing(self.host, session)
        if outcome.row.status != "done":
            return outcome
        driven: Outcome = await self.calmly(lambda: ops.drive(self.host, session))
        return driven

    async def calmly(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do it without a crash at a barrier."""
        armed, self.wire.armed = self.wire.armed, False
        try:
            return await act()
        finally:
            self.wire.armed = armed

    async def answer(self, interrupt: InterruptRow, value: Any, by: str | None = None) -> InterruptRow:
        return await ops.answer(self.host, interrupt, value, by=by)

    async def fork(self, session: SessionId, at: int, edits: Mapping[str, Any] | None = None, **more: Any) -> Fork:
        made: Fork = await self.calmly(lambda: ops.fork(self.host, session, at, edits=edits, **more))
        return made

    async def cancel(self, session: SessionId) -> Outcome:
        outcome: Outcome = await self.calmly(lambda: ops.cancel(self.host, session, "enough", "me"))
        return outcome

    async def accept(self, session: SessionId, new: NewInput) -> None:
        await self.store.accept(session, new)

    # ---- looking

    async def open(self, session: SessionId) -> list[InterruptRow]:
        """All open questions below a session, oldest first."""
        return await ops.open_interrupts(self.host, session)

    async def asked(self, session: SessionId) -> dict[str, InterruptRow]:
        """The open questions by prompt."""
        rows = await self.open(session)
        return {decode(row.question)["prompt"]: row for row in rows}

    async def row(self, session: SessionId) -> SessionRow:
        row: SessionRow = await self.store.session(session)
        return row

    async def values(self, session: SessionId, at: int | None = None) -> dict[str, Any]:
        """Channel values of a snapshot, by default the head, read from the store."""
        row = await self.row(session)
        plan = await self.host.plan_of(row)
        store = self.host.store
        checkpoint = await checkpoint_at(store, row, row.head_superstep if at is None else at)
        snapshot = await load_snapshot(store, row, plan.graph, checkpoint)
        named = zip(plan.graph.channels, snapshot.values, strict=True)
        return {channel.name: value for channel, value in named if value is not UNSET}

    async def digests(self, session: SessionId) -> list[bytes]:
        """The digest of every superstep from the first on."""
        row = await self.row(session)
        return [c.digest for c in await self.store.checkpoints(row.spans(0), limit=1_000_000)]

    async def events(self, session: SessionId) -> list[Event]:
        row = await self.row(session)
        plan = await self.host.plan_of(row)
        return await read_events(self.host.store, row, plan.graph)

    async def kinds(self, session: SessionId, kind: str) -> list[Mapping[str, Any]]:
        """The data of all events of a kind."""
        return [event.data for event in await self.events(session) if event.kind == kind]

    async def ran(self, session: SessionId) -> list[list[str]]:
        """The nodes that finished in each superstep."""
        by: dict[int, list[str]] = {}
        for event in await self.events(session):
            if event.kind == "x.task.finished" and event.superstep is not None and event.node is not None:
                by.setdefault(event.superstep, []).append(event.node)
        return [by[k] for k in sorted(by)]

    async def sessions(self) -> list[SessionRow]:
        return [entry.row for entry in await self.store.sessions(ALL)]

    async def children(self, session: SessionId) -> list[SessionRow]:
        rows: list[SessionRow] = await self.store.children(session)
        return rows

    # ---- what holds in every scenario

    async def verify_all(self) -> None:
        """Every session replays to the same digests, and its events are dense."""
        self.wire.armed = False
        called = len(self.noted())
        for row in await self.sessions():
            report = await ops.replay(self.host, row.session)
            assert report.identical, (row.graph, report.first_difference)
            assert len(report.supersteps) == row.head_superstep
            assert all(step.identical for step in report.supersteps)
            numbers = [event.seq for event in await self.events(row.session)]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) == row.event_n
        if not self.replays_call:
            assert len(self.noted()) == called, f"a replay called {self.noted()[called:]}"

    def once(self, *what: Any) -> bool:
        """Called once; where processes die, a read may be repeated that wasn't durable yet."""
        return self.calls(*what) == 1 or (self.crashing and self.calls(*what) > 1)

    replays_call = False
    """Set by scenarios whose functions are pure or take a context, so that a replay runs them again."""


Scenario = Callable[[World], Awaitable[None]]


def scenario(case: Scenario) -> Callable[..., None]:
    """A test that runs the scenario on all stores, undisturbed and with a crash after every barrier, and with commits
    that become durable behind the run: no digest may tell which it was."""
    return _test(case, loses=True)


def scenario_of_calls(case: Scenario) -> Callable[..., None]:
    """The same for a scenario that counts what is called, so that it would notice supersteps that run again because a
    crash took them from a queue of commits."""
    return _test(case, loses=False)


VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "memory": {"crashing": {"crashing": True}, "lost": {"crashing": True, "mode": "pipelined"}},
    "sqlite": {"crashing": {"crashing": True}, "behind": {"mode": "pipelined"}},
    "postgres": {},
    "postgres at length": {
        "crashing": {"crashing": True}, "behind": {"mode": "pipelined"},
        "lost": {"crashing": True, "mode": "pipelined"},
    },
}  # fmt: skip
"""How a scenario runs besides undisturbed. A crash on Postgres takes long, since the next process connects anew."""
KINDS = [pytest.param(kind, marks=pytest.mark.long) if "length" in kind else kind for kind in VARIANTS]


def _test(case: Scenario, *, loses: bool) -> Callable[..., None]:
    @pytest.mark.parametrize("kind", KINDS)
    def test(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        def digests(name: str, store: str | None, **more: Any) -> list[list[bytes]]:
            return concurrency.run_sync(play, case, World(tmp_path / name, store, **more))

        def place(name: str) -> str | None:
            if kind.startswith("postgres"):
                url: str = request.getfixturevalue("postgres_store")()
                return url
            return f"{name}.db" if kind == "sqlite" else None

        calm = digests("calm", place("calm"))
        if kind == "postgres":
            assert digests("memory", None) == calm, "the store changed a digest"
        for name, more in VARIANTS[kind].items():
            if loses or name != "lost":
                assert digests(name, place(name), **more) == calm, f"{name}: another digest than undisturbed"

    test.case = case  # type: ignore[attr-defined]
    test.__name__, test.__doc__, test.__module__ = getattr(case, "__name__", ""), case.__doc__, case.__module__
    return test


async def play(case: Scenario, world: World) -> list[list[bytes]]:
    """Run a scenario, and check what holds in all of them."""
    await world.begin()
    try:
        await case(world)
        return await world.end()
    except BaseException as error:
        error.add_note(f"crashing: {world.crashing}, mode: {world.mode}")
        raise
    finally:
        await world.store.aclose()


def seeded(seed: int, **more: Any) -> Options:
    """Options with a seed."""
    return replace(Options(**more), seed=seed)
