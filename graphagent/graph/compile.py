"""From spec to plan. The plan is always made from its own canonical document, so that a plan that was stored with
a session and one that was just compiled are the same in every respect but the positions for messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from graphagent import registry
from graphagent.channels.reducers import REDUCERS, custom_reducer
from graphagent.codec import decode, digest, encode, freeze
from graphagent.graph import keys
from graphagent.graph.collector import uncollected
from graphagent.graph.expressions import Expression, parse
from graphagent.graph.flow import START as START_NAME
from graphagent.graph.flow import Flow
from graphagent.graph.importing.renaming import beside
from graphagent.graph.plan import (
    END,
    FAIL,
    START,
    AgentPlan,
    ApprovalPlan,
    AwaitedJoin,
    CachePlan,
    ChannelPlan,
    Check,
    DelegatePlan,
    GraphPlan,
    LimitsPlan,
    ModelPlan,
    NodePlan,
    Plan,
    PortPlan,
    Position,
    RetryPlan,
    RoutePlan,
    Writes,
    needed,
)
from graphagent.graph.source import document_of
from graphagent.graph.spec import END as END_NAME
from graphagent.graph.spec import FAIL as FAIL_NAME
from graphagent.graph.spec import (
    SELF,
    AgentBody,
    AtLeast,
    Body,
    CodeBody,
    Defaults,
    Delegate,
    EmitBody,
    GraphSpec,
    HumanBody,
    LLMBody,
    MapBody,
    NodeSpec,
    OtherBody,
    Prompt,
    Retry,
    Route,
    Spec,
    ToolBody,
    ToolSpec,
    WaitBody,
)
from graphagent.graph.spokes import spoke_name, spokes
from graphagent.graph.tokens import Tokens
from graphagent.graph.types import Type, TypeMismatch, checker, parse_decl, parse_object, parse_type
from graphagent.graph.values import Value, parse_value
from graphagent.graph.walker import read_spec
from graphagent.snapshot import UNSET, EffectClass

DOCUMENT_VERSION = 1
Positions = Mapping[tuple[Any, ...], Position]
TASK_KINDS = frozenset({"agent", "llm", "tool", "code"})
"""Kinds that `defaults.retry` and `defaults.timeout` reach."""


@uncollected
def compile_spec(
    spec: Spec, template: Callable[[str], str | None], positions: Positions | None = None, file: str | None = None,
    folders: Iterable[str] = (), skills: Iterable[str] = (),
) -> Plan:  # fmt: skip
    """The plan of a spec that has no errors.

    Args:
        spec: With everything that it imports.
        template: Gives the text of a prompt file as the graph names it.
        positions: Places of nodes for messages, by path.
        folders: Where modules of imports are, from the folder of the graph.
        skills: The files of skills that its agents may read.
    """
    read = {file: text for file in skills if (text := template(file)) is not None}
    templates = dict(sorted({**_templates(spec, template), **read}.items()))
    tree = _without_remarks(spec.data())
    order = {g.name: list(g.nodes) for g in spec.all_graphs}
    document = {"v": DOCUMENT_VERSION, "graph": tree, "order": order, "templates": templates, "entry": ""}
    if folders:
        document["folders"] = list(folders)
    plan = load_plan(encode(freeze(document)), positions or {})
    return replace(plan, version=spec.metadata.version, file=file)


def written(document: bytes) -> dict[str, Any]:
    """The graph in a plan's document, its nodes in the order in which they were written."""
    data = decode(document)
    return _ordered(data["graph"], data["order"])


def sub_plan(plan: Plan, entry: str) -> Plan:
    """The plan of a child session that runs `entry`, another graph of the same document."""
    document = encode({**decode(plan.document), "entry": entry})
    return replace(plan, document=document, hash=digest(document), entry=entry)


