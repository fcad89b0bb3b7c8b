"""`graphagent visualize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphagent.cli.flags import terminal_of
from graphagent.cli.show import TARGET_HELP

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.drawing import Drawing, Table
    from graphagent.session.host import Host

ENDINGS = {
    ".svg": "svg", ".png": "png", ".html": "html", ".mmd": "mermaid", ".txt": "terminal", ".json": "json",
}  # fmt: skip
MOST_STEPS = 10_000
"""Supersteps that the table of an HTML file lists."""


def visualize(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="FILE|S[@N]", help="A graph, or what a session did with it. " + TARGET_HELP)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write it to x.svg, .png, .html, .mmd, .txt or .json."),
    ] = None,
    format: Annotated[
        Literal["terminal", "svg", "png", "html", "mermaid", "json"] | None,
        typer.Option(help="By default that of the file's ending, else the terminal."),
    ] = None,
    direction: Annotated[Literal["tb", "lr"], typer.Option("--dir", help="Top to bottom, or left to right.")] = "tb",
    theme: Annotated[Literal["auto", "light", "dark"], typer.Option(help="Colours of a picture.")] = "auto",
    width: Annotated[
        int | None, typer.Option(metavar="N", min=20, help="Columns of a terminal drawing; by default the screen's.")
    ] = None,
    expand: Annotated[
        str, typer.Option(metavar="all|none|NAME", help="Which subgraphs and maps are drawn open.")
    ] = "all",
    channels: Annotated[bool, typer.Option("--channels", help="Name the channels that nodes read and write.")] = False,
    open: Annotated[bool, typer.Option("--open", help="Show it in the browser, by default as HTML.")] = False,
) -> int:
    """Draw a graph, or a session over its graph."""
    from graphagent.cli.given import choices
    from graphagent.errors import InputInvalid

    terminal = terminal_of(ctx)
    ending = output.suffix if output is not None else ""
    if format is None and ending and ending not in ENDINGS:
        raise InputInvalid("--output", f"no format ends in {ending!r}", hint=choices(ending, ENDINGS, "endings"))
    chosen = format or ENDINGS.get(ending, "html" if open else "terminal")
    options = {"direction": direction, "channels": channels, "expand": expand}
    drawing, tables = drawn(terminal, target, options)
    if open and output is None:
        output = scratch_file(chosen)
    try:
        made = written(terminal, drawing, tables, chosen, theme, width, to_file=output is not None)
    except ValueError as error:
        raise InputInvalid("--expand", str(error)) from error
    if output is None:
        put(terminal, made)
        return 0
    try:
        output.write_bytes(made.encode() if isinstance(made, str) else made)
    except OSError as error:
        raise InputInvalid("--output", f"can't write {output}: {error}") from error
    terminal.say(f"{terminal.symbol('done')} {output}")
    if open:
        show_file(terminal, output)
    return 0


def put(terminal: Terminal, made: str | bytes) -> None:
    """Print a drawing; a picture goes to a pipe only."""
    from graphagent.errors import InputInvalid

    if isinstance(made, str):
        terminal.result(made)
        return
    if terminal.out.isatty():
        raise InputInvalid("--format", "a terminal can't show a PNG", hint="write it to a file: -o x.png")
    terminal.out.flush()
    terminal.out.buffer.write(made)
    terminal.out.flush()


def scratch_file(format: str) -> Path:
    """Where a drawing is kept that shall only be looked at."""
    from tempfile import mkdtemp

    (ending,) = [ending for ending, name in ENDINGS.items() if name == format]
    return Path(mkdtemp(prefix="graphagent-")) / f"drawing{ending}"


def show_file(terminal: Terminal, file: Path) -> None:
    """Have the browser show a file."""
    import webbrowser

    if not webbrowser.open(file.resolve().as_uri()):
        terminal.say(f"no browser was found; open {file} in one")


def drawn(terminal: Terminal, target: str, options: dict[str, Any]) -> tuple[Drawing, list[Table]]:
    """The drawing of a file, or of a session over its graph with the table of its supersteps."""
    from graphagent.cli.targets import looks_like_session, project_folder, split_target
    from graphagent.drawing import draw_plan
    from graphagent.session.graph_file import read_graph_file

    if not looks_like_session(target):
        return draw_plan(read_graph_file(target, project_folder(terminal)).compiled(), **options), []
    from graphagent.cli.work import Work

    name, at = split_target(target)

    async def read(host: Host) -> tuple[Drawing, list[Table]]:
        from graphagent.cli.show import snapshot_of
        from graphagent.session.overlay import session_overlay, superstep_table

        row = await work.project.resolve(name)
        snapshot = await snapshot_of(host, row, at)
        overlay = await session_overlay(host, row, snapshot)
        table = await superstep_table(host, row, snapshot, MOST_STEPS)
        return draw_plan(await host.plan_of(row), overlay=overlay, **options), [table]

    with Work(terminal) as work:
        return work.call(read)


def written(
    terminal: Terminal, drawing: Drawing, tables: list[Table], format: str, theme: Any, width: int | None,
    *, to_file: bool,
) -> str | bytes:  # fmt: skip
    """The drawing in a format."""
    if format == "svg":
        return drawing.svg(theme=theme)
    if format == "png":
        return drawing.png(theme=theme)
    if format == "html":
        return drawing.html(theme=theme, tables=tables)
    if format == "mermaid":
        return drawing.mermaid()
    if format == "json":
        return drawing.json()
    ascii = terminal.flags.ascii or (not to_file and "utf" not in (terminal.out.encoding or "").lower())
    fit = width or (terminal.width if terminal.out.isatty() and not to_file else None)
    return drawing.text(width=fit, ascii=ascii)
