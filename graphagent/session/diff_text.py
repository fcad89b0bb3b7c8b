"""The `diff` document as people read it. A line that begins with `-` is A's, one with `+` is B's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from graphagent.drawing.text import plain
from graphagent.session.tables_text import seconds, state, table
from graphagent.snapshot import UNSET

if TYPE_CHECKING:
    from graphagent.session.documents.diff_forms import DiffDocument, Difference, Pair
    from graphagent.session.documents.parts import Change, PatchOp, Value

ROWS = 20
"""Supersteps that are shown from the first difference on."""
LINES = 40
"""Lines of one channel that are shown."""
AROUND = 30
"""Characters of a long line that are kept around what differs."""


def diff_text(document: DiffDocument, *, stat: bool = False) -> str:
    """Both sides, the supersteps from the first difference on, the channels that differ, and what differs in sum.

    Args:
        stat: Of channels only how much differs.
    """
    sides = [
        [name, f"{side.session}@{side.snapshot}", side.graph.name, state(side.status, None)]
        for name, side in (("A", document.a), ("B", document.b))
    ]
    lines = [table([["", "", "", ""], *sides]).lstrip("\n")]
    common = document.common
    if common is not None:
        lines.append(f"common: up to {common.session}@{common.snapshot}")
    if document.same:
        return "\n".join([*lines, "", "no difference"])
    lines += ["", *_supersteps(document)]
    for found in document.changes:
        body = [] if stat else list(lines_of_change(found))
        lines += ["", *_head(found), *body] if not stat else _head(found)
    lines += ["", *_sum(document)]
    return "\n".join(lines)


def _supersteps(document: DiffDocument) -> Iterator[str]:
    pairs = document.pairs
    start = next((i for i, pair in enumerate(pairs) if not pair.same), None)
    if start is None:
        yield "all supersteps are the same"
        return
    if start:
        yield f"{start} supersteps are the same"
    yield f"first difference: superstep {document.first_difference}"
    rows = [["A", "ran", "B", "ran", "differs"]]
    rows += [_pair(pair) for pair in pairs[start : start + ROWS]]
    yield table(rows)
    if len(pairs) > start + ROWS:
        yield f"… and {len(pairs) - start - ROWS} more"


def _pair(pair: Pair) -> list[str]:
    a, b = ("" if n is None else str(n) for n in (pair.a, pair.b))
    what = "same" if pair.same else "only B" if pair.a is None else "only A" if pair.b is None else ""
    return [a, ", ".join(pair.a_ran), b, ", ".join(pair.b_ran), what or ", ".join(pair.differs)]


def _head(found: Difference) -> list[str]:
    """A line about a channel: how much differs, and who wrote it when."""
    a = _written(found.previous_version, found.previous_writers)
    b = _written(found.version, found.writers)
    return [head_of_change(found, f"A {a}, B {b}")]


def head_of_change(found: Difference | Change, when: str) -> str:
    """A line about a channel: how much differs, and when it was written."""
    if isinstance(found.added, list):
        removed = getattr(found, "removed", UNSET)
        less = len(removed) if isinstance(removed, list) else 0
        what = " ".join([f"+{len(found.added)}"] * bool(found.added) + [f"-{less}"] * bool(less))
    elif isinstance(found.patch, list):
        less, more = sum(op.op != "add" for op in found.patch), sum(op.op != "remove" for op in found.patch)
        what = " ".join([f"+{more}"] * bool(more) + [f"-{less}"] * bool(less))
    else:
        what = "differs" if _valued(found) else "same value"
    return f"{found.channel}: {what}  ({when})"


def _valued(found: Difference | Change) -> bool:
    """Whether there are values to show."""
    return any(v is not UNSET for v in (found.before, found.after, found.added, found.patch))


def _written(version: int | None, writers: list[str]) -> str:
    if version is None:
        return "unset"
    return f"version {version}" + (f" by {', '.join(writers)}" if writers else "")


def lines_of_change(found: Difference | Change) -> Iterator[str]:
    """What was, or A has, with `-`, what is, or B has, with `+`."""
    lines = list(_lines(found))
    yield from lines[:LINES]
    if len(lines) > LINES:
        yield f"… and {len(lines) - LINES} more lines"


def _lines(found: Difference | Change) -> Iterator[str]:
    if isinstance(found.added, list):
        removed = getattr(found, "removed", UNSET)
        if isinstance(removed, list):
            yield from (f"- {_json(item)}" for item in removed)
        yield from (f"+ {_json(item)}" for item in found.added)
    elif isinstance(found.patch, list):
        yield from map(_op, found.patch)
    elif _valued(found):
        before, after = _shown(found.before), _shown(found.after)
        if isinstance(before, str) and isinstance(after, str) and ("\n" in before or "\n" in after):
            patch = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
            yield from (plain_line(line) for line in list(patch)[2:])
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from _object(before, after, "")
        else:
            yield from _two(_json(before), _json(after))


def _object(before: dict[str, Any], after: dict[str, Any], path: str) -> Iterator[str]:
    """What two objects have apart, by path."""
    for key in dict.fromkeys([*before, *after]):
        where = f"{path}.{key}" if path else str(key)
        old, new = before.get(key, UNSET), after.get(key, UNSET)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _object(old, new, where)
        elif old is UNSET or new is UNSET or old != new:
            a, b = ("" if v is UNSET else f"{plain(where)}: {_json(v)}" for v in (old, new))
            yield from _two(a, b)


def _two(a: str, b: str) -> Iterator[str]:
    """Two lines that differ; what they share at both ends is cut where they are long."""
    if a and b and max(len(a), len(b)) > 4 * AROUND:
        a, b = _cut(a, b)
    yield from (f"{sign} {text}" for sign, text in (("-", a), ("+", b)) if text)


def _cut(a: str, b: str) -> tuple[str, str]:
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    end = 0
    while end < min(len(a), len(b)) - same and a[-1 - end] == b[-1 - end]:
        end += 1
    start, stop = max(same - AROUND, 0), max(end - AROUND, 0)
    before, behind = ("…" if start else ""), ("…" if stop else "")
    return tuple(before + text[start : len(text) - stop] + behind for text in (a, b))  # type: ignore[return-value]


def _op(op: PatchOp) -> str:
    sign = {"add": "+", "remove": "-", "replace": "+"}[op.op]
    where = plain(op.path)
    return f"{sign} {where}" if op.value is UNSET else f"{sign} {where}: {_json(op.value)}"


def _shown(value: Value | Any) -> Any:
    """What a value of the document is, or says of a large one."""
    data = value.data()
    return data["value"] if "value" in data else f"{data['value_ref']['size']:,} bytes: {data['value_ref']['preview']}…"


def _json(value: Any) -> str:
    return plain_line(json.dumps(value, ensure_ascii=False))


def plain_line(text: str) -> str:
    """A line without what would steer a terminal; the space it begins with stays."""
    inner = text.lstrip(" ")
    return " " * (len(text) - len(inner)) + plain(inner)


def _sum(document: DiffDocument) -> Iterator[str]:
    delta = document.delta
    usage = delta.usage
    tokens = usage.input_tokens + usage.output_tokens
    parts = [f"{delta.supersteps:+d} supersteps", ("-" if delta.wall_ms < 0 else "+") + seconds(abs(delta.wall_ms))]
    if usage.model_calls or tokens:
        parts += [f"{usage.model_calls:+d} model calls", f"{tokens:+,d} tokens"]
    if usage.cost_usd:
        parts.append(f"${usage.cost_usd:+.4f}")
    yield f"B against A: {', '.join(parts)}"
    if document.outputs_same is not None:
        yield "outputs: " + ("the same" if document.outputs_same else "they differ")
    if document.graph_patch is not None:
        yield "graph: they ran different ones (--graph shows how they differ)"
    for name, side in (("A", document.a), ("B", document.b)):
        due = [*side.due, *(f"{node} (waiting)" for node in side.waiting)]
        if due:
            yield f"next in {name}: {', '.join(due)}"
