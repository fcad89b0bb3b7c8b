"""`graphagent sessions` and `graphagent sessions cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphagent.cli.flags import terminal_of
from graphagent.cli.resume import SESSION_HELP

if TYPE_CHECKING:
    from graphagent.session.documents.forms import SessionsDocument
    from graphagent.session.host import Host
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
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
) -> int:
    """List sessions."""
    from graphagent.cli.work import Work
    from graphagent.session.documents import sessions_document
    from graphagent.session.documents.forms import SessionsDocument
    from graphagent.snapshot import SessionQuery

    terminal = terminal_of(ctx)
    wanted = SessionQuery(text=query, status=status, graph=graph, tag=tag, limit=limit)

    async def listed(host: Host) -> SessionsDocument:
        return await sessions_document(host, wanted)

    with Work(terminal) as work:
        document = work.call(listed) if work.stored else SessionsDocument([], None)
    if terminal.flags.json:
        terminal.document(document.data())
    elif document.sessions:
        terminal.table(str(document))
    else:
        terminal.say("no sessions", "dim")
    return 0


def cancel(ctx: typer.Context, session: Annotated[str, typer.Argument(metavar="S", help=SESSION_HELP)]) -> int:
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
