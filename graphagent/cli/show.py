"""`graphagent show`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.arguments import WatchOption
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.documents.forms import ChannelDocument, ShowDocument
    from graphagent.session.host import Host
    from graphagent.session.project import Project
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
    watch: WatchOption = False,
) -> int:
    """Show the state of a session at any snapshot."""
    from graphagent.cli.diffs import paint_diff
    from graphagent.cli.targets import split_target
    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid

    terminal = terminal_of(ctx)
    if channel is not None and (node is not None or changed or effects or artifacts):
        raise InputInvalid("--channel", "--node, --changed, --effects and --artifacts can't be given with it")
    name, at = split_target(target)
    if watch and at is not None:
        raise InputInvalid("--watch", f"snapshot {at} doesn't change", hint=f"graphagent show {name} --watch")
    wanted = Wanted(name, at, channel, node, changed, effects or node is not None, artifacts, full)

    def text(document: ShowDocument | ChannelDocument) -> str:
        return text_of(document, wanted)

    if watch:
        from graphagent.cli.redraw import watched

        return watched(terminal, wanted.sticking(), text)
    with Work(terminal) as work:
        document = work.call(wanted.read, work.project)
    if terminal.flags.json:
        terminal.document(document.data())
    elif channel is not None:
        terminal.result(text(document))
    elif changed or node is not None:
        paint_diff(terminal, terminal.plain(text(document), terminal.out))
    else:
        terminal.table(text(document))
    return 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a session is wanted."""

    session: str
    at: str | None
    channel: str | None
    node: str | None
    changed: bool
    effects: bool
    artifacts: bool
    full: bool

    async def read(self, host: Host, project: Project) -> ShowDocument | ChannelDocument:
        """The document."""
        from graphagent.session.documents import channel_document, last_snapshot_of, show_document

        row = await project.resolve(self.session)
        number = await snapshot_of(host, row, self.at)
        if self.channel is not None:
            return await channel_document(host, row, number, self.channel)
        if self.node is not None and self.at is None:
            number = await last_snapshot_of(host, row, self.node)
        return await show_document(
            host, row, number, full=self.full, changed=self.changed, node=self.node, effects=self.effects,
            artifacts=self.artifacts,
        )  # fmt: skip

    def sticking(self) -> Callable[[Host, Project], Awaitable[ShowDocument | ChannelDocument]]:
        """`read` of one session, whichever becomes the last one meanwhile."""
        found: list[Wanted] = []

        async def read(host: Host, project: Project) -> ShowDocument | ChannelDocument:
            if not found:
                found.append(replace(self, session=(await project.resolve(self.session)).session))
            return await found[0].read(host, project)

        return read


def text_of(document: ShowDocument | ChannelDocument, wanted: Wanted) -> str:
    """The document as people see it."""
    from graphagent.session.show_text import step_text, with_effects

    if wanted.channel is not None:
        return bare(document.data().get("value"))
    if wanted.changed or wanted.node is not None:
        return step_text(document, node=wanted.node)  # type: ignore[arg-type]
    return with_effects(document)  # type: ignore[arg-type]


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
