"""Sessions and results as Python sees them: frozen views; every operation is one coroutine with a blocking spelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graphagent import concurrency
from graphagent.errors import RunCancelled, RunFailed, RunLimited, RunWaiting
from graphagent.ids import RunId, SessionId
from graphagent.session import operations, sending
from graphagent.session.discarding import Discard
from graphagent.session.forking import Options as ForkOptions
from graphagent.session.operations import DEFAULTS, Options
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.graph.plan import Plan
    from graphagent.session.graph import Graph
    from graphagent.session.project import Project
    from graphagent.session.stream import Stream


class Result:
    """How a run, or a segment of one, ended. `document` is the `run` document as plain data."""

    def __init__(self, session: Session, document: dict[str, Any]) -> None:
        self.session, self.document = session, document

    @property
    def run(self) -> RunId:
        """The id of the run."""
        return RunId(self.document["run"])

    @property
    def status(self) -> str:
        """`done waiting failed cancelled`."""
        return str(self.document["status"])

    @property
    def usage(self) -> dict[str, Any]:
        """What the run has used, children included."""
        return dict(self.document["usage"])

    @property
    def error(self) -> dict[str, Any] | None:
        """The error with which it ended."""
        error: dict[str, Any] | None = self.document["error"]
        return error

    @property
    def interrupts(self) -> list[dict[str, Any]]:
        """What waits for an answer, children included."""
        return list(self.document["interrupts"])

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of a run that is done.

        Raises:
            RunFailed, RunWaiting, RunLimited, RunCancelled: it isn't.
        """
        if self.status == "done":
            return dict(self.document["outputs"])
        kind = {"waiting": RunWaiting, "running": RunWaiting, "cancelled": RunCancelled}.get(self.status, RunFailed)
        if self.document["reason"] == "limit":
            kind = RunLimited
        message = (self.error or {}).get("message") or f"the run is {self.status}"
        hint = next(iter(self.document["next"]), None)
        raise kind(f"{message}", self, hint=hint)

    def __repr__(self) -> str:
        return f"<Result {self.status} {self.session.id} outputs={self.document['outputs']!r}>"


