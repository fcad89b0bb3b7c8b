"""`graphagent sessions`, and what is done to a session as a whole: cancel, rename, tag, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphagent.cli.arguments import SessionArgument, WatchOption
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.ids import SessionId
    from graphagent.session.documents.forms import SessionsDocument
    from graphagent.session.host import Host
    from graphagent.session.project import Project
    from graphagent.snapshot import SessionRow


def sessions(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="Text in the id, name or graph.")] = None,
    status: Annotated[
        Literal["idle", "running", "waiting", "done", "failed", "cancelled", "poisoned", "corrupt"] | None,
        typer.Option(help="Only sessions of this status."),
    ] = None,
    graph: Annotated[str | None, typer.Option(help="Only sessions of this graph.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only sessions with this tag.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="D", help="Only sessions that changed in the last 30m, 12h or 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    watch: WatchOption = False,
) -> int:
    """List sessions."""
    from dataclasses import replace

    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid
    from graphagent.graph.duration import parse_duration
    from graphagent.session.documents import sessions_document
    from graphagent.session.documents.forms import SessionsDocument
    from graphagent.snapshot import SessionQuery

    terminal = terminal_of(ctx)
    wanted = SessionQuery(text=query, status=status, graph=graph, tag=tag, limit=limit)
    age = None if since is None else parse_duration(since)
    if since is not None and age is None:
        raise InputInvalid("--since", f"{since!r} is no duration", hint="such as 12h or 30d")

    async def listed(host: Host, project: Project | None = None) -> SessionsDocument:
        since_us = None if age is None else host.clock.now_us() - age.ms * 1000
        return await sessions_document(host, replace(wanted, since_us=since_us))

    if watch:
        from graphagent.cli.redraw import watched

        return watched(terminal, listed, lambda found: str(found) if found.sessions else "no sessions")
    with Work(terminal) as work:
        document = work.call(listed) if work.stored else SessionsDocument([], None)
    if terminal.flags.json:
        terminal.document(document.data())
    elif document.sessions:
        terminal.table(str(document))
    else:
        terminal.say("no sessions", "dim")
    return 0


def cancel(ctx: typer.Context, session: SessionArgument) -> int:
    """Cancel the current run of a session."""
    from graphagent.cli.work import Work
    from graphagent.errors import Conflict
    from graphagent.session import operations

    terminal = terminal_of(ctx)

    async def stop(host: Host, row: SessionRow) -> dict[str, object]:
        from graphagent.session.documents import run_document

        if row.status in ("done", "cancelled", "idle"):
            raise Conflict(f"no run of {row.session} is going on: it is {row.status}")
        return (await run_document(host, await operations.cancel(host, row.session))).data()

    with Work(terminal) as work:
        document = work.call(stop, work.row(session))
    if terminal.flags.json:
        terminal.document(document)
    terminal.say(f"{terminal.symbol('cancelled')} cancelled   {document['session']}")
    return 0


def rename(
    ctx: typer.Context,
    session: SessionArgument,
    name: Annotated[str, typer.Argument(help='Its new name; "" takes the name away.')],
) -> int:
    """Give a session another name."""
    return label(ctx, session, lambda row: (name, None))


def tag(
    ctx: typer.Context,
    session: SessionArgument,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Take a tag away. May be repeated.")] = None,
) -> int:
    """Add tags to a session, or take some away."""
    added, removed = tags or [], remove or []

    def both(row: SessionRow) -> tuple[str | None, list[str] | None]:
        return None, [t for t in dict.fromkeys([*row.tags, *added]) if t not in removed]

    return label(ctx, session, both)


def label(ctx: typer.Context, session: str, wanted: Callable[[SessionRow], tuple[str | None, list[str] | None]]) -> int:
    """Set name or tags."""
    from graphagent.cli.work import Work
    from graphagent.session.documents.keeping import labels_document

    terminal = terminal_of(ctx)

    async def change(host: Host, row: SessionRow) -> SessionRow:
        await host.store.label(row.session, *wanted(row))
        return await host.store.session(row.session)

    with Work(terminal) as work:
        row = work.call(change, work.row(session))
    if terminal.flags.json:
        terminal.document(labels_document(row).data())
    tags = f"   tags: {', '.join(row.tags)}" if row.tags else ""
    terminal.say(f"{terminal.symbol('done')} {row.session}   {row.name or 'no name'}{tags}")
    return 0


def delete(
    ctx: typer.Context,
    sessions: Annotated[list[str], typer.Argument(metavar="S...", help="Sessions, each as for other commands.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> int:
    """Delete sessions with all that they called. One that others need, or that is running, is refused."""
    from graphagent.cli.db import sure
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.documents.keeping import deleted_document

    terminal = terminal_of(ctx)

    async def run(host: Host, rows: list[SessionRow]) -> list[SessionId]:
        return await operations.delete(host, [row.session for row in rows])

    with Work(terminal) as work:
        rows = [work.row(text) for text in sessions]
        names = ", ".join(f"{row.session} ({row.name or row.graph}, {row.status})" for row in rows)
        sure(terminal, f"Delete {names}?", yes=yes)
        document = deleted_document(work.call(run, rows))
    if terminal.flags.json:
        terminal.document(document.data())
    for session in document.sessions:
        terminal.say(f"{terminal.symbol('done')} deleted   {session}")
    return 0
