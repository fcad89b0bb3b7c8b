"""`graphagent inbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.arguments import SESSION_HELP, WatchOption
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.documents.forms import InboxDocument
    from graphagent.session.host import Host
    from graphagent.session.project import Project

ALL_HELP = "Also questions that are answered, expired or cancelled."
OF_HELP = "Only those of this session, and of all that it called. "


def inbox(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help=ALL_HELP)] = False,
    session: Annotated[str | None, typer.Option(metavar="S", help=OF_HELP + SESSION_HELP)] = None,
    assignee: Annotated[str | None, typer.Option(metavar="NAME", help="Only those for this person.")] = None,
    watch: WatchOption = False,
) -> int:
    """List what people are asked, oldest first."""
    from graphagent.cli.redraw import watched
    from graphagent.cli.work import Work
    from graphagent.session.documents import InboxQuery, inbox_document
    from graphagent.session.documents.forms import InboxDocument

    terminal = terminal_of(ctx)

    async def read(host: Host, project: Project) -> InboxDocument:
        root = None if session is None else (await project.resolve(session)).session
        return await inbox_document(host, InboxQuery(all_, root, assignee))

    if watch:
        return watched(terminal, read, str)
    with Work(terminal) as work:
        stored = work.stored or session is not None
        document = work.call(read, work.project) if stored else InboxDocument([], None)
    if terminal.flags.json:
        terminal.document(document.data())
    elif document.interrupts:
        terminal.table(str(document))
        terminal.say(f"answer one: {terminal.command('answer', document.interrupts[0].id)}", "dim")
    else:
        terminal.say("nobody is asked anything", "dim")
    return 0