@uncollected
def load_plan(document: bytes, positions: Positions | None = None) -> Plan:
    """The plan of a document that `compile_spec` made, in this process or another."""
    data = decode(document)
    tree = _ordered(data["graph"], data["order"])
    spec, _ = read_spec(document_of(tree), linked=True)
    assert spec is not None
    types = resolve_types(spec)
    models = {
        m.name: ModelPlan(m.name, m.use, m.temperature, dict(m.params), m.base_url, m.api_key, m.fallback)
        for m in spec.models.values()
    }
    surroundings = _surroundings(tree, data["templates"])
    documented = (*spec.all_graphs, *spokes(spec))
    known = {} if positions is None else positions
    graphs = {g.name: _Graph(g, types, known, spec, surroundings).plan() for g in documented}
    return Plan(
        digest(document), document, spec.metadata.name, None, data["entry"], graphs, models, data["templates"], types,
        spec.prompts, spec.secrets, tuple(data.get("folders", ())), tools=spec.tools,
        overridden={name: _prompt(raw) for name, raw in data.get("overridden", {}).items()},
    )  # fmt: skip


def _prompt(raw: Any) -> Prompt:
    return Prompt(text=raw) if isinstance(raw, str) else Prompt(**raw)


def _surroundings(tree: Mapping[str, Any], templates: Mapping[str, str]) -> str:
    """A hash of what nodes refer to by name."""
    parts = {key: tree.get(key) for key in ("types", "models", "tools", "prompts", "graphs")}
    return digest(encode(freeze({**parts, "templates": templates}))).hex()


def resolve_types(spec: Spec) -> dict[str, Type]:
    """The named types of a document, in whatever order they refer to each other."""
    known = _Types(spec.types)
    return {name: known[name] for name in spec.types}


