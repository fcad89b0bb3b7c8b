"""Kind `router`: only routes."""

from __future__ import annotations

from graphagent.nodes.set import SetNode


class RouterNode(SetNode):
    """Does nothing by itself: the engine evaluates its guards."""
