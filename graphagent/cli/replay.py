"""`graphagent replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphagent.cli.arguments import SessionArgument
from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.documents.forms import ReplayDocument
    from graphagent.session.host import Host


def replay(
    ctx: typer.Context,
    session: SessionArgument,
    mode: Annotated[
        Literal["verify", "view"],
        typer.Option(help="verify runs the nodes again through the journal; view only shows the record."),
    ] = "verify",
    start: Annotated[int, typer.Option("--from", metavar="N", min=0, help="The first superstep.")] = 0,
    stop: Annotated[int | None, typer.Option("--to", metavar="N", min=0, help="Stop before this superstep.")] = None,
    graph: Annotated[
        str | None, typer.Option(metavar="FILE", help="Replay with this graph: does today's text still fit?")
    ] = None,
) -> int:
    """Replay a session from its journal and compare; nothing is called."""
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.documents import replay_document
    from graphagent.session.graph_file import read_graph_file

    terminal = terminal_of(ctx)

    async def run(host: Host) -> ReplayDocument:
        row = await work.project.resolve(session)
        report = await operations.replay(host, row.session, mode=mode, start_at=start, stop_at=stop, plan=plan)
        return replay_document(report)

    with Work(terminal) as work:
        plan = None if graph is None else read_graph_file(graph, work.project.root).compiled()
        document = work.call(run)
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.table(str(document))
    return Exit.OK if document.identical else Exit.DIVERGED
