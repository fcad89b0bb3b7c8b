"""`graphagent prompts show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.flags import terminal_of
from graphagent.cli.targets import looks_like_session

if TYPE_CHECKING:
    from graphagent.graph.plan import Plan
    from graphagent.session.host import Host


def show(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="GRAPH|S", help="The file of a graph, a ready-made one, or a session.")
    ],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One prompt; by default all.")] = None,
) -> int:
    """Show the named prompts of a graph or of a session, and what replaces them."""
    from graphagent.cli.targets import project_folder
    from graphagent.cli.work import Work
    from graphagent.session.documents.prompts import prompts_document
    from graphagent.session.graph_file import read_graph_file

    terminal = terminal_of(ctx)
    if looks_like_session(target):
        with Work(terminal) as work:
            row = work.row(target)

            async def plan_of(host: Host) -> Plan:
                return await host.plan_of(row)

            document = prompts_document(work.call(plan_of), name=name)
    else:
        file = read_graph_file(target, project_folder(terminal))
        document = prompts_document(file.compiled(), file.analysis, name)
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.result(str(document))
    return 0
