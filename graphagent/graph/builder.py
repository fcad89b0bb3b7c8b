"""The Python builder: the same spec as from YAML, one method per kind, keywords as keys.

    g = Graph("hello", inputs={"name": str}, outputs={"greeting": str})
    g.channels(greeting=str)
    g.start("greet")
    g.set("greet", writes={"greeting": f"Hello, {X('inputs.name')}!"}).next(end)

Nothing raises while a graph is written: `compile` shows all findings at once, each at the call it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path as File
from typing import Any, Self, Unpack

from graphagent.errors import GraphInvalid
from graphagent.graph import builder_keys as k
from graphagent.graph.callsite import caller_file, here, text_of
from graphagent.graph.diagnostics import Diagnostic, Span, place, render, split_lines
from graphagent.graph.document import document_of
from graphagent.graph.draft import Draft
from graphagent.graph.plan import Position
from graphagent.graph.project import Project, ProjectFolder
from graphagent.graph.spec import ChannelSpec, GraphSpec, NodeSpec, Path, Spec, TypeText
from graphagent.graph.validate import Checked, check_data
from graphagent.graph.walker import read_spec
from graphagent.graph.words import Written, X, channel, end, fail, file, route, use

__all__ = [
    "Checked", "GraphBuilder", "GraphPart", "MapNode", "Node", "X", "channel", "end", "fail", "file", "route", "use",
]  # fmt: skip


class Node:
    """A node that was written: `.next(...)` says where its token goes."""

    def __init__(self, draft: Draft, path: Path) -> None:
        self._draft, self._path = draft, path

    def next(self, *to: str | Written) -> None:
        """Names fork; routes are tried in order, and the first whose guard holds is taken.

        Args:
            to: One name, several names, or `route(...)`s; `end` and `fail` end the token or the run.
        """
        site, at = here(), (*self._path, "next")
        given: Any = to[0] if len(to) == 1 and isinstance(to[0], str) else list(to)
        self._draft.add(at, self._draft.plain(given, at, site), site)


class MapNode(Node):
    """A map: `.do` gives the node that runs once per item. `with g.map(...) as m:` sets it apart to the eye."""

    @property
    def do(self) -> Item:
        """The node under `do`; exactly one is written."""
        return Item(self._draft, (*self._path, "do"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Item:
    """The kinds that a map can run for each item."""

    def __init__(self, draft: Draft, path: Path) -> None:
        self._draft, self._path = draft, path

    def code(self, **keys: Unpack[k.CodeItemKeys]) -> None:
        """Calls a Python function for each item."""
        self._write("code", keys)

    def llm(self, **keys: Unpack[k.LLMItemKeys]) -> None:
        """Calls a model for each item."""
        self._write("llm", keys)

    def graph(self, **keys: Unpack[k.GraphItemKeys]) -> None:
        """Runs a graph as a child session for each item."""
        self._write("graph", keys)

    def tool(self, **keys: Unpack[k.ToolItemKeys]) -> None:
        """Calls a tool for each item."""
        self._write("tool", keys)

    def agent(self, **keys: Unpack[k.AgentItemKeys]) -> None:
        """Runs an agent for each item."""
        self._write("agent", keys)

    def _write(self, kind: str, keys: Mapping[str, Any]) -> None:
        site = here()
        self._draft.add(self._path, {"kind": kind, **self._draft.keys(keys, self._path, site)}, site)


class Channels(Mapping[str, ChannelSpec]):
    """The channels of a graph: called, it declares some; read, it has those that are there."""

    def __init__(self, part: GraphPart) -> None:
        self._part = part

    def __call__(self, **channels: Any) -> None:
        """name=type, or name=channel(type, ...)."""
        self._part._section("channels", channels, self._part._draft.channel)

    def __getitem__(self, name: str) -> ChannelSpec:
        return self._part._graph_spec().channels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._part._graph_spec().channels)

    def __len__(self) -> int:
        return len(self._part._graph_spec().channels)

    def __repr__(self) -> str:
        return f"<channels {', '.join(self) or 'none'}>"


class GraphPart:
    """What the main graph and a sub-graph have in common. A keyword is the YAML key; `with_` and `as_` are `with`
    and `as`; `X("...")` is `${ ... }`, and bare fields (`when`, `over`) take plain text."""

    _draft: Draft
    _path: Path = ()

    # --- kinds

    def set(self, name: str, **keys: Unpack[k.NodeKeys]) -> Node:
        """A node that only writes."""
        return self._node("set", name, keys)

    def code(self, name: str, **keys: Unpack[k.CodeKeys]) -> Node:
        """Calls a Python function with the arguments in `with_`."""
        return self._node("code", name, keys)

    def llm(self, name: str, **keys: Unpack[k.LLMKeys]) -> Node:
        """Calls a model once."""
        return self._node("llm", name, keys)

    def agent(self, name: str, **keys: Unpack[k.AgentKeys]) -> Node:
        """A model that calls tools and delegates until it answers."""
        return self._node("agent", name, keys)

    def tool(self, name: str, **keys: Unpack[k.ToolNodeKeys]) -> Node:
        """Calls a tool with the arguments in `with_`, or makes a `call` of a model, of one of `tools`."""
        return self._node("tool", name, keys)

    def wait(self, name: str, **keys: Unpack[k.WaitKeys]) -> Node:
        """Waits for an event or a time; `for_` is the key `for`."""
        return self._node("wait", name, keys)

    def router(self, name: str, **keys: Unpack[k.NodeKeys]) -> Node:
        """A node that only routes."""
        return self._node("router", name, keys)

    def map(self, name: str, **keys: Unpack[k.MapKeys]) -> MapNode:
        """Runs the node that `.do` gives once for each item of the list `over`."""
        return MapNode(*self._written("map", name, keys))

    def graph(self, name: str, **keys: Unpack[k.GraphKeys]) -> Node:
        """Runs a graph of this document as a child session; `with_` are its inputs."""
        return self._node("graph", name, keys)

    def human(self, name: str, **keys: Unpack[k.HumanKeys]) -> Node:
        """Waits until a person answers."""
        return self._node("human", name, keys)

    def emit(self, name: str, **keys: Unpack[k.EmitKeys]) -> Node:
        """Sends a named event, exactly once."""
        return self._node("emit", name, keys)

    def node(self, name: str, kind: str, **keys: Any) -> Node:
        """A node of any kind, also of one that the registry adds."""
        return self._node(kind, name, keys)

    # --- the rest of a graph

    @property
    def channels(self) -> Channels:
        """`g.channels(draft=str)` declares; `g.channels["draft"]` reads."""
        return Channels(self)

    def start(self, *nodes: str) -> None:
        """The first node, or several that fork."""
        site, at = here(), (*self._path, "start")
        given: Any = nodes[0] if len(nodes) == 1 else list(nodes)
        self._draft.add(at, self._draft.plain(given, at, site), site)

    def defaults(self, **keys: Unpack[k.DefaultKeys]) -> None:
        """What nodes get where they say nothing."""
        self._section("defaults", keys)

    def limits(self, **keys: Unpack[k.LimitKeys]) -> None:
        """Bounds on one run."""
        self._section("limits", keys)

    def result(self, **values: Any) -> None:
        """output=value, evaluated when the run ends; an output that is a channel needs none."""
        self._section("result", values)

    # --- reading

    @property
    def inputs(self) -> Mapping[str, TypeText]:
        """The inputs and their types, as text."""
        return dict(self._graph_spec().inputs)

    @property
    def outputs(self) -> Mapping[str, TypeText]:
        """The outputs and their types, as text."""
        return dict(self._graph_spec().outputs)

    @property
    def nodes(self) -> Mapping[str, NodeSpec]:
        """The nodes, in order."""
        return dict(self._graph_spec().nodes)

    # --- inside

    def _node(self, kind: str, name: str, keys: Mapping[str, Any]) -> Node:
        return Node(*self._written(kind, name, keys))

    def _written(self, kind: str, name: str, keys: Mapping[str, Any]) -> tuple[Draft, Path]:
        site, path = here(), (*self._path, "nodes", str(name))
        new = self._draft.add(path, {"kind": kind, **self._draft.keys(keys, path, site)}, site)
        return (self._draft if new else Draft(site)), path  # what belongs to a second one isn't the first one's

    def _section(self, section: str, values: Mapping[str, Any], read: Any = None) -> None:
        site = here()
        for name, value in values.items():
            path = (*self._path, section, name.removesuffix("_") if read is None else name)
            self._draft.add(path, (read or self._draft.plain)(value, path, site), site)

    def _ports(self, section: str, ports: Mapping[str, Any] | None, site: Span) -> None:
        if ports:
            path = (*self._path, section)
            self._draft.add(path, self._draft.declarations(ports, path, site), site)

    def _graph_spec(self) -> GraphSpec:
        raise NotImplementedError


class SubGraph(GraphPart):
    """A graph under `graphs`. It sees the document's types and models, never its channels or inputs."""

    def __init__(self, owner: GraphBuilder, name: str, draft: Draft) -> None:
        self._owner, self.name = owner, name
        self._draft, self._path = draft, ("graphs", name)

    def _graph_spec(self) -> GraphSpec:
        return self._owner._spec_now().graphs[self.name]


