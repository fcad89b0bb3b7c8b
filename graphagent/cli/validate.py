"""`graphagent validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphagent.cli.checking import Check
    from graphagent.cli.terminal import Terminal
    from graphagent.graph.diagnostics import Diagnostic
    from graphagent.session.graph_file import GraphFile
    from graphagent.session.held import Held
    from graphagent.session.host import Host


def validate(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Graphs, libraries, and folders that hold some.")
    ],
    format: Annotated[
        Literal["text", "json", "github", "sarif"], typer.Option(help="github: annotations of a workflow.")
    ] = "text",
    fix: Annotated[
        bool, typer.Option("--fix", help="Apply the changes that findings offer, then check again.")
    ] = False,
    against: Annotated[
        str | None, typer.Option(metavar="S", help="Also check whether this session could go on with the graph.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Check again what is changed, until Ctrl-C.")] = False,
) -> int:
    """Check graphs; all findings at once."""
    from graphagent.cli.checking import Check
    from graphagent.errors import InputInvalid

    terminal = terminal_of(ctx)
    if watch and fix:
        hint = "with both, a file would be changed while you edit it"
        raise InputInvalid("--watch", "it can't be used with --fix", hint=hint)
    held = None if against is None else held_by(terminal, against)
    check = Check(terminal, files, "json" if terminal.flags.json else format, strict=strict, held=held)
    if watch:
        from graphagent.cli.watching import Watch

        watching = Watch(check)
        checked = check.all()
        check.show(checked)
        watching.run(checked)
    checked = check.all()
    return check.show(repaired(check, checked) if fix else checked)


def held_by(terminal: Terminal, session: str) -> Held:
    """What a session holds, and under which plan. Raises NotFound."""
    from graphagent.cli.work import Work
    from graphagent.session.held import held

    async def read(host: Host) -> Held:
        return await held(host, await work.project.resolve(session))

    with Work(terminal) as work:
        return work.call(read)


def repaired(check: Check, checked: Sequence[GraphFile]) -> list[GraphFile]:
    """The files after their fixes, which are told one by one; ready-made graphs stay as they are."""
    from graphagent.cli.fixing import fix_file
    from graphagent.session.graph_file import SHIPPED, find_graph

    terminal = check.terminal
    ready_made = {find_graph(file) for file in check.files if file.startswith(SHIPPED)}
    out, count = [], 0
    for file in checked:
        if file.path in ready_made:
            out.append(file)
            continue
        done = fix_file(file, check.again)
        for found in done.applied:
            place = f"{found.span.file}:{found.span.line}:{found.span.column}"
            terminal.say(f"{terminal.symbol('done')} {place}: {found.code} {found.message}; {_did(found)}")
        if done.refused is not None:
            terminal.tell(f"{terminal.paint('error:', 'red', 'bold')} {file.name} was not fixed: {done.refused}")
        out.append(done.file)
        count += len(done.applied)
    terminal.say(f"{count} fixed, {sum(len(file.diagnostics) for file in out)} left")
    return out


def _did(found: Diagnostic) -> str:
    title = found.fix.title if found.fix is not None else ""
    return title.replace("replace by", "replaced by", 1)
