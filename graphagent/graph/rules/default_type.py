"""A default that doesn't fit its type.

What: the `default` of a channel, or what stands after `=` in a type, isn't a value of the type.
Why: the first node that reads it would get something else than was declared.
Example: `tries: { type: int, default: "0" }`
Instead: `tries: { type: int, default: 0 }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.types import TypeMismatch, describe
from graphagent.graph.types import check as check_value

CODE = "GA303"
TITLE = "default doesn't fit the type"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for name, channel in graph.graph.channels.items():
        if not channel.has_default:
            continue
        declared = graph.environment.channels[name]
        try:
            check_value(declared, channel.default)
        except TypeMismatch as error:
            where = "" if error.path == "$" else f" at `{error.path}`"
            message = f"the default of `{name}` doesn't fit `{describe(declared)}`{where}: {error.message}"
            help = error.hint
            if channel.default is None and help is None:
                help = f"without a value until the first write: leave `default` out, or declare `{channel.type} | None`"
            yield graph.whole.finding(CODE, message, (*channel.path, "default"), help=help)
