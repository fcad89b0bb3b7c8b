"""`graphagent visualize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphagent.cli.flags import terminal_of
from graphagent.cli.show import TARGET_HELP

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.drawing import Drawing
    from graphagent.session.host import Host

ENDINGS = {".svg": "svg", ".mmd": "mermaid", ".txt": "terminal", ".json": "json"}


def visualize(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="FILE|S[@N]", help="A graph, or what a session did with it. " + TARGET_HELP)
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it to x.svg, x.mmd, x.txt or x.json.")
    ] = None,
    format: Annotated[
        Literal["terminal", "svg", "mermaid", "json"] | None,
        typer.Option(help="By default that of the file's ending, else the terminal."),
    ] = None,
    direction: Annotated[Literal["tb", "lr"], typer.Option("--dir", help="Top to bottom, or left to right.")] = "tb",
    theme: Annotated[Literal["auto", "light", "dark"], typer.Option(help="Colours of an SVG.")] = "auto",
    width: Annotated[
        int | None, typer.Option(metavar="N", min=20, help="Columns of a terminal drawing; by default the screen's.")
    ] = None,
    expand: Annotated[
        str, typer.Option(metavar="all|none|NAME", help="Which subgraphs and maps are drawn open.")
    ] = "all",
    channels: Annotated[bool, typer.Option("--channels", help="Name the channels that nodes read and write.")] = False,
) -> int:
    """Draw a graph, or a session over its graph."""
    from graphagent.cli.given import choices
    from graphagent.errors import InputInvalid

    terminal = terminal_of(ctx)
    ending = output.suffix if output is not None else ""
    if format is None and ending and ending not in ENDINGS:
        raise InputInvalid("--output", f"no format ends in {ending!r}", hint=choices(ending, ENDINGS, "endings"))
    chosen = format or ENDINGS.get(ending, "terminal")
    options = {"direction": direction, "channels": channels, "expand": expand}
    drawing = drawn(terminal, target, options)
    try:
        text = written(terminal, drawing, chosen, theme, width, to_file=output is not None)
    except ValueError as error:
        raise InputInvalid("--expand", str(error)) from error
    if output is None:
        terminal.result(text)
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputInvalid("--output", f"can't write {output}: {error}") from error
    terminal.say(f"{terminal.symbol('done')} {output}")
    return 0


def drawn(terminal: Terminal, target: str, options: dict[str, Any]) -> Drawing:
    """The drawing of a file, or of a session over its graph."""
    from graphagent.cli.targets import looks_like_session, project_folder, split_target
    from graphagent.drawing import draw_plan
    from graphagent.session.graph_file import read_graph_file

    if not looks_like_session(target):
        return draw_plan(read_graph_file(target, project_folder(terminal)).compiled(), **options)
    from graphagent.cli.work import Work

    name, at = split_target(target)

    async def read(host: Host) -> Drawing:
        from graphagent.cli.show import snapshot_of
        from graphagent.session.overlay import session_overlay

        row = await work.project.resolve(name)
        overlay = await session_overlay(host, row, await snapshot_of(host, row, at))
        return draw_plan(await host.plan_of(row), overlay=overlay, **options)

    with Work(terminal) as work:
        return work.call(read)


def written(terminal: Terminal, drawing: Drawing, format: str, theme: Any, width: int | None, *, to_file: bool) -> str:
    """The drawing as text of a format."""
    if format == "svg":
        return drawing.svg(theme=theme)
    if format == "mermaid":
        return drawing.mermaid()
    if format == "json":
        return drawing.json()
    ascii = terminal.flags.ascii or (not to_file and "utf" not in (terminal.out.encoding or "").lower())
    fit = width or (terminal.width if terminal.out.isatty() and not to_file else None)
    return drawing.text(width=fit, ascii=ascii)
