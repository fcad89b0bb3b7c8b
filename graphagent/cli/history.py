"""`graphagent history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.arguments import SessionArgument
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.documents.forms import HistoryDocument
    from graphagent.session.host import Host


def history(
    ctx: typer.Context,
    session: SessionArgument,
    values: Annotated[bool, typer.Option("--values", help="Also what the channels were and became.")] = False,
    since: Annotated[int, typer.Option(metavar="N", min=0, help="From this superstep on.")] = 0,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="At most so many supersteps.")] = 100,
    own: Annotated[bool, typer.Option("--own", help="Leave out what a fork inherited.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Also the events of each superstep.")] = False,
) -> int:
    """List the supersteps of a session."""
    from graphagent.cli.work import Work
    from graphagent.session.documents import history_document

    terminal = terminal_of(ctx)

    async def read(host: Host) -> HistoryDocument:
        row = await work.project.resolve(session)
        return await history_document(host, row, values=values, since=since, limit=limit, own=own, events=events)

    with Work(terminal) as work:
        document = work.call(read)
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.table(str(document))
    if document.next is not None:
        terminal.say(f"there are more: --since {document.next}", "dim")
    return 0
