"""What all parts of the JSON documents have in common: plain data in the order of the fields, times, durations."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar

from graphagent.snapshot import UNSET

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Part:
    """Base of all parts. Fields stand in the order of the document; a field that is UNSET is left out.

    A field whose name Python reserves has an underscore behind it, which the document doesn't.
    """

    __slots__ = ()

    def data(self) -> dict[str, Any]:
        """Plain data for `json.dumps`."""
        out = {}
        for name, key in keys_of(type(self)):
            value = getattr(self, name)
            if value is not UNSET:
                out[key] = plain(value)
        return out


class Document(Part):
    """Base of the documents: what a command prints with `--json`. `table` is the function, `module:name` in
    `graphagent.session`, that shows it to people."""

    __slots__ = ()
    table: ClassVar[str | None] = None

    def __str__(self) -> str:
        if self.table is None:
            return repr(self)
        module, _, name = self.table.partition(":")
        text: str = getattr(import_module(f"graphagent.session.{module}"), name)(self)
        return text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows."""
        from html import escape

        return {"text/plain": str(self), "text/html": f"<pre>{escape(str(self))}</pre>"}

    @property
    def document(self) -> dict[str, Any]:
        """The document as plain data."""
        return self.data()

    def json(self) -> str:
        """The document as one line of text."""
        import json

        return json.dumps(self.data(), ensure_ascii=False, separators=(",", ":"))


_keys: dict[type, tuple[tuple[str, str], ...]] = {}


def keys_of(cls: Any) -> tuple[tuple[str, str], ...]:
    """Names of the fields of a part, and the keys under which they stand in the document."""
    found = _keys.get(cls)
    if found is None:
        found = _keys[cls] = tuple((f.name, f.name.removesuffix("_")) for f in fields(cls))
    return found


def plain(value: Any) -> Any:
    """Plain data of a field. Lists hold parts only or none; what is plain already is passed as it is."""
    if isinstance(value, Part):
        return value.data()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value] if value and isinstance(value[0], Part | str) else list(value)
    if isinstance(value, str) and type(value) is not str:
        return str.__str__(value)
    return value


def time_text(time_us: int) -> str:
    """Microseconds as RFC 3339 in UTC with milliseconds."""
    at = _EPOCH + timedelta(milliseconds=time_us // 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def maybe_time(time_us: int | None) -> str | None:
    """The same for a time that may not be there."""
    return None if time_us is None else time_text(time_us)


def milliseconds(from_us: int, to_us: int) -> int:
    """A duration; never below 0, whatever the clock did."""
    return max(to_us - from_us, 0) // 1000
