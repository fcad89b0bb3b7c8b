"""Writes the generated pages below `docs/`: `make docs`. A test fails where they differ from what this gives.

Pages come from the tables and docstrings of the code, pictures from our own drawing.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from importlib import import_module
from pathlib import Path

import yaml

import graphagent as ga
from graphagent.channels.reducers import REDUCERS
from graphagent.cli.exits import MEANING
from graphagent.cli.main import COMMANDS, main
from graphagent.events import CORE
from graphagent.graph.expression_names import ARITIES
from graphagent.graph.key_pages import all_pages
from graphagent.graph.keys import KINDS
from graphagent.graph.rules import RULES, SILENCEABLE

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NOTE = "<!-- Written by `make docs`; edit the code that it comes from. -->\n\n"
KIND_LINES = {
    "agent": "A model that calls tools and delegates until it answers. This release checks and draws it.",
    "llm": "One model call.", "tool": "Calls a tool with `with`.", "code": "Calls a Python function, or a command.",
    "human": "Parks until a person answers.", "graph": "Runs a graph as a child session.",
    "map": "Runs one node for each item of a list.", "router": "Only routes.", "set": "Only writes.",
    "emit": "Sends a named event, exactly once.", "wait": "Parks until an event comes or a time is there.",
}  # fmt: skip
FUNCTION_LINES = {
    "len": "how many items, keys or characters", "str": "a value as text",
    "int": "a number, or text that is one, as int",
    "float": "as float", "bool": "`'true'`, `'false'` or a bool as bool", "hash": "SHA-256 of the canonical encoding",
    "min": "the least item", "max": "the greatest item", "sum": "the items added up", "abs": "without its sign",
    "round": "to so many digits, half to even", "any": "whether one item is true", "all": "whether all items are true",
    "sorted": "ascending and stable; of objects by a field", "first": "the first item", "last": "the last item",
    "keys": "the keys, in order", "values": "the values, in key order", "merge": "two dicts, the later key wins",
    "contains": "whether a text or list holds it", "startswith": "whether a text begins so",
    "endswith": "whether a text ends so", "lower": "in small letters", "upper": "in capital letters",
    "join": "the texts with a separator between them", "split": "the parts between separators",
    "has": "whether a path is there, set and not null", "default": "the first path that is there, else the last value",
}  # fmt: skip


def pages() -> dict[str, str]:
    """All generated files by their path below `docs/`."""
    out = {
        "reference/dsl.md": dsl(), "reference/cli.md": cli(), "reference/events.md": events(),
        "reference/diagnostics/README.md": diagnostics(), "reference/ready-made-graphs.md": ready_made(),
    }  # fmt: skip
    out |= {f"reference/diagnostics/{code}.md": diagnostic(code) for code in RULES}
    for file in graph_files():
        out[f"pictures/graphs/{file.name.partition('.')[0]}.svg"] = ga.load(file).draw().svg()
    return out


def graph_files() -> list[Path]:
    return sorted((ROOT / "graphs").glob("*.graph.yaml"))


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines) + "\n"


def dsl() -> str:
    """Every key, kind, reducer and function of the language."""
    out = [NOTE, "# The language: keys, kinds, reducers, functions\n\n"]
    out.append("`graphagent explain KEY` prints the same in the terminal. **!** marks what is required.\n")
    places: dict[str, list[list[str]]] = {}
    for page in all_pages():
        needed = "!" if page.required else page.default or "none"
        places.setdefault(page.where, []).append([f"`{page.key}`", page.form, needed, page.meaning])
    for where, rows in places.items():
        out.append(f"\n## {where[0].upper()}{where[1:]}\n\n")
        kind = where.removeprefix("`kind: ").rstrip("`")
        if kind in KIND_LINES:
            out.append(f"{KIND_LINES[kind]}\n\n")
        out.append(table(["key", "what", "default", "meaning"], rows))
    out.append("\n## Kinds\n\n" + table(["kind", "what it does"], [[f"`{kind}`", KIND_LINES[kind]] for kind in KINDS]))
    reducers = [[f"`{name}`", " ".join((r.fold.__doc__ or "").split())] for name, r in REDUCERS.items()]
    reducers.append(["`pkg.mod:fn`", "A function of yours, marked `@graphagent.reducer(...)`: fold(value, write)."])
    out.append("\n## Reducers\n\n" + table(["reducer", "fold"], reducers))
    functions = [[f"`{name}`", arity(*found), FUNCTION_LINES[name]] for name, found in ARITIES.items()]
    out.append("\n## Functions of expressions\n\n" + table(["function", "arguments", "gives"], functions))
    return "".join(out)


def arity(least: int, most: int | None) -> str:
    return f"{least} or more" if most is None else str(least) if least == most else f"{least} to {most}"


def diagnostic(code: str) -> str:
    """The page of one finding: what it is, why it matters, a wrong and a right example."""
    module = import_module(RULES[code])
    text = (module.__doc__ or "").strip()
    first, _, rest = text.partition("\n\n")
    parts = []
    for line in rest.splitlines():
        word, colon, told = line.partition(": ")
        if word in ("What", "Why", "Example", "Instead") and colon:
            parts.append(f"**{word}** {told}")
        else:
            parts.append(line)
    body = "\n".join(f"\n{part}" if part.startswith("**") else part for part in parts)
    silence = ""
    if code in SILENCEABLE:
        silence = f"\n\n`# graphagent: allow {code} <reason>` on the line above silences it.\n"
    return f"{NOTE}# {code}: {module.TITLE}\n\n{first}\n{body}".rstrip() + f"{silence.rstrip()}\n"


def diagnostics() -> str:
    rows = [[f"[{code}]({code}.md)", import_module(target).TITLE] for code, target in RULES.items()]
    return f"{NOTE}# Findings about graphs\n\n" + table(["code", "finds"], rows)


def cli() -> str:
    """Every command with its help as printed."""
    out = [NOTE, "# Commands\n"]
    for name in COMMANDS:
        out.append(f"\n## graphagent {name}\n\n```text\n{help_of(name).strip()}\n```\n")
    rows = [[str(int(code)), meaning] for code, meaning in MEANING.items()]
    out.append("\n## Exit codes\n\n" + table(["code", "meaning"], rows))
    return "".join(out)


def help_of(name: str) -> str:
    """What `graphagent NAME --help` prints into a pipe, 100 columns wide."""
    before = {key: os.environ.get(key) for key in ("COLUMNS", "TERMINAL_WIDTH")}
    os.environ.update(dict.fromkeys(before, "100"))
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            main([*name.split(), "--help"])
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


def events() -> str:
    """The core events with their fields."""
    out = [NOTE, "# Events\n\nExtensions are called `x.<area>.<name>`; `graphagent schema event` prints the schema.\n"]
    for name, payload in CORE.items():
        about = " ".join((payload.__doc__ or "").split())
        fields = ", ".join(f"`{field}`" for field in payload.__dataclass_fields__)
        out.append(f"\n## {name}\n\n{about}\n\nData: {fields}\n")
    return "".join(out)


def ready_made() -> str:
    """The graphs that come with the package, each with its drawing."""
    out = [NOTE, "# Ready-made graphs\n\nThey run as they are, are imported by others, or are copied and changed.\n"]
    for file in graph_files():
        graph, name = ga.load(file), file.name.partition(".")[0]
        description = yaml.safe_load(file.read_text(encoding="utf-8"))["metadata"]["description"]
        given = " ".join(
            f"-i {n}=..." for n, text in graph.inputs.items() if not isinstance(text, str) or "=" not in text
        )
        out.append(f"\n## {graph.name}\n\n{description}\n\n")
        out.append(f"    graphagent run graphagent:{name}.graph.yaml {given}".rstrip() + "\n\n")
        ports = [["input", f"`{n}`", f"`{text}`"] for n, text in graph.inputs.items()]
        ports += [["output", f"`{n}`", f"`{text}`"] for n, text in graph.outputs.items()]
        out.append(table(["", "name", "type"], ports))
        out.append(f"\n![{graph.name}](../pictures/graphs/{name}.svg)\n")
    return "".join(out)


def write(check: bool) -> int:
    """Write the pages, or say which ones differ."""
    differing = []
    for name, text in pages().items():
        file = DOCS / name
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        differing.append(name)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    print("\n".join(f"{'differs' if check else 'written'}: {name}" for name in differing) or "docs are up to date")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(write("--check" in sys.argv[1:]))
