"""From the tree of a document to its spec, with every finding about structure on the way (GA001 to GA006)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from graphagent.graph import keys, spec
from graphagent.graph.diagnostics import Span
from graphagent.graph.document import Document, Mapping, Node, Scalar, plain_data
from graphagent.graph.reader import BROKEN, NOT_YET, Reader
from graphagent.graph.spec import Path
from graphagent.graph.suggest import suggest

T = TypeVar("T")

_BODIES: Final[dict[str, Callable[..., Any]]] = {
    "set": spec.SetBody, "router": spec.RouterBody, "code": spec.CodeBody, "llm": spec.LLMBody,
    "human": spec.HumanBody, "graph": spec.GraphBody, "map": spec.MapBody, "emit": spec.EmitBody,
}  # fmt: skip
_NOT_IN_DO: Final = frozenset(keys.NODE) - frozenset(keys.ITEM)
_NEEDED_BY_MODE: Final = {"choose": "options", "form": "form", "edit": "value"}


class Walker(Reader):
    """Reads a whole document. `spec` leaves broken parts out, so it can be checked further but not compiled."""

    def read_document(self) -> spec.Spec | None:
        root = self.document.root
        if root is None:
            if not self.document.diagnostics:
                self.report("GA005", "the file is empty", self.document.start, (), help="`graphagent init` writes one")
            return None
        if isinstance(root, Scalar) and root.value is None:
            self.report("GA005", "the file is empty", self.document.start, (), help="`graphagent init` writes one")
            return None
        if not isinstance(root, Mapping):
            self.wrong(root, (), "a graph, which is a mapping,")
            return None
        if not self.check_version(root):
            return None
        found = self.fields(root, (), keys.DOCUMENT, "document", self.document.start) or self.partial(root)
        body = {key: found[key] for key in keys.GRAPH if key in found}
        body.setdefault("start", ())
        body.setdefault("nodes", {})
        metadata = found.get("metadata") or spec.Metadata("broken")
        rest = {key: found[key] for key in ("types", "models", "graphs") if key in found}
        return spec.Spec(metadata=metadata, graph=spec.GraphSpec(name="", **body), **rest)

    def partial(self, root: Mapping) -> dict[str, Any]:
        """What can be read of a document that lacks a required key; its findings are known already."""
        silent = type(self)(self.document)
        shape = {key: keys.Key(k.reader, k.option, False, k.field) for key, k in keys.DOCUMENT.items()}
        return silent.fields(root, (), shape, "document") or {}

    def check_version(self, root: Mapping) -> bool:
        """GA001 for `apiVersion` and `kind`: a document in another language isn't read any further."""
        version, kind = root.get("apiVersion"), root.get("kind")
        place = self.document.start
        if version is None:
            help = f"the first line of a graph is `apiVersion: {spec.API_VERSION}`"
            self.report("GA001", "`apiVersion` is missing", place, (), help=help)
        elif plain_data(version) != spec.API_VERSION:
            message, help = f"unknown `apiVersion`: {self.shown(version)}", f"this release reads `{spec.API_VERSION}`"
            self.report("GA001", message, version.span, ("apiVersion",), help=help)
        elif kind is not None and plain_data(kind) == "Library":
            self.report("GA001", f"`kind: Library` {NOT_YET}", kind.span, ("kind",))
        elif kind is not None and plain_data(kind) != "Graph":
            message, help = f"unknown `kind`: {self.shown(kind)}", "write `kind: Graph`"
            self.report("GA001", message, kind.span, ("kind",), help=help)
        else:
            return True
        return False

    def shown(self, node: Node) -> str:
        return f"`{node.text}`" if isinstance(node, Scalar) else "it must be text"

    def build(self, make: Callable[..., T], node: Node, path: Path, shape: keys.Shape, what: str, **more: Any) -> T:
        """A part of the spec from a mapping, BROKEN if it can't be made."""
        found = self.fields(node, path, shape, what)
        if found is None:
            return BROKEN  # type: ignore[no-any-return]
        return make(**found, **more, path=path)

    # --- parts of the document

    def read_metadata(self, node: Node, path: Path) -> Any:
        return self.build(spec.Metadata, node, path, keys.METADATA, "metadata")

    def read_types(self, node: Node, path: Path) -> Any:
        out = {}
        for name, _, value, at in self.items(node, path, "names to object types"):
            fields = self.read_object(value, at)
            if fields is not BROKEN:
                out[name] = fields
        return out

    def read_models(self, node: Node, path: Path) -> Any:
        out = {}
        for name, _, value, at in self.items(node, path, "names to models"):
            if isinstance(value, Scalar):
                use = self.read_provider_model(value, at)
                out[name] = spec.ModelSpec(name, "" if use is BROKEN else use, path=at)
                continue
            model = self.build(spec.ModelSpec, value, at, keys.MODEL, "model", name=name)
            out[name] = spec.ModelSpec(name, "", path=at) if model is BROKEN else model
        return out

    def read_channels(self, node: Node, path: Path) -> Any:
        return {name: self.channel(name, value, at) for name, _, value, at in self.items(node, path, "names to types")}

    def channel(self, name: str, node: Node, path: Path) -> spec.ChannelSpec:
        """A channel; one that can't be read has the type `any`, so that its uses give no further errors."""
        broken = spec.ChannelSpec(name, "any", path=path)
        if not isinstance(node, Mapping):
            text = self.type_text(node, path)
            return broken if text is BROKEN else spec.ChannelSpec(name, text, path=path)
        if "type" not in node.items and not set(node.items) & set(keys.CHANNEL):
            help = "an object type gets a name under `types`, and the channel takes that name"
            self.report("GA005", "the key `type` is missing", node.span, path, label="in this channel", help=help)
            return broken
        channel = self.build(spec.ChannelSpec, node, path, keys.CHANNEL, "channel", name=name,
                             has_default="default" in node.items)  # fmt: skip
        if channel is BROKEN:
            return broken
        return replace(channel, has_default=False) if (*path, "default") in self.broken else channel

    def read_defaults(self, node: Node, path: Path) -> Any:
        return self.build(spec.Defaults, node, path, keys.DEFAULTS, "defaults")

    def read_limits(self, node: Node, path: Path) -> Any:
        return self.build(spec.Limits, node, path, keys.LIMITS, "limits")

    def read_graphs(self, node: Node, path: Path) -> Any:
        out = {}
        for name, key, value, at in self.items(node, path, "names to graphs"):
            found = self.fields(value, at, keys.GRAPH, "graph", key.span)
            if found is not None:
                out[name] = spec.GraphSpec(name=name, path=at, **found)
            else:
                out[name] = spec.GraphSpec(name=name, path=at, start=(), nodes={})
        return out

    # --- nodes

    def read_nodes(self, node: Node, path: Path) -> Any:
        out = {}
        for name, key, value, at in self.items(node, path, "names to nodes"):
            out[name] = self.node(name, key.span, value, at, keys.NODE)
        if not out and isinstance(node, (Mapping, Scalar)) and not plain_data(node):
            self.report("GA005", "there is no node", node.span, path)
        return out

    def node(self, name: str, owner: Span, node: Node, path: Path, common: keys.Shape) -> spec.NodeSpec:
        """A node. What is broken is left out; an unknown kind gets a body that stands for nothing."""
        if not isinstance(node, Mapping):
            self.wrong(node, path, "a node, which is a mapping,")
            return spec.NodeSpec(name, "", spec.UnknownBody(), path=path)
        kind = self.kind(node, owner, path)
        if kind is None:
            shape = {key: entry for key, entry in common.items() if key in node.items and key != "kind"}
            kept = Mapping({key: item for key, item in node.items.items() if key in shape}, node.span)
            found = self.fields(kept, path, shape, "node") or {}
            return spec.NodeSpec(name, "", spec.UnknownBody(), path=path, **found)
        if common is keys.ITEM:
            node = self.without_forbidden(node, path)
        shape = {**common, **keys.KINDS[kind]}
        complete = self.fields(node, path, shape, "node", owner, kind)
        found = complete or {}
        if complete is None:  # the findings are known: take what can be read
            optional = {key: keys.Key(k.reader, k.option, False, k.field) for key, k in shape.items()}
            found = type(self)(self.document).fields(node, path, optional, "node", owner, kind) or {}
        body = self.body(kind, found, owner, path, node)
        of_kind = {entry.field or key for key, entry in keys.KINDS[kind].items()} | {"kind"}
        rest = {key: value for key, value in found.items() if key not in of_kind}
        return spec.NodeSpec(name, kind, body, path=path, **rest)

    def kind(self, node: Mapping, owner: Span, path: Path) -> str | None:
        """The kind of a node if it is one that can run."""
        found = node.get("kind")
        listed = ", ".join(keys.KINDS)
        if found is None:
            help = f"kinds: {listed}"
            self.report("GA005", "the key `kind` is missing", owner, path, label="in this node", help=help)
            return None
        name = self.read_text(found, (*path, "kind"))
        if name is BROKEN or name in keys.KINDS:
            return None if name is BROKEN else str(name)
        if name in keys.LATER_KINDS:
            self.report("GA001", f"`kind: {name}` {NOT_YET}", found.span, (*path, "kind"), help=f"kinds: {listed}")
            return None
        guess = suggest(name, list(keys.KINDS))
        self.report(
            "GA001", f"unknown `kind`: `{name}`", found.span, (*path, "kind"),
            help=f"did you mean `{guess}`?" if guess else f"kinds: {listed}",
            fix=self.replace(found.span, guess) if guess else None,
        )  # fmt: skip
        return None

    def without_forbidden(self, node: Mapping, path: Path) -> Mapping:
        """GA307 for what a node under `do` can't have."""
        kept = {}
        for key, item in node.items.items():
            if key in _NOT_IN_DO:
                help = "it belongs to the map node itself" if key != "writes" else "`collect` says what an item adds"
                self.report("GA307", f"`{key}` is not allowed under `do`", item[0].span, (*path, key), help=help)
            else:
                kept[key] = item
        return Mapping(kept, node.span)

    def body(self, kind: str, found: dict[str, Any], owner: Span, path: Path, node: Mapping) -> Any:
        """The part of a node that only its kind has."""
        shape = keys.KINDS[kind]
        fields = {entry.field or key: found[entry.field or key] for key, entry in shape.items()
                  if (entry.field or key) in found}  # fmt: skip
        if kind == "llm" and "prompt" not in node.items and "history" not in node.items:
            self.report("GA005", "one of `prompt` and `history` is missing", owner, path, label="in this node")
        if kind == "human" and "mode" in fields:
            self.check_mode(fields["mode"], node, owner, path)
        if any(entry.required and (entry.field or key) not in fields for key, entry in shape.items()):
            return spec.UnknownBody()
        return _BODIES[kind](**fields)

    def check_mode(self, mode: str, node: Mapping, owner: Span, path: Path) -> None:
        needed = _NEEDED_BY_MODE.get(mode)
        if needed is not None and needed not in node.items:
            self.report("GA005", f"`mode: {mode}` needs the key `{needed}`", owner, path, label="in this node")
        for other, key in _NEEDED_BY_MODE.items():
            if key != "form" and other != mode and key in node.items:
                span = node.items[key][0].span
                self.report("GA004", f"`{key}` belongs to `mode: {other}`", span, (*path, key))

    def read_item(self, node: Node, path: Path) -> Any:
        """The node under `do`."""
        if isinstance(node, Mapping):
            kind = node.get("kind")
            name = kind.text if isinstance(kind, Scalar) else None
            if name in keys.KINDS and name not in keys.ITEM_KINDS:
                listed = ", ".join(keys.ITEM_KINDS)
                help = f"a map runs one of {listed}; a graph can hold any node"
                return self.report("GA307", f"`kind: {name}` is not allowed under `do`", kind.span, path, help=help)  # type: ignore[union-attr]
        return self.node("do", self.document.key_span(path), node, path, keys.ITEM)

    # --- parts of nodes

    def read_routes(self, node: Node, path: Path) -> Any:
        """`next` and `on_error`: a name, a list of names (a fork) or a list of routes."""
        if isinstance(node, Scalar):
            to = self.read_targets(node, path)
            return BROKEN if to is BROKEN else (spec.Route(to, path=path),)
        if isinstance(node, Mapping):
            help = "write the route as `- { ... }`"
            return self.wrong(node, path, "a name, a list of names or a list of routes", help)
        if all(isinstance(item, Scalar) for item in node.items):
            to = self.read_targets(node, path)
            return BROKEN if to is BROKEN else (spec.Route(to, path=path),)
        routes = [self.route(item, (*path, i)) for i, item in enumerate(node.items)]
        return BROKEN if BROKEN in routes else tuple(routes)

    def route(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar):
            help = f"write `{{ to: {node.text} }}`: names and routes can't be mixed"
            return self.report("GA006", "a route is expected here, not a name", node.span, path, help=help)
        return self.build(spec.Route, node, path, keys.ROUTE, "route")

    def read_retry(self, node: Node, path: Path) -> Any:
        return self.build(spec.Retry, node, path, keys.RETRY, "retry")

    def read_history(self, node: Node, path: Path) -> Any:
        return self.build(spec.History, node, path, keys.HISTORY, "history")

    def read_prompt(self, node: Node, path: Path) -> Any:
        """Text, or a mapping with `text` or `file`."""
        if not isinstance(node, Mapping):
            text = self.read_text(node, path)
            return BROKEN if text is BROKEN else spec.Prompt(text=text, path=path)
        found = self.fields(node, path, keys.PROMPT, "prompt")
        if found is None:
            return BROKEN
        if len(found) != 1:
            if path not in self.broken and not any(at[: len(path)] == path for at in self.broken):
                self.report("GA005", "exactly one of `text` and `file` is needed", node.span, path)
            return BROKEN
        return spec.Prompt(**found, path=path)

    def read_join(self, node: Node, path: Path) -> Any:
        if isinstance(node, Mapping) and "at_least" in node.items:
            return self.report("GA004", f"`at_least` in a join {NOT_YET}", node.items["at_least"][0].span, path)
        return self.read_choice(node, path, ("any", "all"))

    def read_need(self, node: Node, path: Path) -> Any:
        """`all` (None) or `{ at_least: n }` (the number)."""
        if isinstance(node, Scalar) and node.text == "all":
            return None
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "`all` or `{ at_least: n }`")
        found = self.fields(node, path, keys.NEED, "need")
        return BROKEN if found is None else found["at_least"]


def read_spec(document: Document) -> tuple[spec.Spec | None, Walker]:
    """The spec of a document and the walker that has the findings.

    The spec is None if the document can't be read at all; where there are errors it is not complete.
    """
    walker = Walker(document)
    return walker.read_document(), walker
