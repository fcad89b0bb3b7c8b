"""`graphagent init`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

TEMPLATES = ("hello", "approval", "mapreduce")
FOLDER = Path(__file__).parent / "templates"
SCHEMA = ".graphagent/graph.v1.json"
IGNORED = ".graphagent/*\n!.graphagent/graph.v1.json\n__pycache__/\n.venv/\n"


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; by default here.")] = Path(),
    template: Annotated[str, typer.Option(metavar="NAME", help=f"One of {', '.join(TEMPLATES)}.")] = "hello",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Overwrite files that are there.")] = False,
) -> int:
    """Write a new project that works as it is."""
    from graphagent.errors import Conflict, InputInvalid

    terminal = terminal_of(ctx)
    if template not in TEMPLATES:
        raise InputInvalid("--template", f"no template {template!r}", hint=f"one of {', '.join(TEMPLATES)}")
    files = contents(template)
    there = [name for name in files if (folder / name).exists()]
    if there and not yes:
        raise Conflict(f"there already: {', '.join(there)}", hint="choose another folder, or overwrite with --yes")
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    if terminal.flags.json:
        terminal.document({"schema": "graphagent/init@1", "folder": str(folder), "files": list(files)})
    else:
        terminal.result("\n".join(files))
        if "/" in terminal.program and not terminal.program.startswith("/") and " " not in terminal.program:
            terminal.program = str(Path(terminal.program).absolute())  # it is pasted in another folder
        where = "" if folder == Path() else f"cd {shlex.quote(str(folder))}; "
        terminal.say(f"next: {where}{terminal.command('run', f'{template}.graph.yaml', example(template))}")
    return Exit.OK


def example(template: str) -> str:
    """Inputs to try the template with."""
    return {"hello": "-i name=bees", "approval": "-i text=Hello", "mapreduce": '-i \'words=["bee", "lamp"]\''}[template]


def contents(template: str) -> dict[str, str]:
    """The files of a new project, by name."""
    from graphagent.session.schemas import own_graph_schema

    graph = (FOLDER / f"{template}.graph.yaml").read_text(encoding="utf-8")
    run = f"graphagent run {template}.graph.yaml {example(template)}".rstrip()
    return {
        f"{template}.graph.yaml": graph,
        "nodes.py": (FOLDER / "nodes.py.txt").read_text(encoding="utf-8"),
        "tests/test_graph.py": (FOLDER / "test_graph.py.txt").read_text(encoding="utf-8").replace("NAME", template),
        "graphagent.toml": "# Settings of this project; flags and GRAPHAGENT_* come first.\n"
        '# store = ".graphagent/sessions.db"\n# [models]\n# main = "openai/gpt-5-mini"\n',
        SCHEMA: json.dumps(own_graph_schema(), indent=2) + "\n",
        ".vscode/settings.json": json.dumps({"yaml.schemas": {SCHEMA: ["*.graph.yaml", "*.library.yaml"]}}, indent=2)
        + "\n",
        ".gitignore": IGNORED,
        "README.md": f"# {template}\n\n    {run}\n    graphagent history @last\n    graphagent replay @last\n",
    }
