"""Two parallel branches that wait for the same event.

What: two `wait` nodes can be parked at the same time, wait for the same event (or for lists that share one) and have
the same `match`.
Why: an event is used once; which of the two would get it depends on nothing that the author says.
Example: two branches with `{ kind: wait, event: order.paid }`
Instead: tell them apart with `match`, or wait once, before the fork. Where guards keep the two apart:
`# graphagent: allow GA409 <reason>` on the line above, or behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.spec import WaitBody

CODE = "GA409"
TITLE = "parallel waits for one event"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    nodes = graph.graph.nodes
    waits = {name: node.body for name, node in nodes.items() if isinstance(node.body, WaitBody) and node.body.event}
    if len(waits) < 2:
        return
    order = list(nodes)
    pairs = graph.tokens.pairs or ()
    both = {tuple(sorted(pair[:2], key=order.index)) for pair in pairs if pair[0] in waits and pair[1] in waits}
    for first, second in sorted(both, key=lambda pair: [order.index(name) for name in pair]):
        shared = [event for event in waits[second].event if event in waits[first].event]
        if not shared or waits[first].match != waits[second].match:
            continue
        path = (*nodes[second].path, "event")
        note = Note(f"`{first}` waits for it here", graph.whole.document.span((*nodes[first].path, "event")))
        message = f"`{first}` and `{second}` can wait for `{shared[0]}` at the same time"
        help = "tell them apart with `match`"
        yield graph.whole.finding(CODE, message, path, notes=(note,), help=help)
