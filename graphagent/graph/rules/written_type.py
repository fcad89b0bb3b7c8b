"""A value that doesn't fit the channel it is written to.

What: the type of the value isn't the channel's, or not what its reducer takes for a write.
Why: a write of another type would fail at the barrier, after the work was done. `append`, `union` and `messages`
take lists: one item is written `[x]`.
Example: `writes: { findings: "${ out }" }`, where `out` is one finding
Instead: `writes: { findings: "${ [out] }" }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.mismatch import mismatch_help, show

CODE = "GA301"
TITLE = "written value doesn't fit"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    from graphagent.graph.types import assignable, describe

    channels = graph.graph.channels
    for inferred in graph.all_inferred:
        occurrence = inferred.occurrence
        name = occurrence.key
        if name is None or occurrence.role != "writes" or name not in channels or not inferred.sound:
            continue
        wanted = graph.environment.write_type(name)
        if assignable(inferred.type, wanted):
            continue
        channel = channels[name]
        shown = describe(graph.environment.channels[name])
        notes = (Note(f"`{name}: {channel.type}` is declared here", graph.whole.document.key_span(channel.path)),)
        message = f"`{name}` takes `{shown}`, not `{show(inferred.type)}`"
        help = mismatch_help(inferred, wanted, graph.whole.scalar(occurrence.path))
        yield graph.whole.finding(CODE, message, occurrence.path, notes=notes, help=help)