class GraphBuilder(GraphPart):
    """A graph that is written in Python.

    Args:
        name: Small letters, digits and `-`.
        inputs: name -> type, or `(type, default)`.
        outputs: name -> type.
        version, description, labels: For people; no part of the plan's hash.
    """

    def __init__(
        self, name: str, *, inputs: Mapping[str, Any] | None = None, outputs: Mapping[str, Any] | None = None,
        version: str | None = None, description: str | None = None, labels: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        site = here()
        self._draft = Draft(site)
        self.diagnostics: list[Diagnostic] = []
        self.source = caller_file()
        given = {"name": name, "version": version, "description": description, "labels": labels}
        metadata = {key: value for key, value in given.items() if value is not None}
        self._draft.add(("metadata",), self._draft.plain(metadata, ("metadata",), site), site)
        self._ports("inputs", inputs, site)
        self._ports("outputs", outputs, site)

    @classmethod
    def of_spec(cls, spec: Spec) -> Self:
        """The graph of a spec; it can be read and written on."""
        graph = cls(spec.metadata.name)
        graph._draft = Draft(Span("<python>", 1, 1, 1, 1))
        graph._draft.data = spec.data()
        graph.source = None
        return graph

    def models(self, **models: str | k.ModelKeys) -> None:
        """name="provider/model", or name={"use": "provider/model", "temperature": 0}."""
        self._section("models", models, self._draft.plain)

    def tools(self, **tools: k.ToolKeys) -> None:
        """name={"python": function}, or another source of tools."""
        self._section("tools", tools, self._draft.nested)

    def prompts(self, **prompts: str | k.PromptKeys) -> None:
        """name="template", or name={"file": "prompts/x.md.j2", "vars": {...}}."""
        self._section("prompts", prompts, self._draft.nested)

    def imports(self, **imports: str | k.ImportKeys) -> None:
        """name="path", or name={"from_": "path", "override": {...}}."""
        self._section("imports", imports, self._draft.nested)

    def secrets(self, *names: str) -> None:
        """Names that the host must supply; usable under models and tools only."""
        site = here()
        self._draft.add(("secrets",), list(names), site)

    def types(self, **types: Any) -> None:
        """Name={field: type}; a class of pydantic becomes one by being used, or by `Name=Name`."""
        site = here()
        for name, fields in types.items():
            path = ("types", name)
            if isinstance(fields, Mapping):
                self._draft.add(path, self._draft.declarations(fields, path, site), site)
                continue
            found = self._draft.type(fields, path, site)
            self._draft.edits += 1
            if found not in (name, "any"):
                self._draft.report("GA006", f"`{found}` can't be called `{name}`", path, site, help="give its fields")

    def subgraph(
        self, name: str, *, inputs: Mapping[str, Any] | None = None, outputs: Mapping[str, Any] | None = None
    ) -> SubGraph:
        """A graph of this document, which a node of kind `graph` runs; written by the same methods."""
        site = here()
        new = self._draft.add(("graphs", name), {}, site)
        part = SubGraph(self, name, self._draft if new else Draft(site))
        part._ports("inputs", inputs, site)
        part._ports("outputs", outputs, site)
        return part

    @property
    def name(self) -> str:
        """The graph's name."""
        return str(self._draft.data["metadata"]["name"])

    @property
    def version(self) -> str | None:
        """The author's version."""
        version = self._draft.data["metadata"].get("version")
        return None if version is None else str(version)

    @property
    def edits(self) -> int:
        """How often something was written."""
        return self._draft.edits

    @property
    def folder(self) -> File:
        """Where prompts and functions are looked for first: beside the file that this graph comes from."""
        return File.cwd() if self.source is None else self.source.parent

    def checked(self, project: Project | None = None) -> Checked:
        """All findings, and the spec if there is no error.

        Args:
            project: Where prompts and functions are looked up; by default `folder`, then the working folder.
        """
        files = project or ProjectFolder(File.cwd(), self.folder)
        own = self._draft.findings
        found = check_data(self._draft.data, self._draft.spans, "<python>", files)
        unused = "GA105" if own else None  # what uses it may be what is broken
        broken = self._draft.broken
        rest = [d for d in found.diagnostics if d.code != unused and not any(_below(d.path, at) for at in broken)]
        names = dict.fromkeys(span.file for span in self._draft.spans.values())
        texts = {**found.texts, **{name: text for name in names if (text := text_of(name))}}
        diagnostics = sorted([*own, *rest], key=place)
        if own:
            return replace(found, spec=None, linked=None, diagnostics=diagnostics, texts=texts)
        spans = found.document.span
        positions = {path: _shown(position, spans(path), texts) if position.file in names else position
                     for path, position in found.positions.items()}  # fmt: skip
        return replace(found, diagnostics=diagnostics, positions=positions, texts=texts)

    def to_yaml(self) -> str:
        """The graph as YAML, which reads back as the same spec.

        Raises:
            GraphInvalid: something in it can't be written as YAML.
        """
        from graphagent.graph.yaml_text import yaml_text

        spec, walker = read_spec(document_of(self._draft.data, self._draft.spans))
        found = [*self._draft.findings, *(item for item in walker.diagnostics if item.severity == "error")]
        if spec is None or found:
            raise GraphInvalid(found, render(found, {item.span.file: text_of(item.span.file) for item in found}))
        return yaml_text(spec.data())

    def _spec_now(self) -> Spec:
        """The spec as far as it can be read."""
        spec, _ = read_spec(document_of(self._draft.data))
        assert spec is not None  # version and kind are ours
        return spec

    def _graph_spec(self) -> GraphSpec:
        return self._spec_now().graph


def _below(path: str, broken: str) -> bool:
    return path == broken or path.startswith((f"{broken}.", f"{broken}["))


def _shown(position: Position, call: Span, texts: Mapping[str, str]) -> Position:
    """With the text of the line; of a call over several lines the first is marked to its end."""
    lines = split_lines(texts.get(position.file, ""))
    text = lines[position.line - 1] if position.line <= len(lines) else ""
    end_column = position.end_column if call.end_line == call.line else len(text) + 1
    return replace(position, text=text, end_column=end_column)
