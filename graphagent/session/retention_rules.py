"""For how long sessions are kept: the setting `retention`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphagent.errors import InputInvalid
from graphagent.graph.duration import parse_duration
from graphagent.graph.suggest import suggest
from graphagent.ids import SessionId
from graphagent.snapshot import SessionRow

DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
FOREVER: Final = "forever"
KEYS: Final = ("older_than", "keep_every", "every", "graphs", "tags")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long all of a session is kept after its last commit, and of which snapshots one in so many stays then.

    Attributes:
        graphs: The same for sessions of some graphs, None for ever.
        tags: The same for sessions with a tag; of several rules that fit, the longest counts.
        every_us: How often a worker collects.
    """

    older_than_us: int = 30 * DAY_US
    keep_every: int = 100
    graphs: Mapping[str, int | None] = field(default_factory=dict)
    tags: Mapping[str, int | None] = field(default_factory=dict)
    every_us: int = HOUR_US

    def kept_us(self, root: SessionRow) -> int | None:
        """How long a session is kept, with all that it called; None for ever."""
        rules = [self.tags[tag] for tag in root.tags if tag in self.tags]
        rules += [self.graphs[root.graph]] if root.graph in self.graphs else []
        lengths = [length for length in rules if length is not None]
        if len(lengths) < len(rules):
            return None
        return max(lengths, default=self.older_than_us)

    def past(self, rows: Iterable[SessionRow], now_us: int) -> set[SessionId]:
        """The sessions of a family whose time is over. What runs or waits is never past."""
        named = {row.session: row for row in rows}
        out = set()
        for row in named.values():
            kept = self.kept_us(_top(row, named))
            if kept is not None and row.updated_at < now_us - kept and row.status not in ("running", "waiting"):
                out.add(row.session)
        return out


def _top(row: SessionRow, named: Mapping[SessionId, SessionRow]) -> SessionRow:
    """The session at the top of the calls that led to this one."""
    while row.caller is not None and row.caller in named:
        row = named[row.caller]
    return row


def read_retention(given: Mapping[str, Any], file: str) -> Retention | None:
    """The setting; None if nothing is said.

    Raises:
        InputInvalid: it has a key that nobody knows, or a value that is no duration or number.
    """
    if not given:
        return None
    for key in given:
        if key not in KEYS:
            near = suggest(key, KEYS)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(KEYS)}"
            raise InputInvalid(f"$.retention.{key} of {file}", "no such setting", hint=hint)
    path = f"$.retention.{{}} of {file}"
    older = _length(path.format("older_than"), given.get("older_than", "30d"), forever=True)
    keep_every, every = given.get("keep_every", 100), _length(path.format("every"), given.get("every", "1h"))
    if type(keep_every) is not int or keep_every < 1:
        raise InputInvalid(path.format("keep_every"), f"{keep_every!r} is no number", hint="write 1 or more")
    if not every:
        raise InputInvalid(path.format("every"), "a collection can't begin all the time", hint="such as 10m or 1h")
    rules = {}
    for key in ("graphs", "tags"):
        table = given.get(key, {})
        if not isinstance(table, dict):
            raise InputInvalid(
                path.format(key), "a table is expected", hint=f'write [retention.{key}] and NAME = "90d"'
            )
        rules[key] = {name: _length(path.format(f"{key}.{name}"), value, forever=True) for name, value in table.items()}
    return Retention(NEVER_US if older is None else older, keep_every, rules["graphs"], rules["tags"], every)


NEVER_US: Final = 1 << 62
"""`older_than = "forever"`: longer than any clock goes."""


def _length(path: str, given: Any, *, forever: bool = False) -> int | None:
    if forever and given == FOREVER:
        return None
    found = parse_duration(given) if isinstance(given, str) else None
    if found is None:
        more = f", or {FOREVER!r}" if forever else ""
        raise InputInvalid(path, f"{given!r} is no duration", hint=f"such as '12h' or '30d'{more}")
    return found.ms * 1000
