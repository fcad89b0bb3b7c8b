"""A declaration that nothing uses.

What: a channel that is neither read nor written, a model, tool, prompt, secret, type or sub-graph that nothing names.
Why: mostly a leftover, or a misspelt use of it.
Example: `models: { fast: openai/gpt-5-mini, slow: openai/gpt-5.1 }` where all nodes say `model: fast`
Instead: take it out, or use it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.calls import calls
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import written
from graphagent.graph.spec import AgentBody, LLMBody, Prompt, Spec, ToolBody
from graphagent.graph.standard import SETS

CODE = "GA105"
TITLE = "unused declaration"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from _channels(graph)
    whole = graph.whole
    if graph.graph.name or whole.spec.kind == "Library":
        return
    for what, declared, used in _sections(whole):
        for name, path in declared:
            if name not in used:
                message = f"the {what} `{name}` is not used"
                yield whole.at_key(CODE, message, path, severity="warning", help="take it out, or use it")


def _channels(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.graph
    used = {read.root for inferred in graph.all_inferred for read, _ in inferred.reads}
    if spec.result is None:
        used |= set(spec.outputs)
    for node in spec.tasks():
        used |= set(node.on_update) | set(written(node, graph.flow.error_routes(node)))
        if isinstance(node.body, LLMBody | AgentBody) and node.body.history is not None:
            used.add(node.body.history.channel)
        if isinstance(node.body, AgentBody):
            used |= {name for tool in node.body.tools if (name := SETS.get(tool)) is not None}
            for writes in (*node.body.tool_writes.values(), *(d.writes for d in node.body.delegates.values())):
                used |= set(writes)
    for name, channel in spec.channels.items():
        if name not in used:
            message = f"the channel `{name}` is neither read nor written"
            help = "take it out, or use it"
            yield graph.whole.at_key(CODE, message, channel.path, severity="warning", help=help)


def _sections(whole: Analysis) -> Iterator[tuple[str, list[tuple[str, tuple[str | int, ...]]], set[str]]]:
    """What is declared in each section, as (word, names with their paths, the names that something uses)."""
    spec = whole.spec
    reads = {(read.root, *map(str, read.path[:1])) for graph in whole.graphs for found in graph.all_inferred
             for read, _ in found.reads}  # fmt: skip
    yield "model", [(n, m.path) for n, m in spec.models.items()], set(_models(spec))
    yield "tool", [(n, t.path) for n, t in spec.tools.items()], set(_tools(spec))
    yield "prompt", [(n, p.path) for n, p in spec.prompts.items()], {p.use for p in _prompts(spec) if p.use}
    secrets = {read[1] for read in reads if read[0] == "secrets" and len(read) > 1}
    if any(tool.openapi is not None for tool in spec.tools.values()):
        secrets |= set(spec.secrets)  # the document names those that it needs
    yield "secret", [(n, ("secrets", i)) for i, n in enumerate(spec.secrets)], secrets
    yield "type", [(n, ("types", n)) for n in spec.types], set(_types(spec))
    called = {call.graph for graph in spec.all_graphs for call in calls(spec, graph)}
    called |= {tool.graph for tool in spec.tools.values() if tool.graph}
    called |= {name for imported in spec.imports.values() for name in imported.override.graphs.values()}
    yield "sub-graph", [(n, g.path) for n, g in spec.graphs.items()], called
    used = {name.partition(".")[0] for name in (*_models(spec), *_tools(spec), *_types(spec), *called)}
    used |= {p.use.partition(".")[0] for p in _prompts(spec) if p.use}
    yield "import", [(n, i.path) for n, i in spec.imports.items()], used


def _models(spec: Spec) -> Iterator[str]:
    for graph in spec.all_graphs:
        if graph.defaults.model is not None:
            yield graph.defaults.model
        for node in graph.tasks():
            if isinstance(node.body, LLMBody | AgentBody) and node.body.model is not None:
                yield node.body.model
    for model in spec.models.values():
        yield from model.fallback
    for imported in spec.imports.values():
        override = imported.override
        yield from (name for model in override.models.values() for name in model.fallback)
        if override.defaults is not None and override.defaults.model is not None:
            yield override.defaults.model
    if spec.graph.defaults.model is not None:
        yield spec.graph.defaults.model


def _tools(spec: Spec) -> Iterator[str]:
    """Tools by their full name and by that of their server."""
    for graph in spec.all_graphs:
        for node in graph.tasks():
            names: Iterable[str] = ()
            if isinstance(node.body, ToolBody):
                names = (node.body.tool, *node.body.tools)
            elif isinstance(node.body, LLMBody | AgentBody):
                names = node.body.tools
            for name in names:
                yield name
                yield name.rpartition(".")[0]


def _prompts(spec: Spec) -> Iterator[Prompt]:
    for graph in spec.all_graphs:
        for node in graph.tasks():
            for key in ("system", "prompt"):
                prompt = getattr(node.body, key, None)
                if isinstance(prompt, Prompt):
                    yield prompt


def _types(spec: Spec) -> set[str]:
    """All words that stand in types: more than the names, which does no harm here."""
    texts: list[object] = [dict(fields) for fields in spec.types.values()]
    texts += [dict(tool.client.params) for tool in spec.tools.values() if tool.client is not None]
    texts += [tool.client.returns for tool in spec.tools.values() if tool.client is not None]
    texts += [dict(prompt.vars or {}) for prompt in (*spec.prompts.values(), *_prompts(spec))]
    for graph in spec.all_graphs:
        texts += [dict(graph.inputs), dict(graph.outputs), [channel.type for channel in graph.channels.values()]]
        for node in graph.tasks():
            texts += [getattr(node.body, "returns", None), getattr(node.body, "form", None)]
    return {word for text in texts for word in _WORD.findall(str(text))}
