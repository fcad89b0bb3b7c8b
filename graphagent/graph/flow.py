"""Where tokens can go in one graph: edges, reachability and cycles. Guards count as free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from graphagent.graph.spec import END, FAIL, GraphSpec, NodeSpec, Path, Route

START: Final = ""
"""The name of the pseudo node from which the first tokens come."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One target of one route. `kind` is `update` where a write to a channel of `on_update` is the cause."""

    source: str
    target: str
    kind: Literal["start", "next", "error", "update"]
    route: Route
    position: int = 0

    @property
    def path(self) -> Path:
        """Where the author names the target."""
        path, many = self.route.path, len(self.route.to) > 1
        if self.kind == "start" or (self.route.path and not isinstance(path[-1], int)):
            return (*path, self.position) if many else path
        return (*path, "to", self.position) if many else (*path, "to")


class Flow:
    """The route graph of a `GraphSpec`. Targets that don't exist are left out (GA101 names them)."""

    def __init__(self, graph: GraphSpec) -> None:
        self.graph = graph
        self.start = Route(graph.start, path=(*graph.path, "start"))

    @cached_property
    def edges(self) -> dict[str, tuple[Edge, ...]]:
        """The edges that leave each node, START included."""
        out = {START: tuple(self._edges_of(START, (self.start,), "start"))}
        for name, node in self.graph.nodes.items():
            found = list(self._edges_of(name, node.next, "next"))
            found += self._edges_of(name, self.error_routes(node), "error")
            out[name] = tuple(found)
        for edge in self._update_edges():
            out[edge.source] = (*out[edge.source], edge)
        return out

    def error_routes(self, node: NodeSpec) -> tuple[Route, ...]:
        """The routes of a failed node: its own, then those of `defaults` unless they name it or can't be reached."""
        own = node.on_error or ()
        default = self.graph.defaults.on_error or ()
        if any(route.when is None for route in own) or any(node.name in route.to for route in default):
            return own
        return own + default

    def _edges_of(
        self, source: str, routes: Iterable[Route], kind: Literal["start", "next", "error"]
    ) -> Iterator[Edge]:
        for route in routes:
            for i, target in enumerate(route.to):
                if target in self.graph.nodes or target in {END, FAIL}:
                    yield Edge(source, target, kind, route, i)

    def _update_edges(self) -> Iterator[Edge]:
        watchers: dict[str, list[str]] = {}
        for name, node in self.graph.nodes.items():
            for channel in node.on_update:
                watchers.setdefault(channel, []).append(name)
        if not watchers:
            return
        for name, node in self.graph.nodes.items():
            for channel in written(node, self.error_routes(node)):
                for watcher in watchers.get(channel, ()):
                    path = (*self.graph.nodes[watcher].path, "on_update")
                    yield Edge(name, watcher, "update", Route((watcher,), path=path))

    @cached_property
    def incoming(self) -> dict[str, tuple[Edge, ...]]:
        found: dict[str, list[Edge]] = {name: [] for name in (*self.graph.nodes, END, FAIL)}
        for edges in self.edges.values():
            for edge in edges:
                found[edge.target].append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Where tokens can come from: START, the node of `on_limit`, and nodes with `on_update`."""
        limit = self.graph.limits.on_limit
        woken = [name for name, node in self.graph.nodes.items() if node.on_update]
        limits = [limit] if limit is not None and limit in self.graph.nodes else []
        return (START, *limits, *woken)

    def reachable(self, sources: Iterable[str], follow: Callable[[Edge], bool] | None = None) -> set[str]:
        """The sources and all that can be reached from them over edges that `follow` lets pass."""
        seen = set(sources)
        todo = list(seen)
        while todo:
            for edge in self.edges.get(todo.pop(), ()):
                if edge.target not in seen and (follow is None or follow(edge)):
                    seen.add(edge.target)
                    todo.append(edge.target)
        return seen

    @cached_property
    def live(self) -> set[str]:
        """The nodes that can run at all."""
        return self.reachable(self.roots) & set(self.graph.nodes)

    @cached_property
    def ending(self) -> set[str]:
        """The nodes from which a token can get to `end` or `fail`."""
        seen, todo = {END, FAIL}, [END, FAIL]
        while todo:
            for edge in self.incoming[todo.pop()]:
                if edge.source not in seen and edge.source != START:
                    seen.add(edge.source)
                    todo.append(edge.source)
        return seen

    def cycles(self, edges: Iterable[Edge]) -> list[list[Edge]]:
        """The strongly connected parts that these edges form, each as the edges inside of it, in the given order."""
        kept = list(edges)
        component = components(kept)
        out: dict[int, list[Edge]] = {}
        for edge in kept:
            if component[edge.source] == component[edge.target]:
                out.setdefault(component[edge.source], []).append(edge)
        return list(out.values())


def written(node: NodeSpec, error_routes: Iterable[Route]) -> dict[str, Path]:
    """The channels that a task of this node may write, its routes included, with where it says so."""
    out = {channel: (*node.path, "writes", channel) for channel in node.writes}
    for route in (*node.next, *error_routes):
        for channel in route.writes:
            out.setdefault(channel, (*route.path, "writes", channel))
    return out


def components(edges: Iterable[Edge]) -> dict[str, int]:
    """The number of the strongly connected component of each node.

    Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972; without recursion.
    """
    following: dict[str, list[str]] = {}
    for edge in edges:
        following.setdefault(edge.source, []).append(edge.target)
        following.setdefault(edge.target, [])
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    number: dict[str, int] = {}
    stack: list[str] = []
    for root in following:
        if root in index:
            continue
        work = [(root, iter(following[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    work.append((successor, iter(following[successor])))
                    break
                if successor not in number:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    while node not in number:
                        number[stack.pop()] = index[node]
    return number
