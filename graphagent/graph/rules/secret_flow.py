"""A secret that would become visible.

What: `secrets` outside of `models` and `tools`, or a channel with `secret: true` that flows into a prompt, another
channel, an event, a child session or an output.
Why: prompts, channels and events are stored and shown; secrets never are.
Example: `with: { key: "${ secrets.API_KEY }" }`
Instead: `api_key: "${ secrets.API_KEY }"` under `models`; a secret channel may go to `code` and `tool` nodes
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import place
from graphagent.graph.occurrences import Occurrence
from graphagent.graph.spec import AgentBody, LLMBody, MapBody

CODE = "GA601"
TITLE = "secret becomes visible"
_PROMPTING = {"llm": "a prompt", "agent": "a prompt", "human": "a question", "graph": "a child session"}


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    whole, channels = graph.whole, graph.graph.channels
    secret = {name for name, channel in channels.items() if channel.secret}
    for inferred in graph.all_inferred:
        occurrence = inferred.occurrence
        for read, path in inferred.reads:
            full, span = place(graph, inferred, path, read.start, read.end)
            if read.root == "secrets" and occurrence.moment != "host":
                help = "`secrets` may be used under `models` and `tools` only"
                yield whole.finding(CODE, "a secret would become visible here", full, span, help=help)
            elif read.root in secret and (where := _visible(graph, occurrence)) is not None:
                message = f"the secret channel `{read.root}` would become visible in {where}"
                help = "pass it to a `code` or `tool` node only, or to another secret channel"
                yield whole.finding(CODE, message, full, span, help=help)
    if graph.graph.result is None:  # each output is the channel of its name
        for name in graph.graph.outputs:
            if name in secret:
                message = f"the secret channel `{name}` would become visible in the output of its name"
                help = "say in `result` what the output is instead"
                yield whole.at_key(CODE, message, (*graph.graph.path, "outputs", name), help=help)
    for node, _ in graph.tasks:
        history = node.body.history if isinstance(node.body, LLMBody | AgentBody) else None
        if history is not None and history.channel in secret:
            message = f"the secret channel `{history.channel}` would become visible in a prompt"
            yield whole.finding(CODE, message, (*history.path, "channel"))


def _visible(graph: GraphAnalysis, occurrence: Occurrence) -> str | None:
    """Where the value of an occurrence is shown or stored as plain text; None if nowhere."""
    if occurrence.role == "writes":
        target = graph.graph.channels.get(occurrence.key or "")
        return None if target is None or target.secret else f"the channel `{target.name}`"
    if occurrence.role in ("data", "result", "collect", "handoff", "cache"):
        words = {"data": "an event", "result": "an output", "collect": "the results of a map"}
        return words.get(occurrence.role, "a child session" if occurrence.role == "handoff" else "a cache key")
    node = occurrence.node
    kind = node.kind if node is not None else ""
    if occurrence.role == "over" and node is not None and isinstance(node.body, MapBody):
        return _PROMPTING.get(node.body.do.kind)
    if occurrence.role == "with" or (occurrence.role == "other" and kind == "human"):
        return _PROMPTING.get(kind)
    return None
