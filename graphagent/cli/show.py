"""`graphagent show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.documents.forms import ChannelDocument, ShowDocument
    from graphagent.session.host import Host
    from graphagent.snapshot import SessionRow

TARGET_HELP = "A session, with @N at snapshot N: ses_..., @last, @last@4, @last@-1."


def show(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="S[@N]", help=TARGET_HELP)],
    channel: Annotated[str | None, typer.Option(metavar="C", help="Only this channel's value.")] = None,
    node: Annotated[
        str | None, typer.Option(metavar="N", help="What this node did: its tasks, what it wrote, its calls.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what the superstep wrote, before and after.")
    ] = False,
    effects: Annotated[bool, typer.Option("--effects", help="Also the calls of the superstep.")] = False,
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Also the artifacts that the session had put by then.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Show large values whole.")] = False,
) -> int:
    """Show the state of a session at any snapshot."""
    from graphagent.cli.diffs import paint_diff
    from graphagent.cli.targets import split_target
    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid
    from graphagent.session.documents import channel_document, last_snapshot_of, show_document
    from graphagent.session.show_text import step_text, with_effects

    terminal = terminal_of(ctx)
    if channel is not None and (node is not None or changed or effects or artifacts):
        raise InputInvalid("--channel", "--node, --changed, --effects and --artifacts can't be given with it")
    name, at = split_target(target)

    async def read(host: Host) -> ShowDocument | ChannelDocument:
        row = await work.project.resolve(name)
        number = await snapshot_of(host, row, at)
        if channel is not None:
            return await channel_document(host, row, number, channel)
        if node is not None and at is None:
            number = await last_snapshot_of(host, row, node)
        return await show_document(
            host,
            row,
            number,
            full=full,
            changed=changed,
            node=node,
            effects=effects or node is not None,
            artifacts=artifacts,
        )

    with Work(terminal) as work:
        document = work.call(read)
    if terminal.flags.json:
        terminal.document(document.data())
    elif channel is not None:
        terminal.result(bare(document.data().get("value")))
    elif changed or node is not None:
        paint_diff(terminal, terminal.plain(step_text(document, node=node), terminal.out))  # type: ignore[arg-type]
    else:
        terminal.table(with_effects(document))  # type: ignore[arg-type]
    return 0


def bare(value: object) -> str:
    """One channel's value: a text as it is, anything else as JSON."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


async def snapshot_of(host: Host, row: SessionRow, at: str | None) -> int:
    """The number of a snapshot that people name so. Raises InputInvalid."""
    from graphagent.errors import InputInvalid
    from graphagent.session import operations

    text = "last" if at is None else at
    if text != "last" and not text.lstrip("-").isdigit():
        hint = f"0 to {row.head_superstep}, -1 for the newest, or last"
        raise InputInvalid("@N", f"{text!r} is no snapshot", hint=hint)
    return await operations.snapshot_number(host, row, text)
