"""Nodes and their parts: kinds, routes, prompts, joins, delegates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from graphagent.graph import keys, spec
from graphagent.graph.diagnostics import Span
from graphagent.graph.document import Mapping, Node, Scalar, Sequence, plain_data
from graphagent.graph.reader import BROKEN
from graphagent.graph.spec import Path
from graphagent.graph.suggest import suggest
from graphagent.graph.value_reader import ValueReader

T = TypeVar("T")

_BODIES: Final[dict[str, Callable[..., Any]]] = {
    "set": spec.SetBody, "router": spec.RouterBody, "code": spec.CodeBody, "llm": spec.LLMBody,
    "human": spec.HumanBody, "graph": spec.GraphBody, "map": spec.MapBody, "emit": spec.EmitBody,
    "agent": spec.AgentBody, "tool": spec.ToolBody, "wait": spec.WaitBody,
}  # fmt: skip
_NEEDED_BY_MODE: Final = {"choose": "options", "form": "form", "edit": "value"}
_ONE_OF: Final = {"code": ("python", "run"), "wait": ("event", "for", "until"), "tool": ("tool", "call")}
_WITH_RUN: Final = ("files", "sandbox")
_WITH_EVENT: Final = ("match", "returns")


class NodeReader(ValueReader):
    """Reads the nodes of a graph."""

    def build(self, make: Callable[..., T], node: Node, path: Path, shape: keys.Shape, what: str, **more: Any) -> T:
        """A part of the spec from a mapping, BROKEN if it can't be made."""
        found = self.fields(node, path, shape, what)
        if found is None:
            return BROKEN  # type: ignore[no-any-return]
        return make(**found, **more, path=path)

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
        own = keys.shape_of(kind) or {}
        shape = {**common, **own}
        complete = self.fields(node, path, shape, "node", owner, kind)
        found = complete or {}
        if complete is None:  # the findings are known: take what can be read
            optional = {key: keys.Key(k.reader, k.option, False, k.field) for key, k in shape.items()}
            found = type(self)(self.document).fields(node, path, optional, "node", owner, kind) or {}
        body = self.body(kind, found, owner, path, node)
        of_kind = {entry.field or key for key, entry in own.items()} | {"kind"}
        rest = {key: value for key, value in found.items() if key not in of_kind}
        return spec.NodeSpec(name, kind, body, path=path, **rest)

    def kind(self, node: Mapping, owner: Span, path: Path) -> str | None:
        """The kind of a node if it is one that can run."""
        found = node.get("kind")
        if found is None:
            help = f"kinds: {', '.join(keys.kinds())}"
            self.report("GA005", "the key `kind` is missing", owner, path, label="in this node", help=help)
            return None
        name = self.read_text(found, (*path, "kind"))
        if name is BROKEN or keys.shape_of(name) is not None:
            return None if name is BROKEN else str(name)
        guess = suggest(name, keys.kinds())
        self.report(
            "GA001", f"unknown `kind`: `{name}`", found.span, (*path, "kind"),
            help=f"did you mean `{guess}`?" if guess else f"kinds: {', '.join(keys.kinds())}",
            fix=self.replace(found.span, guess) if guess else None,
        )  # fmt: skip
        return None

    def without_forbidden(self, node: Mapping, path: Path) -> Mapping:
        """GA307 for what a node under `do` can't have."""
        kept = {}
        for key, item in node.items.items():
            if key in keys.NOT_IN_DO:
                help = "it belongs to the map node itself" if key != "writes" else "`collect` says what an item adds"
                self.report("GA307", f"`{key}` is not allowed under `do`", item[0].span, (*path, key), help=help)
            else:
                kept[key] = item
        return Mapping(kept, node.span)

    def body(self, kind: str, found: dict[str, Any], owner: Span, path: Path, node: Mapping) -> Any:
        """The part of a node that only its kind has."""
        shape = keys.shape_of(kind) or {}
        fields = {entry.field or key: found[entry.field or key] for key, entry in shape.items()
                  if (entry.field or key) in found}  # fmt: skip
        meant = self.misspelt(node, {**keys.NODE, **shape})
        if kind in ("llm", "agent") and not {"prompt", "history"} & {*node.items, *meant}:
            self.report("GA005", "one of `prompt` and `history` is missing", owner, path, label="in this node")
        if kind == "human" and "mode" in fields:
            self.check_mode(fields["mode"], node, owner, path)
        if kind in _ONE_OF and not self.check_one_of(_ONE_OF[kind], node, owner, path):
            return spec.UnknownBody()
        if kind == "code":
            self.check_belongs(_WITH_RUN, "run", node, path)
        if kind == "wait":
            self.check_belongs(_WITH_EVENT, "event", node, path)
        if kind == "tool":
            self.check_belongs(("tools",), "call", node, path)
            if "call" in node.items and not fields.get("tools"):
                self.report("GA005", "`call` needs `tools`", owner, path, help="name those that it may be of")
        if kind == "llm" and fields.get("tools") and "returns" in node.items:
            at = node.items["returns"][0].span
            help = "take one away: with `tools`, `out` is `{ text, calls }`"
            self.report("GA004", "`returns` and `tools` don't go together", at, (*path, "returns"), help=help)
        if any(entry.required and (entry.field or key) not in fields for key, entry in shape.items()):
            return spec.UnknownBody()
        if kind not in _BODIES:
            return spec.OtherBody(fields)
        return _BODIES[kind](**fields)

    def check_one_of(self, sources: tuple[str, ...], node: Mapping, owner: Span, path: Path) -> bool:
        """GA005 unless exactly one of these keys is there."""
        given = [key for key in sources if key in node.items]
        if not given and self.misspelt(node, {**keys.NODE, **dict.fromkeys(sources, keys.Key("value"))}) & set(sources):
            return False
        if len(given) == 1:
            return not any(at[: len(path) + 1] == (*path, given[0]) for at in self.broken)
        listed = f"{', '.join(f'`{key}`' for key in sources[:-1])} and `{sources[-1]}`"
        span = node.items[given[1]][0].span if given else owner
        self.report("GA005", f"exactly one of {listed} is needed", span, path, label="in this node")
        return False

    def check_belongs(self, names: tuple[str, ...], home: str, node: Mapping, path: Path) -> None:
        """GA004 for keys that only make sense beside another one."""
        for key in names:
            if key in node.items and home not in node.items:
                self.report("GA004", f"`{key}` needs `{home}`", node.items[key][0].span, (*path, key))

    def check_mode(self, mode: str, node: Mapping, owner: Span, path: Path) -> None:
        needed = _NEEDED_BY_MODE.get(mode)
        meant = self.misspelt(node, {**keys.NODE, **keys.KINDS["human"]})
        if needed is not None and needed not in {*node.items, *meant}:
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
                help = f"`do` runs one of {listed}; a graph can hold any node"
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
        """A template in place: text, or a mapping with `text`, `file` or `use`."""
        return self.prompt(node, path)

    def prompt(self, node: Node, path: Path, *, where: str = "node") -> Any:
        """A template.

        Args:
            where: `node` for one in place, `prompts` for a named one, `override` for one that replaces another.
        """
        if not isinstance(node, Mapping):
            text = self.read_text(node, path)
            return BROKEN if text is BROKEN else spec.Prompt(text=text, path=path)
        found = self.fields(node, path, keys.PROMPT, "prompt")
        if found is None or any(at[: len(path)] == path for at in self.broken):
            return BROKEN
        if where != "node" and "use" in found:
            help = "a named prompt has `text` or `file`"
            return self.report(
                "GA004", "`use` belongs to a prompt in a node", node.items["use"][0].span, path, help=help
            )
        sources = [key for key in keys.PROMPT_SOURCES if key in found]
        only_blocks = where == "override" and "blocks" in found and not sources
        if self.linked and sources == ["text", "file"]:
            sources = ["text"]  # the file is where the text is from
        if len(sources) != 1 and not only_blocks:
            listed = "`text`, `file` and `use`" if where == "node" else "`text` and `file`"
            return self.report("GA005", f"exactly one of {listed} is needed", node.span, path)
        if "blocks" in found and "use" not in found and where != "override" and not self.linked:
            help = "they fill those of the prompt that `use` names"
            return self.report(
                "GA004", "`blocks` needs `use`", node.items["blocks"][0].span, (*path, "blocks"), help=help
            )
        return spec.Prompt(**found, path=path)

    def read_join(self, node: Node, path: Path) -> Any:
        """`any`, `all` or `{ at_least: n }`."""
        if not isinstance(node, Mapping):
            return self.read_choice(node, path, ("any", "all"))
        found = self.fields(node, path, keys.AT_LEAST, "join")
        return BROKEN if found is None else spec.AtLeast(found["at_least"], "cancel" in found)

    def read_need(self, node: Node, path: Path) -> Any:
        """`all` (None) or `{ at_least: n }` (the number)."""
        if isinstance(node, Scalar) and node.text == "all":
            return None
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "`all` or `{ at_least: n }`")
        found = self.fields(node, path, keys.NEED, "need")
        return BROKEN if found is None else found["at_least"]

    def read_cache(self, node: Node, path: Path) -> Any:
        return self.build(spec.Cache, node, path, keys.CACHE, "cache")

    def read_sandbox(self, node: Node, path: Path) -> Any:
        return self.build(spec.Sandbox, node, path, keys.SANDBOX, "sandbox")

    def read_command(self, node: Node, path: Path) -> Any:
        """`run`: the command and its arguments, each a value."""
        if not isinstance(node, Sequence) or not node.items:
            return self.wrong(node, path, "a command with its arguments", "write `[python, -m, pytest]`")
        return tuple(self.read_value(item, (*path, i)) for i, item in enumerate(node.items))

    # --- parts of agents

    def read_approvals(self, node: Node, path: Path) -> Any:
        if not isinstance(node, Sequence):
            return self.wrong(node, path, "a list of approvals", "write `- { tool: NAME }`")
        found = [
            self.build(spec.Approval, item, (*path, i), keys.APPROVAL, "approval") for i, item in enumerate(node.items)
        ]
        return tuple(item for item in found if item is not BROKEN)

    def read_tool_writes(self, node: Node, path: Path) -> Any:
        """tool -> channel -> value."""
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "a mapping from tools to channels")
        out = {}
        for name, (_, value) in node.items.items():
            writes = self.read_values(value, (*path, name))
            if writes is not BROKEN:
                out[name] = writes
        return out

    def read_delegates(self, node: Node, path: Path) -> Any:
        out = {}
        for name, key, value, at in self.items(node, path, "names to delegates"):
            found = self.build(spec.Delegate, value, at, keys.DELEGATE, "delegate", name=name)
            if found is BROKEN:
                continue
            if (found.graph is None) == (found.do is None):
                self.report(
                    "GA005", "exactly one of `graph` and `do` is needed", key.span, at, label="in this delegate"
                )
                continue
            out[name] = found
        return out

    def read_passed_history(self, node: Node, path: Path) -> Any:
        """`none`, `all` or `{ last: n }` (the number)."""
        if not isinstance(node, Mapping):
            return self.read_choice(node, path, ("none", "all"))
        found = self.fields(node, path, {"last": keys.Key("integer", 1, required=True)}, "history")
        return BROKEN if found is None else found["last"]
