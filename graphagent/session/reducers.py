"""Authors' reducers: `pkg.mod:name`, found like the functions of code nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from graphagent.channels.reducers import REDUCERS
from graphagent.codec import freeze
from graphagent.errors import CodecError, NodeError
from graphagent.graph.plan import ChannelPlan, GraphPlan, Plan
from graphagent.graph.types import TypeMismatch
from graphagent.session.functions import Functions
from graphagent.snapshot import UNSET


def bound(plan: Plan, functions: Functions) -> Plan:
    """The plan with its authors' reducers in place; they are imported when the first write is folded."""
    graphs = {name: _bound(graph, functions) for name, graph in plan.graphs.items()}
    return plan if all(graphs[n] is plan.graphs[n] for n in graphs) else replace(plan, graphs=graphs)


def _bound(graph: GraphPlan, functions: Functions) -> GraphPlan:
    if all(channel.reducer in REDUCERS for channel in graph.channels):
        return graph
    channels = (c if c.reducer in REDUCERS else replace(c, fold=folding(c, functions)) for c in graph.channels)
    return replace(graph, channels=tuple(channels))


def folding(channel: ChannelPlan, functions: Functions) -> Callable[[Any, Any], Any]:
    """How an author's function folds this channel. Where it has no value yet, the first write is its value.

    The function gets copies, so it may change what it gets.
    """

    def fold(value: Any, write: Any) -> Any:
        try:
            made = write
            if value is not UNSET:
                made = functions.load(channel.reducer)(freeze(value), freeze(write))
            return channel.check(freeze(made))
        except NodeError:
            raise
        except (CodecError, TypeMismatch) as error:
            raise _failed(channel, f"what it returned doesn't fit: {error}", "invalid_output") from error
        except Exception as error:
            raise _failed(channel, f"{type(error).__name__}: {error}", "code_failed") from error

    return fold


def _failed(channel: ChannelPlan, what: str, kind: str) -> NodeError:
    message = f"the reducer {channel.reducer!r} of channel {channel.name!r} failed: {what}"
    hint = "correct the function, then resume: what the nodes returned is kept"
    return NodeError(message, kind=kind, retryable=False, hint=hint)
