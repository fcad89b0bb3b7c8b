"""Which names a node reads, and whether what it does may show what a secret channel holds."""

from __future__ import annotations

from graphagent.graph.plan import GraphPlan, NodePlan
from graphagent.graph.spec import AgentBody, LLMBody, MapBody


def names_read(node: NodePlan) -> set[str]:
    """The names that a node's own expressions read: channels, and others."""
    values = [v for _, v in (*node.arguments, *node.writes)] + list(node.values.values())
    local: set[str] = set()
    roots = {read.root for value in values for read in value.reads}
    if node.over is not None:
        roots |= {read.root for read in node.over.reads}
    if isinstance(node.body, MapBody):
        local = {node.body.item, "index"}
    for body in (node.body, node.item.body if node.item is not None else None):
        if isinstance(body, LLMBody) and body.history is not None:
            roots.add(body.history.channel)
    if node.item is not None:
        roots |= {read.root for _, value in node.item.arguments for read in value.reads} - local
    return roots


def touches_secret(node: NodePlan, graph: GraphPlan) -> bool:
    """Whether a node's calls may hold what a secret channel holds: it, or what its calls lead to, reads or writes
    one."""
    secret = {channel.name for channel in graph.channels if channel.secret}
    if not secret:
        return False
    writes = list(node.writes)
    if node.agent is not None:
        writes += [write for one in node.agent.tool_writes.values() for write in one]
        writes += [write for delegate in node.agent.delegates.values() for write in delegate.writes]
    if isinstance(node.body, AgentBody) and node.body.history is not None and node.body.history.channel in secret:
        return True
    written = {graph.channels[channel].name for channel, _ in writes}
    return bool(secret & (written | names_read(node)))
