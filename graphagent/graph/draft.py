"""The document that a builder writes: plain data in the author's form, with the place of each call."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any, Final

from graphagent.graph.diagnostics import Diagnostic, Note, Span, show_path
from graphagent.graph.python_types import NoType, PythonTypes
from graphagent.graph.spec import API_VERSION, Path
from graphagent.graph.words import Written

_NO_FUNCTION: Final = "missing:function"
_INT_LIMIT: Final = 1 << 63
_FUNCTIONS: Final = frozenset({"python", "check", "reducer"})
_DECLARATIONS: Final = frozenset({"form", "returns", "params", "vars"})
_NESTED: Final = frozenset({"client", "do"})
"""Keys that hold functions, name -> type, or further keys among which are some of these."""


class Draft:
    """What has been written so far. Nothing raises: what is wrong is in `findings`.

    Attributes:
        data: The document.
        spans: Path as shown (`$.nodes.write`) -> the call that wrote it.
        findings: What no check of the document could find, since it can't be written there.
        broken: The paths, as shown, at which something else stands than the author gave.
        edits: How often something was written.
    """

    def __init__(self, place: Span) -> None:
        self.data: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Graph"}
        self.spans: dict[str, Span] = {"$": place}
        self.findings: list[Diagnostic] = []
        self.broken: list[str] = []
        self.edits = 0
        self._types = PythonTypes()

    def report(self, code: str, message: str, path: Path, place: Span, **more: Any) -> None:
        """Adds an error. GA003 leaves what was there first."""
        if code != "GA003":
            self.broken.append(show_path(path))
        self.findings.append(Diagnostic(code, "error", message, place, show_path(path), **more))

    def add(self, path: Path, value: Any, place: Span) -> bool:
        """Puts plain data at a path, where nothing may be yet: GA003. The mapping around it must be there."""
        self.edits += 1
        inner = self.data
        for part in path[:-1]:
            inner = inner.setdefault(str(part), {})
        name = str(path[-1])
        if name in inner:
            first = self.spans.get(show_path(path))
            note = (Note("the first one is here", first),) if first else ()
            self.report("GA003", f"`{name}` is written twice", path, place, notes=note)
            return False
        inner[name] = value
        self.spans[show_path(path)] = place
        return True

    def keys(self, keys: Mapping[str, Any], path: Path, place: Span) -> dict[str, Any]:
        """Keywords as keys: without the `_` of `with_`, and what they hold as plain data."""
        return {key.removesuffix("_"): self.key(key.removesuffix("_"), value, path, place)
                for key, value in keys.items()}  # fmt: skip

    def key(self, key: str, value: Any, path: Path, place: Span) -> Any:
        """What stands at one key of the mapping at `path`."""
        at = (*path, key)
        if key in _FUNCTIONS and (key != "reducer" or callable(value)):
            return self.function(value, at, place)
        if key == "returns" and not isinstance(value, Mapping):
            return self.type(value, at, place)
        if key in _DECLARATIONS and isinstance(value, Mapping):
            return self.declarations(value, at, place)
        if key in _NESTED and isinstance(value, Mapping):
            return self.keys(value, at, place)
        if key == "delegates" and isinstance(value, Mapping):
            return {str(name): self.nested(item, (*at, str(name)), place) for name, item in value.items()}
        return self.plain(value, at, place)

    def nested(self, value: Any, path: Path, place: Span) -> Any:
        """A mapping of keys, a text or `Written` words that stand for one."""
        if isinstance(value, Written):
            self.spans[show_path(path)] = place = value.place
            value = value.keys
        return self.keys(value, path, place) if isinstance(value, Mapping) else self.plain(value, path, place)

    def plain(self, value: Any, path: Path, place: Span) -> Any:
        """Plain data; GA006 for what isn't."""
        if isinstance(value, Written):
            self.spans[show_path(path)] = value.place
            return self.plain(value.keys, path, value.place)
        if isinstance(value, str):
            return self._text(str(value), path, place)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and -_INT_LIMIT <= value < _INT_LIMIT:
            return int(value)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        if isinstance(value, Mapping):
            for name in value:
                if not isinstance(name, str):
                    self.report("GA006", f"keys are text, {name!r} is none", path, place)
            return {str(name): self.plain(item, (*path, str(name)), place) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(item, (*path, i), place) for i, item in enumerate(value)]
        help = "values are str, int, float, bool, None, lists and dicts"
        shown = repr(value) if isinstance(value, (int, float)) else f"a Python {type(value).__name__}"
        self.report("GA006", f"{shown} can't stand in a graph", path, place, help=help)
        return None

    def _text(self, value: str, path: Path, place: Span) -> str:
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            self.report("GA006", "the text holds a lone surrogate", path, place)
            return ""
        return value

    def channel(self, value: Any, path: Path, place: Span) -> Any:
        """A channel: its type, or `channel(...)`."""
        if isinstance(value, Written):
            self.spans[show_path(path)] = place = value.place
            value = value.keys
        if not isinstance(value, Mapping) or "type" not in value:
            return self.type(value, path, place)
        rest = {key: item for key, item in value.items() if key != "type"}
        return {"type": self.type(value["type"], (*path, "type"), place), **self.keys(rest, path, place)}

    # --- types and functions

    def type(self, value: Any, path: Path, place: Span) -> Any:
        """A type as authors write it; `any` for what is none."""
        return self._typed(self._types.type, value, path, place)

    def declaration(self, value: Any, path: Path, place: Span) -> Any:
        """A type, or a pair of type and default."""
        return self._typed(self._types.declaration, value, path, place)

    def declarations(self, values: Mapping[str, Any], path: Path, place: Span) -> dict[str, Any]:
        """name -> declaration."""
        return {str(name): self.declaration(value, (*path, str(name)), place) for name, value in values.items()}

    def _typed(self, read: Any, value: Any, path: Path, place: Span) -> Any:
        try:
            text = read(value)
        except NoType as error:
            self.report("GA006", error.message, path, place, help=error.hint)
            text = "any"
        for wrong in self._types.take_errors():
            self.report("GA006", wrong.message, path, place, help=wrong.hint)
        for name, fields in self._types.named.items():
            if self.data.setdefault("types", {}).setdefault(name, fields) is fields:
                self.spans.setdefault(show_path(("types", name)), place)
            elif not any(item.path == show_path(("types", name)) for item in self.findings):
                self.report("GA003", f"`{name}` is a class and stands in `types` too", ("types", name), place)
        return text

    def function(self, value: Any, path: Path, place: Span) -> str:
        """`module:name` of a function; GA512 for one that can't be imported by that."""
        if isinstance(value, str):
            return str(value)
        reference = importable(value)
        if reference is not None:
            return reference
        name = getattr(value, "__qualname__", None) or f"a {type(value).__name__}"
        help = "a function is found by its name in any process: define it with `def` at the top of a module"
        self.report("GA512", f"{name} can't be imported by a name", path, place, help=help)
        return _NO_FUNCTION


def importable(function: Any) -> str | None:
    """`module:name` by which a function can be imported; None if there is no such name.

    The functions of the program itself are found under its file's name: another process imports them from there.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not callable(function) or not module or not name or not name.isidentifier():
        return None
    loaded = sys.modules.get(module)
    if getattr(loaded, name, None) is not function:
        return None
    if module != "__main__":
        return f"{module}:{name}"
    spec, file = getattr(loaded, "__spec__", None), getattr(loaded, "__file__", None)
    stem = spec.name if spec is not None else File(file).stem if file else ""
    return f"{stem}:{name}" if stem.replace(".", "_").isidentifier() else None
