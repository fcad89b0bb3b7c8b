"""Kind `map`: one task of `do` for each item of a list; results keep the order of the list."""

from __future__ import annotations

from typing import Any

from graphagent.concurrency import lone_nursery
from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan, needed
from graphagent.graph.spec import MapBody
from graphagent.ports import Finished, ItemEnd, Parked, Task


class MapNode:
    """Runs at most `concurrency` items at once; never more of their tasks are alive."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, MapBody)
        self.node, self.body = node, node.body
        self.limit = graph.limits.map_items

    def run_now(self, task: Task) -> Finished | Parked:
        """Not an immediate kind."""
        raise TypeError("kind map is awaited")

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        assert self.node.over is not None
        items = self.node.over.evaluate(task.env)
        if len(items) > self.limit:
            message = f"`over` has {len(items):,} items, `limits.map_items` allows {self.limit:,}"
            raise NodeError(message, kind="limit", retryable=False, hint="raise `limits.map_items`, or split the list")
        ends: list[ItemEnd | None] = [None] * len(items)
        queue = iter(range(len(items)))

        async def work() -> None:
            for index in queue:
                ends[index] = await task.item(index, self.env(task, items, index))

        workers = min(self.body.concurrency, len(items))
        if workers == 1:
            await work()
        elif workers:
            async with lone_nursery() as nursery:
                for _ in range(workers):
                    nursery.start_soon(work)
        return self.collect(task, items, [end for end in ends if end is not None])

    def env(self, task: Task, items: list[Any], index: int) -> dict[str, Any]:
        """What an item's expressions see besides the node's."""
        return {**task.env, self.body.item: items[index], "index": index}

    def collect(self, task: Task, items: list[Any], ends: list[ItemEnd]) -> Finished | Parked:
        """The results in item order, failed ones left out and listed; or the failure if too few succeeded."""
        if any(end.scope is None and end.error is None for end in ends):
            return Parked("open")
        results, errors = [], []
        collect = self.node.values["collect"]
        for index, end in enumerate(ends):
            if end.scope is None:
                errors.append({"index": index, "item": items[index], "error": end.error})
            else:
                results.append(collect.evaluate({**self.env(task, items, index), **end.scope}))
        if len(results) < self.needed(len(items)):
            first = errors[0]
            error: Any = first["error"]
            raise NodeError(
                f"{len(errors)} of {len(items)} items failed; item {first['index']}: {error['message']}",
                kind="item_failed", cause=error["kind"], retryable=False, hint=error["hint"],
                details={"index": first["index"]},
            )  # fmt: skip
        return Finished(results=results, errors=errors)

    def needed(self, count: int) -> int:
        """How many items must succeed."""
        need = self.body.need
        if need is None:
            return count
        return min(needed(need, count), count)
