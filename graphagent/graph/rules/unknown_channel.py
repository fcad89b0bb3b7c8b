"""A channel that doesn't exist, as a target: in `writes`, `tool_writes`, `history` and `on_update`.

What: the name isn't declared under `channels` of this graph.
Why: only declared, typed channels hold state. Inputs can't be written.
Example: `writes: { sumary: "${ out.text }" }`
Instead: `writes: { summary: "${ out.text }" }`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, LLMBody, Path
from graphagent.graph.standard import SETS, declaration

CODE = "GA102"
TITLE = "unknown channel as a target"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.graph
    for route in spec.defaults.on_error or ():
        yield from _writes(graph, route.writes, route.path)
    for node in spec.nodes.values():
        yield from _writes(graph, node.writes, node.path)
        for route in (*node.next, *(node.on_error or ())):
            yield from _writes(graph, route.writes, route.path)
        for i, channel in enumerate(node.on_update):
            yield from _unknown(graph, channel, (*node.path, "on_update", i), key=False)
    for node, owner in graph.tasks:
        if isinstance(node.body, AgentBody):
            for tool, writes in node.body.tool_writes.items():
                for name in writes:
                    yield from _unknown(graph, name, (*node.path, "tool_writes", tool, name), key=True)
            if owner is None:  # a delegate's node has these channels by itself
                yield from _standard(graph, node.body, node.path)
            for delegate in node.body.delegates.values():
                yield from _writes(graph, delegate.writes, delegate.path)
        if isinstance(node.body, LLMBody | AgentBody) and node.body.history is not None:
            history = node.body.history
            yield from _unknown(graph, history.channel, (*history.path, "channel"), key=False)


def _standard(graph: GraphAnalysis, body: AgentBody, path: Path) -> Iterator[Diagnostic]:
    """The channels of the tool sets that an agent names."""
    for i, name in enumerate(body.tools):
        channel = SETS.get(name)
        if channel is not None and channel not in graph.graph.channels:
            place = (*path, "tools", i)
            yield graph.whole.finding(
                CODE, f"`{name}` needs a channel `{channel}`", place, graph.whole.document.span(place),
                label="its tools write it", help=f"declare it: `{declaration(channel)}`",
            )  # fmt: skip


def _writes(graph: GraphAnalysis, names: Iterable[str], path: Path) -> Iterator[Diagnostic]:
    for name in names:
        yield from _unknown(graph, name, (*path, "writes", name), key=True)


def _unknown(graph: GraphAnalysis, name: str, path: Path, *, key: bool) -> Iterator[Diagnostic]:
    channels = graph.graph.channels
    if name in channels:
        return
    document = graph.whole.document
    span = document.key_span(path) if key else document.span(path)
    otherwise = f"declare it: `channels: {{ {name}: str }}`"
    if name in graph.graph.inputs:
        otherwise = "inputs can't be written: declare a channel"
    guess = graph.whole.guess(name, channels, span, otherwise)
    label = "not declared under `channels`"
    yield graph.whole.finding(CODE, f"unknown channel `{name}`", path, span, label=label, **guess)
