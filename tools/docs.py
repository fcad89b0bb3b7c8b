"""Writes the generated pages below `docs/`: `make docs`. A test fails where they differ from what this gives.

Pages come from the tables and docstrings of the code, pictures from our own drawing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

import graphagent as ga
from graphagent import concurrency, errors
from graphagent.channels.reducers import REDUCERS
from graphagent.cli.exits import MEANING
from graphagent.cli.failures import exit_code
from graphagent.cli.main import COMMANDS, main
from graphagent.drawing import Drawing, draw_plan
from graphagent.events import CORE, RESERVED
from graphagent.graph.expression_names import ARITIES
from graphagent.graph.key_pages import all_pages
from graphagent.graph.keys import KINDS
from graphagent.graph.rules import RULES, SILENCEABLE
from graphagent.session.overlay import session_overlay
from graphagent.session.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = {file.stem: file for file in sorted((ROOT / "schemas" / "documents").glob("*.json"))}
NOTE = "<!-- Written by `make docs`; edit the code that it comes from. -->\n\n"
KIND_LINES = {
    "agent": "A model that calls tools and delegates until it answers.",
    "llm": "One model call.", "tool": "Calls a tool with `with`.", "code": "Calls a Python function, or a command.",
    "human": "Parks until a person answers.", "graph": "Runs a graph as a child session.",
    "map": "Runs one node for each item of a list.", "router": "Only routes.", "set": "Only writes.",
    "emit": "Sends a named event, exactly once.", "wait": "Parks until an event comes or a time is there.",
}  # fmt: skip
PATTERNS = [
    ("agent with tools", ["react"], "one `agent`"),
    ("agent, a superstep a turn", ["agent-loop"], "an `llm` with `tools`, a `map` over its calls, a route back"),
    (
        "agent for long work",
        ["deep-agent"],
        "an `agent` with tool sets `std.todos` and `std.files`, summaries, approvals",
    ),
    ("sequence", ["sequence"], "nodes with one route each"),
    ("parallel and reduce", ["parallel-reduce"], "`start: [a, b, c]`, `join: all`, a channel that appends"),
    ("dynamic map", ["map-reduce-docs", "code-review"], "`map` over a list, ordered results, `need: { at_least }`"),
    ("router", ["router"], "an `llm` that returns a `Literal`, guards on it"),
    ("loop until", ["loop-until"], "a route back, guarded by a counter"),
    ("evaluate and optimise", ["reflection"], "a writer, a critic that returns a verdict, a route back"),
    ("plan and execute", ["plan-and-execute"], "a list in a channel, one step of it at a time"),
    ("hub: agents as tools", ["hub"], "an `agent` with `delegates`; control comes back to it"),
    ("handoff", ["handoff"], "a channel `active`, a router on it, a channel for the way back"),
    ("swarm", ["swarm"], "agents with a tool whose `tool_writes` sets `active`, of `scope: session`"),
    ("group chat", ["group-chat"], "a selector, a router, speakers that are graphs, a counter of rounds"),
    (
        "ledger with replanning",
        ["ledger"],
        "a plan, a progress record, a counter of stalls that leads back to the plan",
    ),
    ("background", ["background"], "an `agent` with the tool set `std.sessions`; a delegate that waits for an event"),
    ("remote", ["remote"], "a `tool` of a server over MCP, `on_error` to a model of our own"),
    ("state machine", ["customer-support"], "`router`, `wait` and `human`; sub-graphs for states with states inside"),
]
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
        "reference/errors.md": errors_page(), "reference/documents.md": documents(),
        "reference/settings.md": settings(),
    }  # fmt: skip
    out |= {f"reference/diagnostics/{code}.md": diagnostic(code) for code in RULES}
    for file in graph_files():
        out[f"pictures/graphs/{file.name.partition('.')[0]}.svg"] = ga.load(file).draw().svg()
    return out | {f"pictures/{name}.svg": drawing.svg() for name, drawing in pictures().items()}


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
        silence = f"\n\n`# graphagent: allow {code} <reason>` on the line above, or behind it, silences it.\n"
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
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(payload))
        unsent = "\n**Not sent by this release.**\n" if name in RESERVED else ""
        out.append(f"\n## {name}\n{unsent}\n{about}\n\nData: {fields}\n")
    return "".join(out)


def ready_made() -> str:
    """The graphs that come with the package, each with its drawing."""
    out = [NOTE, "# Ready-made graphs\n\nThey run as they are, are imported by others, or are copied and changed.\n"]
    out.append("All take the small local model unless told otherwise, so none needs an account. How an importer\n")
    out.append("replaces their models, prompts, tools and members: [use](../howto/use-ready-made-graphs.md) one.\n")
    rows = [[pattern, ", ".join(f"[{name}](#{name})" for name in names), built] for pattern, names, built in PATTERNS]
    out.append("\n## Patterns\n\n" + table(["pattern", "graph", "built of"], rows))
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


def settings() -> str:
    words = {dict: "table", int: "number", list: "list", str: "text"}
    rows = [
        [f"`{name}`", words[s.kind], s.meaning, *(f"`{other}`" if other else "" for other in (s.variable, s.flag))]
        for name, s in SETTINGS.items()
    ]
    return (
        "# Settings\n\n"
        "The folder of a project holds `graphagent.toml`, or `.graphagent/`, or both. A flag comes before a variable\n"
        "of the environment, that before the file, and that before the default. `--project` or `GRAPHAGENT_PROJECT`\n"
        "names the folder; without it, it is the nearest one upwards. An unknown key is refused.\n\n"
    ) + table(["key", "value", "what it says", "variable", "flag"], rows)


def errors_page() -> str:
    """The tree of errors, then each with its fields and what the command line does with it."""
    text = (errors.__doc__ or "").strip()
    first, _, rest = text.partition("\n\n")
    tree, _, last = rest.partition("\n\n")
    out = [NOTE, f"# Errors\n\n{first}\n\n```text\n{tree.rstrip()}\n```\n\n{last}\n\n"]
    rows = [
        [f"`{name}`", " ".join((kind.__doc__ or "").split("Args:")[0].split()), ends(kind)]
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.GraphAgentError)
    ]
    out.append(table(["error", "when", "exit code if nothing was started"], rows))
    out.append(
        "\n## Kinds that a graph sees\n\n`error.kind` is one of these; `retry` without `on` tries the marked ones.\n\n"
    )
    kinds = [[f"`{kind}`", "tried again" if kind in errors.RETRYABLE_KINDS else ""] for kind in errors.ERROR_KINDS]
    out.append(table(["kind", ""], kinds))
    return "".join(out)


def ends(kind: type[errors.GraphAgentError]) -> str:
    """The exit code of a command that this error keeps from starting; none for what only ends a run."""
    return "" if issubclass(kind, errors.RunError) else str(int(exit_code(kind.__new__(kind))))


def documents() -> str:
    """What `--json` prints: the fields of each document, then those of the parts that they share."""
    out = [
        NOTE, "# Documents\n\nWhat commands print with `--json`: one object and a newline.\n",
        "`graphagent schema NAME` prints the schema. A field with `?` may be missing.\n",
    ]  # fmt: skip
    parts: dict[str, Any] = {}
    for name, file in DOCUMENTS.items():
        schema = json.loads(file.read_text(encoding="utf-8"))
        parts |= schema.get("definitions", {})
        out.append(fields("##", name, schema))
    out.append("\n## Parts\n\nWhat documents have in common.\n")
    out += [fields("###", name, part) for name, part in sorted(parts.items())]
    return "".join(out)


def fields(heading: str, name: str, schema: dict[str, Any]) -> str:
    """One object with the types of its fields."""
    about = " ".join(schema.get("description", "").split())
    needed = set(schema.get("required", ()))
    rows = [
        [f"`{key}`" + ("" if key in needed else "?"), shape(value)]
        for key, value in schema.get("properties", {}).items()
    ]
    return (
        f"\n{heading} {name}\n\n" + (f"{about}\n\n" if about else "") + (table(["field", "type"], rows) if rows else "")
    )


def shape(schema: dict[str, Any]) -> str:
    """The type of a field in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()}{'-1' if name.lower() in DOCUMENTS else ''})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(shape(part) for part in schema[key])
    if schema.get("type") == "array":
        return f"list of {shape(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def pictures() -> dict[str, Drawing]:
    """The README's drawings: its graph, and sessions that ran with recorded answers."""
    said = {"models": {"writer": [{"match": "bees", "text": "Bees are tiny, winged creatures."}]}}
    views = yaml.safe_load((ROOT / "graphs" / "parallel_reduce.script.yaml").read_text(encoding="utf-8"))
    refused = {"kind": "auth", "message": "the key is not valid"}
    broken = {
        "turns": [{"match": t["match"], "error": refused} if "Weigh" in t["match"] else t for t in views["turns"]]
    }
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "approval.graph.yaml").write_text(readme_graph(), encoding="utf-8")
        for name, script in (("said", said), ("views", views), ("broken", broken)):
            (here / f"{name}.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
        graph, parallel = here / "approval.graph.yaml", ROOT / "graphs" / "parallel_reduce.graph.yaml"
        question = {"question": "Automate it?"}
        with recorded(here, "said") as project:
            waiting = ga.load(graph).run(topic="bees", project=project)
            out = {"approval": ga.load(graph).draw(), "waits": session_drawing(project, waiting.session)}
            fork = waiting.session.fork(2, set={"text": "Bees sleep in winter."}).resume().session
            out["forks"] = session_drawing(project, fork.answer(False).session)
        for name, script in (("survives", "broken"), ("replays", "views")):
            with recorded(here, script) as project:
                out[name] = session_drawing(project, ga.load(parallel).run(question, project=project).session)
    return out


def readme_graph() -> str:
    """The graph that the README shows."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("```yaml\n")[2].partition("```")[0]


@contextlib.contextmanager
def recorded(folder: Path, script: str) -> Iterator[ga.Project]:
    """A project whose models play a script."""
    models = {"*": "scripted/recorded", "writer": "scripted/writer"}
    project = ga.Project(folder, store="memory:", models=models, scripted=folder / f"{script}.yaml")
    try:
        yield project
    finally:
        project.close()


def session_drawing(project: ga.Project, session: ga.Session) -> Drawing:
    """A session over its graph, without the id and times that differ from run to run."""

    async def read() -> Drawing:
        host, row = await project.host(), await project.resolve(session.id)
        overlay = await session_overlay(host, row, row.head_superstep)
        nodes = {name: replace(run, wall_ms=None) for name, run in overlay.nodes.items()}
        plan = await host.plan_of(row)
        return draw_plan(plan, overlay=replace(overlay, nodes=nodes, caption=""))

    return concurrency.blocking(lambda: concurrency.in_trio(read))()


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
