"""A spec written anew with the builder's methods, as a person would who has its YAML before them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.graph.builder import GraphBuilder, GraphPart
from graphagent.graph.spec import Spec
from graphagent.graph.words import channel, route


def rebuilt(spec: Spec) -> GraphBuilder:
    data = spec.data()
    builder = GraphBuilder(**data["metadata"], inputs=data.get("inputs"), outputs=data.get("outputs"))
    builder.types(**data.get("types", {}))
    for section in ("models", "tools", "prompts", "imports"):
        getattr(builder, section)(**data.get(section, {}))
    if "secrets" in data:
        builder.secrets(*data["secrets"])
    _body(builder, data)
    for name, graph in data.get("graphs", {}).items():
        _body(builder.subgraph(name, inputs=graph.get("inputs"), outputs=graph.get("outputs")), graph)
    return builder


def _body(part: GraphPart, data: Mapping[str, Any]) -> None:
    part.channels(**{n: channel(**c) if isinstance(c, dict) else c for n, c in data.get("channels", {}).items()})
    part.defaults(**data.get("defaults", {}))
    part.limits(**data.get("limits", {}))
    part.start(*(data["start"] if isinstance(data["start"], list) else [data["start"]]))
    for name, node in data["nodes"].items():
        _node(part, name, dict(node))
    part.result(**data.get("result", {}))


def _node(part: GraphPart, name: str, keys: dict[str, Any]) -> None:
    kind, targets, item = keys.pop("kind"), keys.pop("next", None), keys.pop("do", None)
    if "on_error" in keys:
        keys["on_error"] = _routes(keys["on_error"])
    node = getattr(part, kind)(name, **_keywords(keys))
    if item is not None:
        with node as opened:
            getattr(opened.do, item.pop("kind"))(**_keywords(item))
    if targets is not None:
        routes = _routes(targets)
        node.next(*(routes if isinstance(routes, list) else [routes]))


def _routes(routes: Any) -> Any:
    if not isinstance(routes, list) or isinstance(routes[0], str):
        return routes
    out = []
    for given in routes:
        to = given.pop("to")
        out.append(route(*(to if isinstance(to, list) else [to]), **given))
    return out


def _keywords(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{key}_" if key in {"with", "as", "for"} else key: value for key, value in keys.items()}
