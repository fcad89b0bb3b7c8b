"""Reads single values of a document into the spec's types, and reports what is wrong with each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from graphagent.errors import ERROR_KINDS
from graphagent.graph import keys
from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Note, Span, show_path
from graphagent.graph.document import Document, Node, Scalar, Sequence
from graphagent.graph.document import Mapping as MappingNode
from graphagent.graph.duration import Duration, parse_duration
from graphagent.graph.keys import Shape
from graphagent.graph.resolver import old_boolean
from graphagent.graph.spec import Path
from graphagent.graph.suggest import suggest

BROKEN: Final[Any] = object()
"""Read instead of a value that is wrong and has been reported."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_GRAPH_NAME = re.compile(r"[a-z][a-z0-9-]*")
_EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_]*([.-][A-Za-z0-9_]+)*")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_LINKED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_][\w.]*)?", re.ASCII)
_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_-]*)*(\.\*)?")
_IMPORT = re.compile(r"(graphagent:)?[^\s:]+\.(graph|library)\.ya?ml")
_SIZE = re.compile(r"[1-9]\d{0,11}[kmg]?", re.ASCII)


class Reader:
    """Collects findings in `diagnostics`, and in `broken` the paths of the parts that have an error."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.linked = False  # whether names of imports and classes may be declared
        self.diagnostics: list[Diagnostic] = []
        self.broken: list[Path] = []

    def report(self, code: str, message: str, span: Span, path: Path, **more: Any) -> Any:
        """Adds a finding, an error unless `severity` says otherwise. Returns BROKEN."""
        severity = more.pop("severity", "error")
        if severity == "error":
            self.broken.append(path)
        self.diagnostics.append(Diagnostic(code, severity, message, span, show_path(path), **more))
        return BROKEN

    def wrong(self, node: Node, path: Path, expected: str, help: str | None = None) -> Any:
        """GA006: something else is expected here."""
        return self.report("GA006", f"{expected} is expected here, not {describe(node)}", node.span, path, help=help)

    # --- mappings of known keys

    def fields(
        self, node: Node, path: Path, shape: Shape, what: str, owner: Span | None = None, kind: str | None = None
    ) -> dict[str, Any] | None:
        """The values of a mapping by field name, None if a required one is missing or broken.

        Args:
            node: The mapping.
            path: Where it is.
            shape: Its table of keys.
            what: What it is, for messages: `route`, `node`.
            owner: Where a missing key is reported, if not at the mapping.
            kind: The node's kind.
        """
        if not isinstance(node, MappingNode):
            self.wrong(node, path, f"a mapping with the keys of a {what}")
            return None
        out: dict[str, Any] = {}
        complete = True
        for key, (key_node, value) in node.items.items():
            entry = shape.get(key)
            if entry is None:
                self.unknown_key(node, key_node, path, shape, what, kind)
                out.pop(self.cut_guard(node) or "", None)
                continue
            read = getattr(self, f"read_{entry.reader}")
            got = read(value, (*path, key)) if entry.option is None else read(value, (*path, key), entry.option)
            if got is not BROKEN:
                out[entry.field or key] = got
            elif entry.required:
                complete = False
        missing = [key for key in shape if key not in node.items]
        meant = {
            suggest(key, missing) for key in node.items if key not in shape
        }  # reported with the word that is there
        for key in missing:
            if shape[key].required:
                complete = False
                if key in meant:
                    continue
                self.report("GA005", f"the key `{key}` is missing", owner or node.span, path, label=f"in this {what}")
        return out if complete else None

    def misspelt(self, node: MappingNode, shape: Shape) -> set[str]:
        """The keys that are there under a wrong name: that is reported, and that they are missing isn't."""
        missing = [key for key in shape if key not in node.items]
        return {suggest(key, missing) or "" for key in node.items if key not in shape}

    def unknown_key(
        self, mapping: MappingNode, key: Scalar, path: Path, shape: Shape, what: str, kind: str | None
    ) -> None:
        """GA004 with the best explanation there is."""
        name, where = key.text, (*path, key.text)
        if what == "library" and name in keys.GRAPH:
            help = "a library only offers names to those who import it"
            self.report("GA004", f"a Library has no `{name}`", key.span, where, help=help)
            return
        home = keys.owner_of(name) if kind else None
        if home is not None and home != kind:
            self.report("GA004", f"`{name}` belongs to `kind: {home}`", key.span, where)
            return
        if self.cut_guard(mapping) is not None:
            help = "a guard with a comma inside `{ }` needs double quotes"
            self.report("GA004", f"the comma before `{name}` ends the guard", key.span, where, help=help)
            return
        of = f"`kind: {kind}`" if kind else f"a {what}"
        guess = suggest(name, [k for k in shape if k not in mapping.items])
        twice = suggest(name, shape)
        own = (
            [k for k in shape if k in (keys.shape_of(kind) or {})] + ["with", "writes", "next"] if kind else list(shape)
        )
        help = f"keys of {of}: {', '.join(own)}" + (" and others" if kind else "")
        if guess or twice:
            help = f"did you mean `{guess}`?" if guess else f"`{twice}` is there already"
        fix = self.replace(key.span, guess) if guess else None
        self.report("GA004", f"unknown key `{name}`", key.span, where, label=f"not a key of {of}", help=help, fix=fix)

    def cut_guard(self, mapping: MappingNode) -> str | None:
        """The key of the guard that a comma in a flow mapping has cut in two, if there is one."""
        for name in ("when", "over", "match"):
            value = mapping.get(name)
            if isinstance(value, Scalar) and value.plain and value.text.count("(") > value.text.count(")"):
                return name
        return None

    def replace(self, span: Span, text: str) -> Fix | None:
        """The fix that writes `text` for what is at `span`; none where there is no file."""
        return Fix(f"replace by `{text}`", (Edit(span, text),)) if self.document.source.text else None

    def items(self, node: Node, path: Path, what: str) -> Iterable[tuple[str, Scalar, Node, Path]]:
        """(name, key, value, path) of a mapping from names."""
        if not isinstance(node, MappingNode):
            if not (isinstance(node, Scalar) and node.value is None):
                self.wrong(node, path, f"a mapping from {what}")
            return
        for key, (key_node, value) in node.items.items():
            if self.check_name(key_node, (*path, key)):
                yield key, key_node, value, (*path, key)

    def check_name(self, node: Scalar, path: Path) -> bool:
        if (_LINKED if self.linked else _NAME).fullmatch(node.text):
            return True
        if not isinstance(node.value, str):
            return False  # reported already
        help = "a name has letters, digits and `_`, and begins with a letter"
        self.report("GA006", f"`{node.text}` is not a name", node.span, path, help=help)
        return False

    # --- scalars

    def read_text(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        quoted = isinstance(node, Scalar) and node.value is not None
        return self.wrong(node, path, "text", f'write "{node.text}"' if quoted else None)  # type: ignore[union-attr]

    def read_name(self, node: Node, path: Path) -> Any:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return self.wrong(node, path, "a name")
        return node.text if self.check_name(node, path) else BROKEN

    def read_graph_name(self, node: Node, path: Path) -> Any:
        help = "small letters, digits and `-`, a letter first: `my-graph`"
        return self.matching(node, path, _GRAPH_NAME, "a name of a graph", help)

    def read_event(self, node: Node, path: Path) -> Any:
        help = "letters, digits, `_`, `.` and `-`: `order.paid`"
        return self.matching(node, path, _EVENT, "a name of an event", help)

    def read_function(self, node: Node, path: Path) -> Any:
        return self.matching(node, path, _FUNCTION, "a name of a function", "`package.module:function`, without `.py`")

    def read_reference(self, node: Node, path: Path) -> Any:
        """A declared name, or one of an import: `imp.name`."""
        return self.matching(node, path, _REFERENCE, "a name", "a declared name, or `import.name`")

    def read_tool_name(self, node: Node, path: Path) -> Any:
        """A tool: `name`, `name.tool` of a server, `import.name`, or `name.*` for all tools of a server."""
        return self.matching(node, path, _TOOL, "a name of a tool", "`name`, `server.tool` or `server.*`")

    def read_import_path(self, node: Node, path: Path) -> Any:
        help = "`./other.graph.yaml`, `tools.library.yaml` or `graphagent:name.graph.yaml`"
        return self.matching(node, path, _IMPORT, "a file of a graph or library", help)

    def read_size(self, node: Node, path: Path) -> Any:
        """An amount of bytes: `64k 512m 2g`, powers of 1024."""
        if isinstance(node, Scalar) and _SIZE.fullmatch(node.text):
            return node.text
        return self.wrong(node, path, "a size", "a number with a unit: `64k 512m 2g`")

    def read_provider_model(self, node: Node, path: Path) -> Any:
        form = re.compile(r"[^\s/$]+/\S+")
        help = "`provider/model`, such as `openai/gpt-5-mini`"
        return self.matching(node, path, form, "a provider with a model", help)

    def matching(self, node: Node, path: Path, form: re.Pattern[str], what: str, help: str) -> Any:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return self.wrong(node, path, what, help)
        if not form.fullmatch(node.text):
            return self.report("GA006", f"`{node.text}` is not {what}", node.span, path, help=help)
        return node.text

    def read_boolean(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        old = old_boolean(node.text) if isinstance(node, Scalar) and node.plain else None
        help = None
        if old is not None:
            help = f"YAML 1.2: `{node.text}` is text; write `{str(old).lower()}`"  # type: ignore[union-attr]
        return self.wrong(node, path, "true or false", help)

    def read_integer(self, node: Node, path: Path, least: int) -> Any:
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            return self.wrong(node, path, "an integer")
        if node.value < least:
            return self.report("GA006", f"at least {least} is expected here", node.span, path)
        return node.value

    def read_number(self, node: Node, path: Path, least: int) -> Any:
        if not isinstance(node, Scalar) or not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
            return self.wrong(node, path, "a number")
        if node.value < least:
            return self.report("GA006", f"at least {least} is expected here", node.span, path)
        return node.value

    def read_share(self, node: Node, path: Path) -> Any:
        value = self.read_number(node, path, 0)
        if isinstance(value, float) and value > 1:
            help = "an integer counts items, a number with a point is a fraction of them"
            return self.report("GA006", "a fraction is at most 1.0", node.span, path, help=help)
        return value

    def read_duration(self, node: Node, path: Path, least_ms: int) -> Any:
        found: Duration | None = None
        if isinstance(node, Scalar):
            found = parse_duration(node.text)
        if found is None:
            return self.wrong(node, path, "a duration", "a number with a unit: `500ms 30s 10m 4h 7d`")
        if found.ms < least_ms:
            return self.report("GA006", "the duration must be more than nothing", node.span, path)
        return found

    def read_choice(self, node: Node, path: Path, options: tuple[str, ...]) -> Any:
        if isinstance(node, Scalar) and node.text in options and isinstance(node.value, str):
            return node.text
        listed = ", ".join(f"`{option}`" for option in options)
        if not isinstance(node, Scalar):
            return self.wrong(node, path, f"one of {listed}")
        guess = suggest(node.text, list(options))
        return self.report(
            "GA006", f"`{node.text}` is not one of {listed}", node.span, path,
            help=f"did you mean `{guess}`?" if guess else None, fix=self.replace(node.span, guess) if guess else None,
        )  # fmt: skip

    def read_expression(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar) and node.text.strip():
            return node.text
        return self.wrong(node, path, "an expression")

    # --- lists

    def listed(self, node: Node, path: Path, what: str, read: Callable[[Node, Path], Any]) -> Any:
        """A list whose items `read` reads."""
        if not isinstance(node, Sequence):
            return self.wrong(node, path, f"a list of {what}")
        items = [read(item, (*path, i)) for i, item in enumerate(node.items)]
        return BROKEN if BROKEN in items else tuple(items)

    def read_texts(self, node: Node, path: Path) -> Any:
        return self.listed(node, path, "texts", self.read_text)

    def read_reference_list(self, node: Node, path: Path) -> Any:
        return self.listed(node, path, "names", self.read_reference)

    def read_tool_names(self, node: Node, path: Path) -> Any:
        return self.listed(node, path, "tools", self.read_tool_name)

    def read_events(self, node: Node, path: Path) -> Any:
        """The name of an event, or several."""
        if isinstance(node, Scalar):
            name = self.read_event(node, path)
            return BROKEN if name is BROKEN else (name,)
        names = self.listed(node, path, "events", self.read_event)
        if names == ():
            return self.report("GA005", "no event is named here", node.span, path)
        return BROKEN if names is BROKEN else self.without_repeats(names, node, path)

    def read_network(self, node: Node, path: Path) -> Any:
        """`none`, or the hosts that a command may reach."""
        if isinstance(node, Scalar) and node.text == "none":
            return ()
        return self.listed(node, path, "hosts (or `none`)", self.read_text)

    def read_names(self, node: Node, path: Path) -> Any:
        return self.listed(node, path, "names", self.read_name)

    def read_targets(self, node: Node, path: Path) -> Any:
        """One name, or several that fork."""
        if isinstance(node, Scalar):
            name = self.read_name(node, path)
            return BROKEN if name is BROKEN else (name,)
        names = self.read_names(node, path)
        if names is BROKEN:
            return BROKEN
        if not names:
            return self.report("GA005", "no node is named here", node.span, path)
        return self.without_repeats(names, node, path)

    def without_repeats(self, names: tuple[str, ...], node: Node, path: Path) -> Any:
        """GA003: a fork places one token per target."""
        assert isinstance(node, Sequence)
        for i, name in enumerate(names):
            if name in names[:i]:
                first = node.items[names.index(name)].span
                notes = (Note("the first one is here", first),)
                return self.report("GA003", f"`{name}` is named twice", node.items[i].span, (*path, i), notes=notes)
        return names

    def read_error_kinds(self, node: Node, path: Path) -> Any:
        kinds = self.read_names(node, path)
        if kinds is BROKEN:
            return BROKEN
        for i, kind in enumerate(kinds):
            if kind not in ERROR_KINDS:
                assert isinstance(node, Sequence)
                span = node.items[i].span
                guess = suggest(kind, ERROR_KINDS)
                help = f"did you mean `{guess}`?" if guess else f"error kinds: {', '.join(ERROR_KINDS)}"
                fix = self.replace(span, guess) if guess else None
                self.report("GA205", f"`{kind}` is not an error kind", span, (*path, i), help=help, fix=fix)
                return BROKEN
        return kinds


def scalars(node: Node, path: Path) -> Iterable[tuple[Scalar, Path]]:
    """All scalars below a node with their paths."""
    if isinstance(node, Scalar):
        yield node, path
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            yield from scalars(item, (*path, i))
    else:
        for key, (_, value) in node.items.items():
            yield from scalars(value, (*path, key))


def describe(node: Node) -> str:
    """What a node is, for messages."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    if node.value is None:
        return "nothing" if node.text == "" else "null"
    names: Mapping[type, str] = {bool: "the boolean", int: "the number", float: "the number", str: "the text"}
    shown = node.text if len(node.text) <= 40 else node.text[:37] + "..."
    return f"{names[type(node.value)]} `{shown}`"
