"""The flags that every command takes, before its name or after it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from graphagent.cli.terminal import Terminal

COLORS = ("auto", "always", "never")


def terminal_of(ctx: typer.Context) -> Terminal:
    """The terminal of this process."""
    terminal = ctx.obj
    assert isinstance(terminal, Terminal)
    return terminal


def _keep(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    flags = terminal_of(ctx).flags
    if value and not (param.name == "color" and value == "auto"):
        setattr(flags, param.name or "", value + flags.verbose if param.name == "verbose" else value)
    return value


def _version(ctx: typer.Context, value: bool) -> None:
    if value:
        from graphagent import __version__

        terminal_of(ctx).result(f"graphagent {__version__}")
        raise typer.Exit


def global_flags(
    project: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", envvar="GRAPHAGENT_PROJECT", show_envvar=False, callback=_keep, expose_value=False,
            help="Project folder; by default the nearest one upwards with graphagent.toml or .graphagent/.",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL", callback=_keep, expose_value=False,
            help="Where sessions are kept: a SQLite file, postgresql://..., or memory:  "
            "[default: .graphagent/sessions.db]",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", callback=_keep, expose_value=False, help="Print one JSON document.")
    ] = False,
    color: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(callback=_keep, expose_value=False, show_default=False, help="When to use colours."),
    ] = "auto",
    ascii: Annotated[
        bool, typer.Option("--ascii", callback=_keep, expose_value=False, help="Use no character beyond ASCII.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", callback=_keep, expose_value=False, help="Tell only errors on stderr.")
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, callback=_keep, expose_value=False, show_default=False,
            help="Tell more; twice: full tracebacks.",
        ),
    ] = 0,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, expose_value=False, help="Print the version."),
    ] = False,
) -> None:  # fmt: skip
    """Only the parameters of this function are used."""
