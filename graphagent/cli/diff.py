"""`graphagent diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of
from graphagent.cli.show import TARGET_HELP

if TYPE_CHECKING:
    from graphagent.session.documents.diff_forms import DiffDocument
    from graphagent.session.host import Host
    from graphagent.snapshot import SessionRow


def diff(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A[@N]", help=TARGET_HELP)],
    b: Annotated[str, typer.Argument(metavar="B[@N]", help="The same; what it has more is marked with +.")],
    channel: Annotated[
        list[str] | None, typer.Option(metavar="C", help="Compare only this channel. May be repeated.")
    ] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only how much differs.")] = False,
    graph: Annotated[bool, typer.Option("--graph", help="How their graphs differ, instead of what they did.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 5 if there is a difference, of the graphs with --graph.")
    ] = False,
) -> int:
    """Compare two sessions, or two snapshots, from their first difference on."""
    from graphagent.cli.diffs import paint_diff
    from graphagent.cli.show import snapshot_of
    from graphagent.cli.targets import split_target
    from graphagent.cli.work import Work
    from graphagent.session.diff_text import diff_text
    from graphagent.session.documents import diff_document

    terminal = terminal_of(ctx)

    async def read(host: Host) -> DiffDocument:
        sides: list[tuple[SessionRow, int]] = []
        for target in (a, b):
            name, at = split_target(target)
            row = await work.project.resolve(name)
            sides.append((row, await snapshot_of(host, row, at)))
        return await diff_document(host, sides[0], sides[1], channels=channel or ())

    with Work(terminal) as work:
        document = work.call(read)
    if terminal.flags.json:
        terminal.document(document.data())
    elif graph:
        paint_diff(terminal, document.graph_patch or "one and the same graph")
    else:
        paint_diff(terminal, terminal.plain(diff_text(document, stat=stat), terminal.out))
    differs = document.graph_patch is not None if graph else not document.same
    return Exit.DIVERGED if exit_code and differs else Exit.OK
