"""`graphagent export` and `graphagent import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.arguments import SessionArgument
from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.session.documents.forms import ExportDocument, ImportDocument
    from graphagent.session.host import Host


REDACT_HELP = (
    "Take out what a rule names, wherever it stands: secrets, channel:NAME, key:PATTERN, text:REGEX. "
    "Such a file can't be imported. May be repeated."
)


def export(
    ctx: typer.Context,
    session: SessionArgument,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE|-",
            help="FILE.gasession: the whole session; FILE.jsonl: its events; -: the session on stdout.  "
            "[default: its id and .gasession]",
        ),
    ] = None,
    no_artifacts: Annotated[bool, typer.Option("--no-artifacts", help="Leave the bytes of artifacts out.")] = False,
    redact: Annotated[list[str] | None, typer.Option("--redact", metavar="RULE", help=REDACT_HELP)] = None,
) -> int:  # fmt: skip
    """Write a session, with all that it called, to one file."""
    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid
    from graphagent.session.documents.keeping import export_document
    from graphagent.session.exporting import export_to
    from graphagent.session.redaction import read_rules

    rules = read_rules(redact or [])
    terminal = terminal_of(ctx)
    piped = output == "-"
    if piped and (terminal.flags.json or terminal.out.isatty()):
        what = "stdout can't take both the session and a document" if terminal.flags.json else "the session is binary"
        raise InputInvalid("-o", what, hint="give a file with -o, or pipe it into another program")

    async def write(host: Host) -> ExportDocument:
        row = await work.project.resolve(session)
        file = Path(f"{row.session}.gasession" if piped or output is None else output)
        to = (lambda data: to_stdout(terminal, data)) if piped else None
        done = await export_to(host, row, file, to, artifacts=not no_artifacts, redact=rules)
        return export_document(row.session, str(file), done)

    with Work(terminal) as work:
        document = work.call(write)
    if terminal.flags.json:
        terminal.document(document.data())
    elif not piped:
        terminal.result(document.file)
    called = f", {document.sessions} sessions" if document.sessions > 1 else ""
    called += f", {document.artifacts} artifacts" if document.artifacts else ""
    terminal.say(f"{terminal.symbol('done')} exported   {document.bytes:,} bytes{called}   {document.digest}")
    if document.redacted:
        terminal.say(f"redacted ({', '.join(document.redacted)}): it can be read, not imported or replayed", "yellow")
    if document.secret_channels:
        names = ", ".join(document.secret_channels)
        said = f"it holds the values of the secret channels {names}: keep it to yourself"
        terminal.tell(f"{said}, or leave them out with --redact secrets", "yellow")
    return Exit.OK


def to_stdout(terminal: Terminal, data: bytes) -> None:
    """Write bytes where text goes otherwise."""
    stream: Any = terminal.out
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()


def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `graphagent export` wrote.")],
    new_ids: Annotated[
        bool, typer.Option("--new-ids", help="Give it other ids, so that it can stand beside the original.")
    ] = False,
) -> int:
    """Store an exported session. All of it is checked first, and nothing runs."""
    from graphagent.cli.work import Work
    from graphagent.session.documents.keeping import import_document
    from graphagent.session.importing import import_session, read_file

    terminal = terminal_of(ctx)
    read_file(file)  # a store isn't made for a file that isn't there

    async def read(host: Host) -> ImportDocument:
        row = await import_session(host, file, new_ids=new_ids)
        return await import_document(host.store, row, str(file))

    with Work(terminal, creates=True) as work:
        document = work.call(read)
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.result(document.session)
    count = len(document.sessions)
    what = f"{document.status} at snapshot {document.head.snapshot}" + (f", {count} sessions" if count > 1 else "")
    terminal.say(f"{terminal.symbol('done')} imported   {what}   look: {terminal.command('show', document.session)}")
    return Exit.OK
