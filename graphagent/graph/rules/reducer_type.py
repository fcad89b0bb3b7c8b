"""A reducer that doesn't exist, or that can't fold values of the channel's type.

What: `append` and `union` take lists, `merge` dicts, `sum` numbers, `min` and `max` numbers or text, `messages` a
`list[Message]`.
Why: it says how the writes of one superstep become one value.
Example: `notes: { type: str, reducer: append }`
Instead: `notes: { type: "list[str]", reducer: append }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.channels.reducers import REDUCERS
from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.types import FLOAT, INT, STR, DictOf, ListOf, Message, Type, UnionOf, describe, widen

CODE = "GA302"
TITLE = "reducer doesn't fit the type"
_WANTED = {
    "append": "a list", "union": "a list", "merge": "`dict[str, T]`", "sum": "`int` or `float`",
    "min": "`int`, `float` or `str`", "max": "`int`, `float` or `str`", "messages": "`list[Message]`",
}  # fmt: skip


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    whole = graph.whole
    for name, channel in graph.graph.channels.items():
        path = (*channel.path, "reducer")
        if channel.reducer not in REDUCERS:
            if ":" in channel.reducer:  # a function of the author's: GA108 and GA604 look at it
                continue
            span = whole.document.span(path)
            guess = whole.guess(channel.reducer, REDUCERS, span, f"reducers: {', '.join(REDUCERS)}")
            yield whole.finding(CODE, f"unknown reducer `{channel.reducer}`", path, span, **guess)
        elif graph.environment.broken_type(name):
            continue  # reported already
        elif not _fits(channel.reducer, graph.environment.channels[name]):
            shown = describe(graph.environment.channels[name])
            label = f"`{name}` is `{shown}`"
            message = f"the reducer `{channel.reducer}` takes {_WANTED[channel.reducer]}, not `{shown}`"
            yield whole.finding(CODE, message, path, label=label)


def _fits(reducer: str, declared: Type) -> bool:
    if reducer in {"append", "union"}:
        return isinstance(declared, ListOf)
    if reducer == "merge":
        return isinstance(declared, DictOf)
    if reducer == "messages":
        return isinstance(declared, ListOf) and declared.item == Message
    if reducer == "sum":
        return declared in {INT, FLOAT}
    if reducer in {"min", "max"}:
        plain = widen(declared)
        return not isinstance(plain, UnionOf) and any(plain == t for t in (INT, FLOAT, STR))
    return True
