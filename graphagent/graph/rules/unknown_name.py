"""A model, tool, prompt, secret, graph or type that doesn't exist.

What: the name isn't declared under `models`, `tools`, `prompts`, `secrets`, `graphs` or `types`.
Why: what a node uses is declared once, by name.
Example: `model: fats`
Instead: `model: fast`, with `models: { fast: openai/gpt-5-mini }`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import place
from graphagent.graph.spec import SELF, AgentBody, GraphBody, LLMBody, NodeSpec, Path, Prompt, ToolBody
from graphagent.graph.standard import PREFIX, SESSIONS, SETS

CODE = "GA103"
TITLE = "unknown model, tool, prompt, secret, graph or type"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    whole = graph.whole
    default = graph.graph.defaults.model
    if default is not None:
        path = (*graph.graph.path, "defaults", "model")
        yield from _unknown(whole, "model", default, whole.models, path)
    for node, _ in graph.tasks:
        yield from _node(graph, node)
    if not graph.graph.name:
        yield from _declared(whole)
        yield from _secrets(graph)


def _node(graph: GraphAnalysis, node: NodeSpec) -> Iterator[Diagnostic]:
    whole, body = graph.whole, node.body
    if isinstance(body, LLMBody | AgentBody):
        yield from _model(graph, node, body)
    if isinstance(body, LLMBody | ToolBody):
        for i, name in enumerate(body.tools):
            path = (*node.path, "tools", i)
            if name.startswith(PREFIX):
                help = "their tools go with the turns of an agent"
                yield whole.finding(CODE, f"the tool set `{name}` is for nodes of kind `agent`", path, help=help)
            else:
                yield from _tool(whole, name, path, several=True)
    if isinstance(body, ToolBody) and body.call is None:
        yield from _tool(whole, body.tool, (*node.path, "tool"), several=False)
    elif isinstance(body, GraphBody):
        yield from _unknown(whole, "graph", body.graph, [*whole.graph_names, SELF], (*node.path, "graph"))
    elif isinstance(body, AgentBody):
        for i, name in enumerate(body.tools):
            yield from _tool(whole, name, (*node.path, "tools", i), several=True)
            if name == SESSIONS and not body.delegates:
                help = "say under `delegates` what it may start, or take it away"
                message = f"`{SESSIONS}` starts delegates, and there are none"
                yield whole.finding(CODE, message, (*node.path, "tools", i), help=help)
        for delegate in body.delegates.values():
            if delegate.graph is not None:
                path = (*delegate.path, "graph")
                yield from _unknown(whole, "graph", delegate.graph, [*whole.graph_names, SELF], path)
    for key in ("system", "prompt"):
        prompt = getattr(body, key, None)
        if isinstance(prompt, Prompt) and prompt.use is not None:
            yield from _unknown(whole, "prompt", prompt.use, whole.prompts, (*prompt.path, "use"))


def _model(graph: GraphAnalysis, node: NodeSpec, body: LLMBody | AgentBody) -> Iterator[Diagnostic]:
    whole = graph.whole
    if body.model is not None:
        yield from _unknown(whole, "model", body.model, whole.models, (*node.path, "model"))
    elif graph.graph.defaults.model is None and whole.spec.graph.defaults.model is None:
        help = "name one of `models` in the node, or for all nodes in `defaults: { model: NAME }`"
        yield whole.at_key("GA005", "no `model` here, and none in `defaults`", node.path, help=help)


def _tool(whole: Analysis, name: str, path: Path, *, several: bool) -> Iterator[Diagnostic]:
    """A tool by its own name, or one of a server's by `server.tool`; `several`: `server` and `server.*` too."""
    server = name.rpartition(".")[0]
    if several and name.startswith(PREFIX):
        yield from _unknown(whole, "tool set", name, SETS, path)
        return
    owner = whole.tools.get(server)
    if owner is not None and owner.several:
        last = name.rpartition(".")[2]
        if owner.only is not None and last not in (*owner.only, "*"):
            guess = whole.guess(last, owner.only, None, f"it exposes: {', '.join(owner.only)}")
            yield whole.finding(CODE, f"the tool `{server}` doesn't expose `{last}`", path, **guess)
        return
    tool = whole.tools.get(name)
    if _of_lost_import(whole, name):
        return
    if tool is not None and (several or not tool.several):
        return
    if tool is not None:
        help = f"name one of its tools: `{name}.TOOL`"
        yield whole.finding(CODE, f"`{name}` stands for all tools of a server", path, help=help)
        return
    yield from _unknown(whole, "tool", name, whole.tools, path)


def _declared(whole: Analysis) -> Iterator[Diagnostic]:
    """Names that declarations use."""
    for model in whole.spec.models.values():
        for i, name in enumerate(model.fallback):
            yield from _unknown(whole, "model", name, whole.models, (*model.path, "fallback", i))
    for tool in whole.spec.tools.values():
        if tool.graph is not None:
            yield from _unknown(whole, "graph", tool.graph, whole.graph_names, (*tool.path, "graph"))


def _secrets(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    secrets = graph.whole.spec.secrets
    for inferred in graph.all_inferred:
        for read, path in inferred.reads:
            if read.root != "secrets" or inferred.occurrence.moment != "host" or not read.path:
                continue
            name = str(read.path[0])
            if name not in secrets:
                full, span = place(graph, inferred, path, read.start, read.end)
                guess = graph.whole.guess(name, secrets, None, f"declare it: `secrets: [{name}]`")
                label = "not declared under `secrets`"
                yield graph.whole.finding(CODE, f"unknown secret `{name}`", full, span, label=label, **guess)


def _of_lost_import(whole: Analysis, name: str) -> bool:
    """Whether the name is one of an import that couldn't be read, which was said there."""
    at = name.partition(".")[0]
    return at in whole.spec.imports and at not in whole.imports


def _unknown(whole: Analysis, what: str, name: str, known: Iterable[str], path: Path) -> Iterator[Diagnostic]:
    names = list(known)
    if name not in names and not _of_lost_import(whole, name):
        span = whole.document.span(path)
        listed = ", ".join(n for n in names if n != SELF)
        otherwise = f"{what}s: {listed}" if listed else f"declare it under `{what}s`"
        guess = whole.guess(name, names, span, otherwise)
        label = f"not declared under `{what}s`"
        yield whole.finding(CODE, f"unknown {what} `{name}`", path, span, label=label, **guess)