class Session:
    """A frozen view of a session; `await session.arefresh()` gives a newer one."""

    def __init__(self, project: Project, row: SessionRow) -> None:
        self.project, self.row = project, row

    @property
    def id(self) -> SessionId:
        return self.row.session

    @property
    def status(self) -> str:
        return self.row.status

    @property
    def reason(self) -> str | None:
        return self.row.reason

    @property
    def origin(self) -> SessionId | None:
        """The session that this one was forked from."""
        return self.row.origin

    @property
    def head(self) -> int:
        """The number of the newest snapshot."""
        return self.row.head_superstep

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.row.graph} {self.status} head={self.head}>"

    @classmethod
    async def find(cls, project: Project, text: str) -> Session:
        """The session that people name so. Awaited from trio."""
        return cls(project, await project.resolve(text))

    async def arefresh(self) -> Session:
        """The session as it is now."""
        return await concurrency.in_trio(Session.find, self.project, self.id)

    refresh = concurrency.blocking(arefresh)

    async def arun(
        self, inputs: Mapping[str, Any] | None = None, /, *, options: Options = DEFAULTS, **named: Any
    ) -> Result:
        """The next run in this session."""
        return await concurrency.in_trio(self._run, {**(inputs or {}), **named}, options)

    run = concurrency.blocking(arun)

    async def _run(self, inputs: Mapping[str, Any], options: Options) -> Result:
        host = await self.project.host()
        return await result_of(self.project, await operations.run_again(host, self.id, inputs, options))

    def stream(
        self, inputs: Mapping[str, Any] | None = None, /, *, options: Options = DEFAULTS, **named: Any
    ) -> Stream:
        """The next run in this session as a stream of events."""
        from graphagent.session.stream import Stream

        given = {**(inputs or {}), **named}

        async def produce(observer: Any, chosen: Options) -> Result:
            host = await self.project.host()
            outcome = await operations.run_again(host, self.id, given, chosen, observer)
            return await result_of(self.project, outcome)

        return Stream(produce, options)

    async def aresume(
        self, *, retry: str | None = None, force: bool = False, discard: Discard | None = None,
        options: Options = DEFAULTS,
    ) -> Result:  # fmt: skip
        """Run on from the head; by force also if the session's process died too often.

        `discard` names a task whose calls don't fit its code any more: it begins a new attempt.
        """
        return await concurrency.in_trio(self._resume, retry, force, discard, options)

    resume = concurrency.blocking(aresume)

    async def _resume(self, retry: str | None, force: bool, discard: Discard | None, options: Options) -> Result:
        host = await self.project.host()
        outcome = await operations.resume(host, self.id, options, retry=retry, force=force, discard=discard)
        return await result_of(self.project, outcome)

    async def aanswer(
        self, value: Any, /, *, interrupt: str | None = None, by: str | None = None, note: str | None = None,
        wait: bool = True,
    ) -> Result:  # fmt: skip
        """Answer a question of this session or of one that it called, in short or canonical form, and run on."""
        return await concurrency.in_trio(self._answer, value, interrupt, by, note, wait)

    answer = concurrency.blocking(aanswer)

    async def _answer(self, value: Any, interrupt: str | None, by: str | None, note: str | None, wait: bool) -> Result:
        host = await self.project.host()
        row = await operations.find_interrupt(host, interrupt or self.id)
        await operations.answer(host, row, value, by=by, note=note)
        if wait:
            return await result_of(self.project, await operations.drive(host, await host.root_of(self.id)))
        return await result_of(self.project, await operations.standing(host, self.id))

    async def asend(self, event: str, data: Any = None, /, *, by: str | None = None, wait: bool = True) -> Result:
        """Post an event for the `wait` nodes of this session, durably, and run on."""
        return await concurrency.in_trio(self._send, event, data, by, wait)

    send = concurrency.blocking(asend)

    async def _send(self, event: str, data: Any, by: str | None, wait: bool) -> Result:
        host = await self.project.host()
        await sending.send(host, self.id, event, data, by=by)
        if wait:
            return await result_of(self.project, await operations.drive(host, await host.root_of(self.id)))
        return await result_of(self.project, await operations.standing(host, self.id))

    async def ahistory(
        self, *, values: bool = False, since: int = 0, limit: int = 100, own: bool = False, events: bool = False
    ) -> Any:
        """The supersteps of this session: the `history` document."""
        return await concurrency.in_trio(self._history, values, since, limit, own, events)

    history = concurrency.blocking(ahistory)

    async def _history(self, values: bool, since: int, limit: int, own: bool, events: bool) -> Any:
        from graphagent.session.documents import history_document

        host = await self.project.host()
        row = await host.store.session(self.id)
        return await history_document(host, row, values=values, since=since, limit=limit, own=own, events=events)

    async def aat(self, snapshot: int | str) -> Any:
        """The state at a snapshot (`last`, or counted from the end where negative): the `show` document."""
        return await concurrency.in_trio(self._at, snapshot)

    at = concurrency.blocking(aat)

    async def _at(self, snapshot: int | str) -> Any:
        from graphagent.session.documents import show_document

        host = await self.project.host()
        row = await host.store.session(self.id)
        return await show_document(host, row, await operations.snapshot_number(host, row, snapshot))

    async def adiff(
        self, other: Session, *, at: int | str = "last", other_at: int | str = "last", channels: Sequence[str] = ()
    ) -> Any:
        """What this session (at snapshot `at`) and another one have apart: the `diff` document. Prints as a text."""
        return await concurrency.in_trio(self._diff, other, at, other_at, channels)

    diff = concurrency.blocking(adiff)

    async def _diff(self, other: Session, at: int | str, other_at: int | str, channels: Sequence[str]) -> Any:
        from graphagent.session.documents import diff_document

        host = await self.project.host()
        sides = []
        for session, number in ((self.id, at), (other.id, other_at)):
            row = await host.store.session(session)
            sides.append((row, await operations.snapshot_number(host, row, number)))
        return await diff_document(host, sides[0], sides[1], channels=channels)

    async def afork(
        self, at: int | str, *, set: Mapping[str, Any] | None = None, graph: Graph | None = None,
        as_node: str | None = None, before: str | None = None, fresh: bool = False, alone: bool = False,
        name: str | None = None, same_seed: bool = False,
    ) -> Session:  # fmt: skip
        """A new session whose head is that snapshot, with these channels set. It is paused: `resume` runs it.

        Where the origin's superstep hasn't closed, the calls already made in it aren't made again; `fresh` makes them.
        `as_node` names a node that counts as having ended with what is set: its routes are taken, and it doesn't run.
        `before` names a call (`write:0`) of the superstep that reads the snapshot: the fork goes on right before it. A
        child session's callers are forked with it, unless `alone`; `root().resume()` runs them all.
        """
        plan = graph.compile() if graph is not None else None
        chosen = ForkOptions(set, plan, name, same_seed, fresh, alone, before, as_node)
        return await concurrency.in_trio(self._fork, at, chosen)

    fork = concurrency.blocking(afork)

    async def _fork(self, at: int | str, chosen: ForkOptions) -> Session:
        host = await self.project.host()
        row = await host.store.session(self.id)
        number = await operations.snapshot_number(host, row, at)
        made = await operations.fork(host, self.id, number, chosen)
        return Session(self.project, made.row)

    async def aroot(self) -> Session:
        """The session at the top of the calls that led to this one; this one itself if no other called it."""
        return await concurrency.in_trio(self._root)

    root = concurrency.blocking(aroot)

    async def _root(self) -> Session:
        host = await self.project.host()
        return Session(self.project, await host.store.session(await host.root_of(self.id)))

    async def amigrate(
        self, graph: Graph, *, upcasters: Sequence[Callable[[Any], Any]] = (), by: str | None = None
    ) -> Session:
        """Bind the session to a newer version of its graph, from its newest snapshot on. Nothing runs yet.

        Raises:
            Conflict: the graph has no place for something that the session holds; nothing was written.
            SchemaMismatch: a channel has another type, and nothing in `upcasters` or in the modules of the settings
                says how to make one of the other.
        """
        return await concurrency.in_trio(self._migrate, graph.compile(), upcasters, by)

    migrate = concurrency.blocking(amigrate)

    async def _migrate(self, plan: Plan, upcasters: Sequence[Callable[[Any], Any]], by: str | None) -> Session:
        from graphagent.session import migrating

        host = await self.project.host()
        await migrating.migrate(host, self.id, plan, upcasters=upcasters, by=by)
        return Session(self.project, await host.store.session(self.id))

    async def areplay(
        self, *, mode: Literal["verify", "view"] = "verify", start: int = 0, stop: int | None = None,
        graph: Graph | None = None,
    ) -> Replay:  # fmt: skip
        """Replay from the journal: zero external calls."""
        return await concurrency.in_trio(self._replay, mode, start, stop, graph)

    replay = concurrency.blocking(areplay)

    async def _replay(
        self, mode: Literal["verify", "view"], start: int, stop: int | None, graph: Graph | None
    ) -> Replay:
        host = await self.project.host()
        plan = graph.compile() if graph is not None else None
        return Replay(await operations.replay(host, self.id, mode=mode, start_at=start, stop_at=stop, plan=plan))

    async def aexport(self, path: str | Path, *, artifacts: bool = True, redact: Sequence[str] = ()) -> Path:
        """Write this session, with all that it called, to a file: `.gasession`, or its events as `.jsonl`.

        Args:
            artifacts: False leaves the bytes of artifacts out.
            redact: What is taken out, wherever it stands: `secrets`, `channel:NAME`, `key:PATTERN`, `text:REGEX`. A
                file from which something was taken can't be imported.

        Raises:
            InputInvalid: the name has another ending, or a rule isn't any of these.
            Conflict: it can't be written, or the session is being written too quickly to be read.
            StoreCorrupt: the bytes of an artifact are missing or damaged.
        """
        return await concurrency.in_trio(self._export, Path(path), artifacts, tuple(redact))

    export = concurrency.blocking(aexport)

    async def _export(self, path: Path, artifacts: bool, redact: Sequence[str]) -> Path:
        from graphagent.session.exporting import export_to
        from graphagent.session.redaction import read_rules

        rules = read_rules(redact)
        await export_to(await self.project.host(), self.row, path, artifacts=artifacts, redact=rules)
        return path

    async def adelete(self) -> None:
        """Delete this session, with all that it called.

        Raises:
            SessionBusy: a living process owns one of them.
            Conflict: a fork shares its history, or another session called it.
        """
        await concurrency.in_trio(self._delete)

    delete = concurrency.blocking(adelete)

    async def _delete(self) -> None:
        await operations.delete(await self.project.host(), [self.id])

    async def acancel(self, reason: str | None = None) -> None:
        """Cancel the current run and close its questions."""
        await concurrency.in_trio(self._cancel, reason)

    cancel = concurrency.blocking(acancel)

    async def _cancel(self, reason: str | None) -> None:
        await operations.cancel(await self.project.host(), self.id, reason)


class Replay:
    """What a replay found; `report` has the digest table."""

    def __init__(self, report: Any) -> None:
        self.report = report

    @property
    def identical(self) -> bool:
        return bool(self.report.identical)

    @property
    def first_difference(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.report.first_difference
        return found

    def check(self) -> None:
        """Raise ReplayDivergence if there is a difference."""
        operations.raise_difference(self.report)


async def result_of(project: Project, outcome: operations.Outcome) -> Result:
    """The result of an outcome. Awaited from trio."""
    from graphagent.session.documents import run_document

    host = await project.host()
    document = await run_document(host, outcome)
    return Result(Session(project, outcome.row), document.data())
