"""Reads values, literals and types of a document."""

from __future__ import annotations

from typing import Any

from graphagent.graph.document import Mapping, Node, Scalar, Sequence, plain_data
from graphagent.graph.reader import BROKEN, Reader, scalars
from graphagent.graph.resolver import old_boolean
from graphagent.graph.spec import Path
from graphagent.graph.suggest import suggest


class ValueReader(Reader):
    """Adds what is read as plain data: it is typed and evaluated later."""

    def read_value(self, node: Node, path: Path) -> Any:
        """A literal, text with `${ }`, or a list or mapping of values."""
        self.warn_booleans(node, path)
        return plain_data(node)

    def read_values(self, node: Node, path: Path) -> Any:
        """name -> value."""
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "a mapping from names to values")
        return {name: self.read_value(value, at) for name, _, value, at in self.items(node, path, "names to values")}

    def read_headers(self, node: Node, path: Path) -> Any:
        """header -> value; header names aren't names of the language."""
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "a mapping from headers to values")
        return {name: self.read_value(value, (*path, name)) for name, (_, value) in node.items.items()}

    def read_references(self, node: Node, path: Path) -> Any:
        """name -> declared name."""
        found = {
            name: self.read_reference(value, at) for name, _, value, at in self.items(node, path, "names to names")
        }
        return {name: value for name, value in found.items() if value is not BROKEN}

    def read_literal(self, node: Node, path: Path) -> Any:
        """Plain data without `${ }`."""
        self.warn_booleans(node, path)
        for scalar, at in scalars(node, path):
            if isinstance(scalar.value, str) and "${" in scalar.value.replace("$${", ""):
                start = scalar.text.index("${")
                span = self.document.locate(scalar, start, start + 2)
                return self.report("GA207", "`${ }` in a plain field", span, at, help="only a literal can stand here")
        return plain_data(node)

    def read_literals(self, node: Node, path: Path) -> Any:
        return self.read_literal(node, path) if isinstance(node, Mapping) else self.wrong(node, path, "a mapping")

    def warn_booleans(self, node: Node, path: Path) -> None:
        """GA006 as a warning: plain text that YAML 1.1 took for a boolean."""
        for scalar, at in scalars(node, path):
            old = old_boolean(scalar.text) if scalar.plain and len(scalar.text) > 1 else None
            if old is not None:
                self.report(
                    "GA006", f"`{scalar.text}` is text, not a boolean", scalar.span, at, severity="warning",
                    help=f"YAML 1.2: write `{str(old).lower()}`, or put it in quotes if text is meant",
                )  # fmt: skip

    def read_labels(self, node: Node, path: Path) -> Any:
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "a mapping from names to text")
        labels = {key: self.read_text(value, (*path, key)) for key, (_, value) in node.items.items()}
        return {key: value for key, value in labels.items() if value is not BROKEN}

    def read_type(self, node: Node, path: Path) -> Any:
        """A type: text, or a mapping, which is an inline object type."""
        return self.read_object(node, path) if isinstance(node, Mapping) else self.type_text(node, path)

    def read_object(self, node: Node, path: Path) -> Any:
        """An inline object type: field -> declaration."""
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "a mapping from fields to types")
        fields = {name: self.read_type(value, at) for name, _, value, at in self.items(node, path, "fields to types")}
        return BROKEN if BROKEN in fields.values() else fields

    def read_event_types(self, node: Node, path: Path) -> Any:
        """`returns` of a wait: the type of the event's data; for several events a mapping from event to type."""
        events = self.document.node((*path[:-1], "event"))
        if not (isinstance(events, Sequence) and len(events.items) > 1 and isinstance(node, Mapping)):
            return self.read_type(node, path)
        names = [item.text for item in events.items if isinstance(item, Scalar)]
        out = {}
        for name, (key, value) in node.items.items():
            if name not in names:
                guess = suggest(name, names)
                help = f"did you mean `{guess}`?" if guess else f"events: {', '.join(names)}"
                self.report("GA004", f"`{name}` is none of the events", key.span, (*path, name), help=help,
                            fix=self.replace(key.span, guess) if guess else None)  # fmt: skip
                continue
            out[name] = self.read_type(value, (*path, name))
        return BROKEN if BROKEN in out.values() else out

    def read_declarations(self, node: Node, path: Path) -> Any:
        """name -> type."""
        found = {name: self.read_type(value, at) for name, _, value, at in self.items(node, path, "names to types")}
        return {name: "any" if value is BROKEN else value for name, value in found.items()}

    def type_text(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        listed = isinstance(node, Sequence) and len(node.items) == 1
        default = 'a default stands behind the type: "int = 3"' if path[-1] == "default" else None
        return self.wrong(node, path, "a type", 'a list type is written "list[str]"' if listed else default)

    def read_visits(self, node: Node, path: Path) -> Any:
        items = self.items(node, path, "nodes to counts")
        found = {name: self.read_integer(value, at, 1) for name, _, value, at in items}
        return {name: count for name, count in found.items() if count is not BROKEN}
