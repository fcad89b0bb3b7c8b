"""`graphagent explain`."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from inspect import cleandoc
from typing import Annotated

import typer

from graphagent.cli.exits import MEANING, Exit
from graphagent.cli.flags import terminal_of


def explain(
    ctx: typer.Context,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE|KEY]",
            help="GA203, a key such as on_error, an exit code such as 4, or an event such as RunPaused. None: all.",
        ),
    ] = None,
) -> int:
    """Explain a finding, a key, an exit code or a kind of event."""
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
    from graphagent.graph.key_pages import all_pages
    from graphagent.graph.rules import RULES

    return [*RULES, *dict.fromkeys(page.key for page in all_pages()), *(str(int(code)) for code in Exit), *CORE]


def page_of(code: str) -> str | None:
    """The page of a code, a key (also as `channel.reducer`), an exit code or an event; None if there is none."""
    from graphagent.events import CORE, RESERVED
    from graphagent.graph.rules import RULES

    if code.upper() in RULES:
        module = import_module(RULES[code.upper()])
        return f"{code.upper()}: {module.TITLE}\n\n{(module.__doc__ or '').strip()}"
    if code.isdecimal() and int(code) in set(Exit):
        return f"exit code {int(code)}: {MEANING[Exit(int(code))]}"
    for name, payload in CORE.items():
        if name.lower() == code.lower():
            names = "\n".join(f"  {field.name}" for field in fields(payload))
            unsent = "\n\nNot sent by this release." if name in RESERVED else ""
            return f"event {name}: {cleandoc(payload.__doc__ or '')}{unsent}\n\nFields of its data:\n{names}"
    return _key(code)


def _key(code: str) -> str | None:
    """The pages of a key, one for each place where it may stand. `retry.max` and `kind: wait` narrow them."""
    from graphagent.graph.key_pages import all_pages, pages_of

    place, _, key = code.strip("$").rpartition(".")
    found = pages_of(key)
    if place:
        word = place.rpartition(".")[2].removesuffix("s").lower()
        narrowed = [page for page in found if word in page.where]
        found = narrowed or found
    if found:
        return "\n\n".join(page.text for page in found)
    kind = code.removeprefix("kind:").strip()
    inside = [page for page in all_pages() if page.where in (f"`kind: {kind}`", f"`{kind}`", f"a {kind}")]
    if kind in ("router", "set"):
        return f"`kind: {kind}` has no keys of its own: " + ("it only routes" if kind == "router" else "it only writes")
    return "\n\n".join(page.text for page in inside) or None


def listing() -> list[str]:
    """All codes with their titles."""
    from graphagent.events import CORE
    from graphagent.graph.key_pages import all_pages
    from graphagent.graph.rules import RULES

    rules = [f"  {code}  {import_module(target).TITLE}" for code, target in RULES.items()]
    exits = [f"  {int(code):<5}  {meaning}" for code, meaning in MEANING.items()]
    events = [f"  {name:<20}  {(payload.__doc__ or '').strip().splitlines()[0]}" for name, payload in CORE.items()]
    places: dict[str, list[str]] = {}
    for page in all_pages():
        places.setdefault(page.where, []).append(page.key)
    keys = [f"  {where:<22}  {' '.join(found)}" for where, found in places.items()]
    return [
        "Findings about graphs:\n" + "\n".join(rules), "Keys of the language:\n" + "\n".join(keys),
        "Exit codes:\n" + "\n".join(exits), "Core events:\n" + "\n".join(events),
    ]  # fmt: skip