class _Types(Mapping[str, Type]):
    """The named types, each parsed when another one first refers to it."""

    def __init__(self, declared: Mapping[str, Mapping[str, Any]]) -> None:
        self._declared = declared
        self._done: dict[str, Type] = {}

    def __getitem__(self, name: str) -> Type:
        if name not in self._done:
            self._done[name] = parse_object(self._declared[name], self, name)
        return self._done[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


def read_type(text: Any, types: Mapping[str, Type]) -> Type:
    """A type as authors write it: text, or a mapping, which is an inline object type."""
    return parse_object(text, types) if isinstance(text, Mapping) else parse_type(text, types)


def _without_remarks(tree: dict[str, Any]) -> dict[str, Any]:
    """The author form without what the engine never reads."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items()}
        return [strip(v) for v in value] if isinstance(value, list) else value

    tree = strip(tree)
    tree["metadata"] = {"name": tree["metadata"]["name"]}
    for graph in (tree, *tree.get("graphs", {}).values()):
        for node in graph["nodes"].values():
            node.pop("description", None)
        for channel in graph.get("channels", {}).values():
            if isinstance(channel, dict):
                channel.pop("description", None)
    return tree


def _ordered(tree: dict[str, Any], order: Mapping[str, list[str]]) -> dict[str, Any]:
    """Canonical encoding sorts keys; the order of nodes is part of their meaning."""
    graphs = {n: {**g, "nodes": {k: g["nodes"][k] for k in order[n]}} for n, g in tree.get("graphs", {}).items()}
    out = {**tree, "nodes": {k: tree["nodes"][k] for k in order[""]}}
    if graphs:
        out["graphs"] = graphs
    return out


def _templates(spec: Spec, template: Callable[[str], str | None]) -> dict[str, str]:
    """The texts of all prompt files, and of what they and the prompts include, by name."""
    prompts = [*_prompts(spec)]
    files = [prompt.file for prompt in prompts if prompt.file is not None and prompt.text is None]
    out = {file: template(file) or "" for file in files}
    texts = [*out.items()]
    texts += [(prompt.file or "", text) for prompt in prompts for text in (prompt.text or "", *prompt.blocks.values())]
    while texts:
        file, text = texts.pop()
        for name in _included(text):
            full = beside(file, name)
            found = None if full in out else template(full)
            if found is not None:
                out[full] = found
                texts.append((full, found))
    return dict(sorted(out.items()))


def _included(text: str) -> list[str]:
    if "{%" not in text:
        return []
    from graphagent.graph.template_syntax import included

    return included(text)


def _prompts(spec: Spec) -> Iterator[Prompt]:
    yield from spec.prompts.values()
    for graph in spec.all_graphs:
        for node in graph.tasks():
            for prompt in (getattr(node.body, "prompt", None), getattr(node.body, "system", None)):
                if isinstance(prompt, Prompt):
                    yield prompt


class _Graph:
    """Compiles one graph of a document."""

    def __init__(
        self, spec: GraphSpec, types: Mapping[str, Type], positions: Positions, document: Spec, surroundings: str
    ) -> None:
        self.spec, self.types, self.positions = spec, types, positions
        self.default_model, self.tools = document.graph.defaults.model, document.tools
        self.surroundings = surroundings
        self.nodes = {name: i for i, name in enumerate(spec.nodes)}
        self.channels = {name: i for i, name in enumerate(spec.channels)}
        self.flow = Flow(spec)
        self.forks = Tokens(self.flow).join_forks
        self.grouped = set(self.forks.values())
        self.roots: set[str] = set()

    def plan(self) -> GraphPlan:
        spec = self.spec
        nodes = tuple(self.node(n, i, spec.defaults) for i, n in enumerate(spec.nodes.values()))
        outputs = tuple(self.ports(spec.outputs))
        result = spec.result if spec.result is not None else {p.name: f"${{ {p.name} }}" for p in outputs}
        values = tuple((name, self.value(value)) for name, value in result.items())
        start = RoutePlan(None, tuple(self.nodes[n] for n in spec.start), (), "", *self.group(START_NAME, spec.start))
        return GraphPlan(
            spec.name, tuple(self.ports(spec.inputs)), outputs,
            tuple(self.channel(i) for i in range(len(self.channels))),
            nodes, start, self.limits(), values, self.nodes, self.channels, "run" in self.roots,
        )  # fmt: skip

    def ports(self, declared: Mapping[str, Any]) -> Iterator[PortPlan]:
        for name, text in declared.items():
            if isinstance(text, Mapping):
                kind, default = parse_object(text, self.types), UNSET
            else:
                kind, default = parse_decl(text, self.types)  # type: ignore[assignment]
            yield PortPlan(name, kind, default, checker(kind))

    def channel(self, index: int) -> ChannelPlan:
        spec = list(self.spec.channels.values())[index]
        kind = parse_type(spec.type, self.types)
        reducer = REDUCERS.get(spec.reducer) or custom_reducer(spec.reducer)
        check = checker(kind)
        default = check(spec.default) if spec.has_default else reducer.neutral()
        return ChannelPlan(
            index, spec.name, kind, spec.reducer, reducer.fold, spec.scope, default, check,
            write_check(spec.reducer, check), default, spec.secret, reducer.appends,
        )  # fmt: skip

    def limits(self) -> LimitsPlan:
        spec = self.spec.limits
        return LimitsPlan(
            supersteps=spec.supersteps,
            tokens=spec.tokens,
            cost_micro=None if spec.cost_usd is None else round(spec.cost_usd * 1e6),
            wall_s=None if spec.wall is None else spec.wall.seconds,
            map_items=spec.map_items,
            visits={self.nodes[n]: v for n, v in spec.visits.items()} or None,
            on_limit=None if spec.on_limit is None else self.nodes[spec.on_limit],
        )

    def node(self, spec: NodeSpec, index: int, defaults: Defaults) -> NodePlan:
        """A node, or with its map's index the node under a `do`."""
        body = spec.body
        reached = spec.kind in TASK_KINDS
        retry = spec.retry or (defaults.retry if reached else None) or Retry()
        timeout = spec.timeout or (defaults.timeout if reached else None)
        item = self.node(body.do, index, defaults) if isinstance(body, MapBody) else None
        returns = None if isinstance(body, WaitBody) else getattr(body, "returns", None)
        kind = read_type(returns, self.types) if returns is not None else None
        fork = self.forks.get(spec.name) if spec.joins else None
        return NodePlan(
            index=index,
            name=spec.name or "do",
            kind=spec.kind,
            path=_show(spec.path),
            arguments=tuple((name, self.value(value)) for name, value in spec.arguments.items()),
            writes=self.writes(spec.writes),
            next=tuple(self.route(r, spec.name) for r in spec.next),
            on_error=tuple(self.route(r, spec.name) for r in self.flow.error_routes(spec)) if spec.name else (),
            retry=_retry(retry),
            timeout_s=None if timeout is None else timeout.seconds,
            effects=_effects(spec, item, self.tool(body)),
            body=body,
            values=self.values(spec),
            over=self.expression(body.over) if isinstance(body, MapBody) else None,
            model=self.model(body, defaults),
            returns=kind,
            check_returns=None if kind is None else checker(kind),
            item=item,
            tool=self.tool(body),
            agent=self.agent(body),
            join_fork=None if fork is None else START if fork == START_NAME else self.nodes[fork],
            cancels=isinstance(spec.join, AtLeast) and spec.join.cancel,
            interrupt=spec.interrupt,
            cache=self.cache(spec, self.model(body, defaults)),
            events=self.events(body) if isinstance(body, WaitBody) else {},
            match=self.expression(body.match) if isinstance(body, WaitBody) and body.match is not None else None,
            on_update=tuple(self.channels[c] for c in spec.on_update),
            position=self.positions.get(spec.path),
            description=spec.description,
        )

    def tool(self, body: Body) -> ToolSpec | None:
        """What a tool node calls; for `server.tool` the server."""
        if not isinstance(body, ToolBody):
            return None
        return self.tools.get(body.tool) or self.tools.get(body.tool.rpartition(".")[0])

    def agent(self, body: Body) -> AgentPlan | None:
        """Approvals, and what calls of tools and delegates write; of other nodes the tools that a model may name."""
        if isinstance(body, LLMBody | ToolBody) and body.tools:
            return AgentPlan(body.tools, (), {}, {})
        if not isinstance(body, AgentBody):
            return None
        approvals = (
            ApprovalPlan(a.tool, None if a.when is None else self.expression(a.when), a.on_deny == "tell")
            for a in body.approve
        )
        return AgentPlan(
            body.tools, tuple(approvals), {name: self.writes(writes) for name, writes in body.tool_writes.items()},
            {name: self.delegate(delegate) for name, delegate in body.delegates.items()},
        )  # fmt: skip

    def delegate(self, spec: Delegate) -> DelegatePlan:
        called = self.spec.name if spec.graph == SELF else spec.graph
        return DelegatePlan(
            spec.name, spec.about, spoke_name(spec.path) if called is None else called, called is None,
            tuple((name, self.value(value)) for name, value in spec.handoff.items()), spec.history,
            self.writes(spec.writes),
        )  # fmt: skip

    def model(self, body: Body, defaults: Defaults) -> str | None:
        """The name of the model that a node calls, with the defaults of its graph and document merged in."""
        if isinstance(body, LLMBody | AgentBody):
            return body.model or defaults.model or self.default_model
        return None

    def cache(self, spec: NodeSpec, model: str | None) -> CachePlan | None:
        """How results are reused: the author's key counts together with the node, and all that it can refer to."""
        if spec.cache is None:
            return None
        identity = digest(encode(freeze([self.surroundings, spec.data(), model])))
        ttl = spec.cache.ttl
        return CachePlan(self.value(spec.cache.key), None if ttl is None else ttl.ms * 1000, identity)

    def events(self, body: WaitBody) -> dict[str, Check]:
        """The events for which a node waits, each with what its data must be: an object of its type."""
        return {name: _object_check(read_type(text, self.types)) for name, text in body.types.items()}

    def values(self, spec: NodeSpec) -> dict[str, Value]:
        body = spec.body
        found: dict[str, Any] = {}
        if isinstance(body, HumanBody):
            found = {"options": body.options, "value": body.value, "assign": body.assign}
        elif isinstance(body, MapBody):
            found = {"collect": body.collect}
        elif isinstance(body, WaitBody):
            found = {"until": body.until}
        elif isinstance(body, CodeBody):
            found = {"idempotency_key": body.idempotency_key}
        elif isinstance(body, ToolBody):
            tool = self.tool(body)
            found = {"idempotency_key": None if tool is None else tool.idempotency_key, "call": body.call}
        elif isinstance(body, EmitBody):
            found = {f"data.{name}": value for name, value in body.event_data.items()}
            return {name: self.value(value) for name, value in found.items()}
        elif isinstance(body, OtherBody):
            found = {".".join(path): raw for path, raw in keys.values_of(spec.kind, body.fields)}
            return {name: self.value(value) for name, value in found.items()}
        return {name: self.value(value) for name, value in found.items() if value is not None}

    def route(self, spec: Route, source: str) -> RoutePlan:
        ends = {END_NAME: END, FAIL_NAME: FAIL}
        to = tuple(ends[t] if t in ends else self.nodes[t] for t in spec.to)
        when = None if spec.when is None else self.expression(spec.when)
        label = spec.label or spec.when or ""
        return RoutePlan(when, to, self.writes(spec.writes), label, *self.group(source, spec.to))

    def group(self, source: str, targets: tuple[str, ...]) -> tuple[bool, tuple[AwaitedJoin, ...]]:
        """Whether this route opens a group of tokens, and the joins that count its branches."""
        if len(targets) < 2 or source not in self.grouped:
            return False, ()
        inner = {source} | {name for name, fork in self.forks.items() if fork == source}  # behind these it is over
        reached = self.flow.reachable(targets, lambda edge: edge.source not in inner and edge.kind != "update")
        awaited = []
        for name, node in self.spec.nodes.items():
            if isinstance(node.join, AtLeast) and self.forks.get(name) == source and name in reached:
                awaited.append(AwaitedJoin(self.nodes[name], needed(node.join.count, len(targets))))
        return True, tuple(awaited)

    def writes(self, writes: Mapping[str, Any]) -> Writes:
        return tuple((self.channels[name], self.value(value)) for name, value in writes.items())

    def value(self, raw: Any) -> Value:
        value = parse_value(raw)
        self.roots.update(read.root for read in value.reads)
        return value

    def expression(self, text: str) -> Expression:
        expression = parse(text)
        self.roots.update(read.root for read in expression.reads)
        return expression


def _object_check(kind: Type) -> Check:
    check = checker(kind)

    def checked(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeMismatch("$", "an object is expected")
        return check(value)

    return checked


def _effects(spec: NodeSpec, item: NodePlan | None, tool: ToolSpec | None) -> EffectClass:
    if isinstance(spec.body, CodeBody):
        return spec.body.effects
    if isinstance(spec.body, ToolBody) and tool is not None:
        calls = tool.graph is None and tool.client is None  # the others are sessions and questions of their own
        return tool.effects_of(spec.body.tool.rpartition(".")[2]) if calls else "read"
    if isinstance(spec.body, ToolBody):
        return "read"
    if item is not None:
        return item.effects if item.kind == "code" and item.effects == "pure" else "read"
    if isinstance(spec.body, OtherBody):
        node = registry.load("nodes", spec.kind)
        return "pure" if node.immediate else getattr(node, "EFFECTS", "read")
    return "read" if spec.kind in ("agent", "llm", "graph") else "pure"


def _retry(spec: Retry) -> RetryPlan:
    return RetryPlan(
        spec.max, None if spec.on is None else frozenset(spec.on), spec.backoff == "exponential", spec.delay.seconds,
        spec.max_delay.seconds, spec.jitter,
    )  # fmt: skip


def _show(path: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)


def write_check(reducer: str, check: Check) -> Check:
    """What one write to a channel is checked by; that of an author's reducer may be anything that it takes."""
    if reducer == "messages":
        return _message_writes
    return check if reducer in REDUCERS else freeze


def _message_writes(value: Any) -> Any:
    """Messages and markers: checked by shape, since a write may hold both."""
    if not isinstance(value, list):
        raise TypeMismatch("$", "a list of messages is expected")
    for i, item in enumerate(value):
        if not isinstance(item, dict) or not ("remove" in item or {"role", "content"} <= item.keys()):
            raise TypeMismatch(f"$[{i}]", "a message needs `role` and `content`")
    return value


__all__ = ["SELF", "compile_spec", "load_plan", "read_type", "resolve_types", "sub_plan"]
