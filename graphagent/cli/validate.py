"""`graphagent validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphagent.cli.terminal import Terminal
    from graphagent.graph.diagnostics import Diagnostic
    from graphagent.session.graph_file import GraphFile


def validate(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Graphs to check.")],
    format: Annotated[
        Literal["text", "json", "github", "sarif"], typer.Option(help="github: annotations of a workflow.")
    ] = "text",
    fix: Annotated[
        bool, typer.Option("--fix", help="Apply the changes that findings offer, then check again.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
) -> int:
    """Check graphs; all findings at once."""
    from graphagent.cli.targets import project_folder
    from graphagent.session.graph_file import read_graph_file

    terminal = terminal_of(ctx)
    root = project_folder(terminal)
    checked = [read_graph_file(file, root) for file in dict.fromkeys(files)]
    if fix:
        fixed = sum(heal(file) for file in checked)
        terminal.say(f"{terminal.symbol('done')} {fixed} change{'' if fixed == 1 else 's'} applied")
        checked = [read_graph_file(file, root) for file in dict.fromkeys(files)]
    found = [d for file in checked for d in file.diagnostics]
    ok = not any(strict or d.severity == "error" for d in found)
    if terminal.flags.json or format == "json":
        terminal.document(document(checked, found, strict=strict))
    elif format == "github":
        terminal.out.write("".join(map(annotation, found)))
        terminal.out.flush()
    elif format == "sarif":
        terminal.document(sarif(found))
    else:
        as_text(terminal, checked, found)
    return Exit.OK if ok else Exit.INVALID


def heal(file: GraphFile) -> int:
    """Apply the changes that the findings of a file offer, and return how many; of two that overlap, the first."""
    from graphagent.graph.diagnostics import split_lines

    edits = sorted({e for d in file.diagnostics if d.fix is not None for e in d.fix.edits}, key=lambda e: e.span)
    lines = split_lines(file.text)
    starts, text = [0], file.text
    for line in lines[:-1]:
        after = starts[-1] + len(line)
        starts.append(after + (2 if text[after : after + 2] == "\r\n" else 1))
    out, position, done = [], 0, 0
    for edit in edits:
        begin = starts[edit.span.line - 1] + edit.span.column - 1
        end = starts[edit.span.end_line - 1] + edit.span.end_column - 1
        if begin >= position:
            out += [text[position:begin], edit.text]
            position, done = end, done + 1
    if done:
        file.path.write_bytes("".join([*out, text[position:]]).encode())
    return done


def as_text(terminal: Terminal, files: Sequence[GraphFile], found: Sequence[Diagnostic]) -> None:
    """The frames, which here are the result; or a line for each file that is good."""
    from graphagent.cli.failures import color_frame
    from graphagent.graph.diagnostics import render

    for file in files:
        if file.plan is not None:
            graphs = file.plan.graphs.values()
            nodes, channels = sum(len(g.nodes) for g in graphs), sum(len(g.channels) for g in graphs)
            terminal.say(f"{terminal.symbol('done')} {file.name}: {file.plan.name}, {nodes} nodes, {channels} channels")
    if not found:
        return
    text = render(found, {file.name: file.text for file in files})
    if terminal.colored(terminal.out):
        text = "\n".join(color_frame(line, colored=True) for line in text.splitlines())
    terminal.result(text)


def document(files: Sequence[GraphFile], found: Sequence[Diagnostic], *, strict: bool) -> dict[str, Any]:
    """The `validate` document."""
    from graphagent.session.documents.validate import CheckedFile, validate_document

    checked = [CheckedFile(f.name, f.text, f.plan.name if f.plan else None, f.plan) for f in files]
    return validate_document(checked, found, strict=strict).data()


def annotation(found: Diagnostic) -> str:
    """A finding as a workflow command: `::error file=x,line=1,...::message`."""
    span = found.span
    message = found.message + (f" ({found.help})" if found.help else "")
    place = f"file={span.file},line={span.line},col={span.column},endLine={span.end_line},endColumn={span.end_column}"
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        message = message.replace(char, code)
    return f"::{found.severity} {place},title={found.code}::{message}\n"


def sarif(found: Sequence[Diagnostic]) -> dict[str, Any]:
    """The findings as SARIF 2.1.0."""
    from graphagent import __version__

    results = [
        {
            "ruleId": d.code,
            "level": d.severity,
            "message": {"text": d.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": d.span.file},
                        "region": {
                            "startLine": d.span.line, "startColumn": d.span.column,
                            "endLine": d.span.end_line, "endColumn": d.span.end_column,
                        },
                    }
                }
            ],
        }
        for d in found
    ]  # fmt: skip
    rules = [{"id": code} for code in sorted({d.code for d in found})]
    driver = {"name": "graphagent", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }  # fmt: skip
