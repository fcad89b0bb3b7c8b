"""How static typing words what it finds."""

from __future__ import annotations

from collections.abc import Iterable

from graphagent.graph.expression_errors import Finding
from graphagent.graph.expression_tree import Node, is_path
from graphagent.graph.kinds import LIST, NULL, NUMBER, OBJECT, TEXT, YES_NO, Kind, kinds, number_type
from graphagent.graph.type_model import ANY, INT, LiteralOf, Type, describe, widen

_MAX_SHOWN = 60
_MAX_LITERALS = 6
Place = Node | tuple[int, int]


class Report:
    """Collects the findings about one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Finding] = []

    def findings(self) -> list[Finding]:
        """All findings in the order of the text."""
        return sorted(self._found, key=lambda finding: (finding.start, finding.end))

    def add(
        self,
        code: str,
        message: str,
        place: Place,
        label: str | None = None,
        hint: str | None = None,
        suggestion: str | None = None,
    ) -> Type:
        """Note a finding; returns the type of the broken part."""
        start, end = place[:2]  # every node begins with its place
        self._found.append(Finding(code, message, start, end, label, hint, suggestion))
        return ANY

    def shown(self, node: Node) -> str:
        """The text of a part, shortened."""
        return shorten(self._text[node.start : node.end])

    def is_whole(self, name: str) -> bool:
        """Whether the expression is nothing but this name."""
        return self._text.strip() == name

    def need(self, node: Node, t: Type, allowed: Iterable[Kind], who: str, what: str) -> bool:
        """Whether all values of `t` are of one of these kinds; otherwise there is a finding."""
        allowed = frozenset(allowed)
        found = kinds(t)
        if t == ANY or found <= allowed:
            return True
        if NULL in found and found - {NULL} <= allowed and len(found) > 1:
            self._may_be_null(node)
        else:
            hint = self._need_hint(node, t, allowed)
            self.add("GA205", f"{who} takes {what}, not `{show_type(t)}`", node, f"this is `{show_type(t)}`", hint)
        return False

    def need_int(self, node: Node, t: Type, who: str) -> bool:
        """Whether the type is `int`, or not known."""
        if t == ANY or (kinds(t) == {NUMBER} and number_type([t]) == INT):
            return True
        self.add("GA205", f"{who} is an int, not `{show_type(t)}`", node, f"this is `{show_type(t)}`")
        return False

    def _need_hint(self, node: Node, t: Type, allowed: frozenset[Kind]) -> str | None:
        found = kinds(t)
        if allowed == {TEXT} and found <= {NUMBER, YES_NO}:
            return f"`str({self.shown(node)})`"
        if allowed == {LIST} and found == {OBJECT}:
            return f"`keys({self.shown(node)})` or `values({self.shown(node)})`"
        return self.truth_hint(node, t) if allowed == {YES_NO} else None

    def _may_be_null(self, node: Node) -> None:
        path = self.shown(node)
        hint = f"`default({path}, ...)` gives another value, `{path} is not null` asks" if is_path(node) else None
        self.add("GA205", f"`{path}` may be null", node, "null has no place here", hint)

    def truth_hint(self, node: Node, t: Type) -> str | None:
        """What to write instead of a value that isn't bool."""
        found, path = kinds(t), self.shown(node)
        if NULL in found and is_path(node):
            return f"`default({path}, false)`" if found == {NULL, YES_NO} else f"`has({path})`"
        if found == {TEXT}:
            return f"`{path} != ''`"
        if found and found <= {LIST, OBJECT, TEXT}:
            return f"`len({path}) > 0`"
        return f"`{path} != 0`" if found == {NUMBER} else None


def show_type(t: Type) -> str:
    """The type in a message: shortened, and without literals where they only say what stands there anyway."""
    plain = isinstance(t, LiteralOf) and (len(t.values) == 1 or len(t.values) > _MAX_LITERALS)
    return shorten(describe(widen(t) if plain else t))


def shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
