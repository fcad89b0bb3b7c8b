"""`graphagent schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of
from graphagent.cli.targets import project_folder

WHAT = ("graph", "document", "event")
INSTALLED = Path(".graphagent") / "graph.v1.json"


def schema(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="graph|document|event", help="Of what.")] = "graph",
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which document, such as `run`.")] = None,
    output: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Write it there.")] = None,
    install: Annotated[bool, typer.Option("--install", help=f"Write it to {INSTALLED} for editors.")] = False,
) -> int:
    """Print a JSON Schema (draft-07): of graphs for editors, of a JSON document, or of events."""
    from graphagent.errors import InputInvalid
    from graphagent.session.schemas import document_schema, event_schema, names, own_graph_schema
    from graphagent.session.settings import find_root

    terminal = terminal_of(ctx)
    if what not in WHAT:
        raise InputInvalid("what", f"no schema of {what!r}", hint=f"one of {', '.join(WHAT)}")
    if what == "document" and name not in names():
        raise InputInvalid("NAME", f"no document {name!r}" if name else "which document?", hint=", ".join(names()))
    if what != "document" and name is not None:
        raise InputInvalid("NAME", f"there is one schema of {what}s", hint=f"leave {name!r} out")
    found = {"graph": own_graph_schema, "event": event_schema}
    data = found[what]() if what in found else document_schema(str(name))
    text = json.dumps(data, indent=2) + "\n"
    target = (project_folder(terminal) or find_root()) / INSTALLED if install else output
    if target is None:
        terminal.result(text.rstrip("\n"))
        return Exit.OK
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    terminal.result(str(target))
    return Exit.OK
