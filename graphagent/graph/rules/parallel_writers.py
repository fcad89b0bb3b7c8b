"""Two nodes that can run in one superstep write one `last` channel.

What: tokens of one fork can be at both nodes at the same time, and both write the channel.
Why: which write would win is not defined, so the run would fail there with `write_conflict`.
Example: two parallel branches with `writes: { notes: "${ out }" }`
Instead: a reducer such as `append`, two channels, or a `join` before the second writer. Where guards that the
compiler can't see through keep the two apart: `# graphagent: allow GA406 <reason>` on the line above, or behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.flow import written
from graphagent.graph.spec import Path

CODE = "GA406"
TITLE = "two parallel writers of one channel"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    whole, channels, flow = graph.whole, graph.graph.channels, graph.flow
    last = {name for name, channel in channels.items() if channel.reducer == "last"}
    writes: dict[str, dict[str, Path]] = {}
    for name, node in graph.graph.nodes.items():
        found = {channel: path for channel, path in written(node, flow.error_routes(node)).items() if channel in last}
        if found and name in flow.live:
            writes[name] = found
    reported: set[Path] = set()
    for a, b in graph.tokens.meetings(list(writes)):
        for channel in writes[a].keys() & writes[b].keys():
            first, second = writes[a][channel], writes[b][channel]
            if second in reported:
                continue
            reported.add(second)
            notes = (Note(f"`{a}` writes it here", whole.document.key_span(first)),)
            message = f"`{a}` and `{b}` can both write `{channel}` in one superstep"
            help = _help(graph, channel)
            yield whole.at_key(CODE, message, second, label="its reducer is `last`", notes=notes, help=help)


def _help(graph: GraphAnalysis, channel: str) -> str:
    kind = graph.graph.channels[channel].type
    if kind.startswith("list["):
        return "keep both: `reducer: append`, or write two channels"
    if kind in {"int", "float"}:
        return "add up: `reducer: sum`, or write two channels"
    if kind.startswith("dict["):
        return "keep both: `reducer: merge`, or write two channels"
    return "write two channels, or join the branches before the second writer"
