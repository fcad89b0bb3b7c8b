"""`graphagent explain`."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from graphagent.cli.exits import MEANING, Exit
from graphagent.cli.flags import terminal_of


def explain(
    ctx: typer.Context,
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="GA203, an exit code such as 4, or RunPaused. None: all.")
    ] = None,
) -> int:
    """Explain a finding, an exit code or a kind of event."""
    from graphagent.errors import NotFound
    from graphagent.graph.suggest import suggest

    terminal = terminal_of(ctx)
    if code is None:
        found = "\n\n".join(listing())
    else:
        page = page_of(code)
        if page is None:
            near = suggest(code.upper(), names()) or suggest(code, names())
            raise NotFound(
                f"nothing is called {code!r}", hint=f"graphagent explain {near}" if near else "graphagent explain"
            )
        found = page
    if terminal.flags.json:
        terminal.document({"schema": "graphagent/explain@1", "code": code, "text": found})
    else:
        terminal.result(terminal.plain(found, terminal.out))
    return 0


def names() -> list[str]:
    """Everything that has a page."""
    from graphagent.events import CORE
    from graphagent.graph.rules import RULES

    return [*RULES, *(str(int(code)) for code in Exit), *CORE]


def page_of(code: str) -> str | None:
    """The page of a code, or None."""
    from graphagent.events import CORE
    from graphagent.graph.rules import RULES

    if code.upper() in RULES:
        module = import_module(RULES[code.upper()])
        return f"{code.upper()}: {module.TITLE}\n\n{(module.__doc__ or '').strip()}"
    if code.isdigit() and int(code) in set(Exit):
        return f"exit code {code}: {MEANING[Exit(int(code))]}"
    for name, payload in CORE.items():
        if name.lower() == code.lower():
            fields = "\n".join(f"  {field}" for field in payload.__dataclass_fields__)
            return f"event {name}: {(payload.__doc__ or '').strip()}\n\nFields of its data:\n{fields}"
    return None


def listing() -> list[str]:
    """All codes with their titles."""
    from graphagent.events import CORE
    from graphagent.graph.rules import RULES

    rules = [f"  {code}  {import_module(target).TITLE}" for code, target in RULES.items()]
    exits = [f"  {int(code):<5}  {meaning}" for code, meaning in MEANING.items()]
    events = [f"  {name:<20}  {(payload.__doc__ or '').strip().splitlines()[0]}" for name, payload in CORE.items()]
    return [
        "Findings about graphs:\n" + "\n".join(rules), "Exit codes:\n" + "\n".join(exits),
        "Core events:\n" + "\n".join(events),
    ]  # fmt: skip
