"""Delegates given as a node: each is a graph of its own, with that one node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from graphagent.graph.spec import END, AgentBody, ChannelSpec, Delegate, GraphSpec, NodeSpec, Path, Route, Spec
from graphagent.graph.standard import CHANNELS, SETS

OUT: Final = "out"
NODE: Final = "do"


def spoke_name(path: Path) -> str:
    """The name of the graph of the delegate at this path. No author can give it to another one."""
    return "/".join(str(part) for part in path)


def spokes(spec: Spec) -> Iterator[GraphSpec]:
    """The graphs of all delegates of a document that are given as a node."""
    for graph in spec.all_graphs:
        for node in graph.tasks():
            if isinstance(node.body, AgentBody):
                for delegate in node.body.delegates.values():
                    if delegate.do is not None:
                        yield _spoke(graph, delegate, delegate.do)


def _spoke(graph: GraphSpec, delegate: Delegate, do: NodeSpec) -> GraphSpec:
    """Its inputs are the handoff's names, `task`, and `history` where the hub passes its messages."""
    inputs: dict[str, Any] = dict.fromkeys(delegate.handoff, "any")
    inputs["task"] = "str"
    if delegate.history != "none":
        inputs["history"] = "list[Message]"
    channels = {OUT: ChannelSpec(OUT, "any")}
    for tool in do.body.tools if isinstance(do.body, AgentBody) else ():
        name = SETS.get(tool)
        if name is not None:
            kind, reducer = CHANNELS[name]
            channels[name] = ChannelSpec(name, kind, reducer, [], has_default=reducer == "last")
    node = replace(do, name=NODE, next=(Route(to=(END,)),), writes={OUT: f"${{ {OUT} }}"})
    return GraphSpec(
        name=spoke_name(delegate.path), start=(NODE,), nodes={NODE: node}, inputs=inputs, outputs={OUT: "any"},
        channels=channels, defaults=replace(graph.defaults, on_error=None), path=delegate.path,
    )  # fmt: skip
