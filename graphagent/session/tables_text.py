"""Documents as plain text tables: what a terminal, a notebook and `print` show. Colours belong to `cli`.

Ids, names and digests stand in full. A state is a symbol and a word. Nothing that a graph or a model said can
steer a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphagent.drawing.metrics import cell_width
from graphagent.drawing.text import plain
from graphagent.session.documents.parts import Change, ChannelState, Error, Superstep, Task, Turn, Usage, Value
from graphagent.snapshot import Unset

if TYPE_CHECKING:
    from graphagent.session.documents.forms import (
        HistoryDocument,
        InboxDocument,
        ReplayDocument,
        SessionsDocument,
        ShowDocument,
    )

SYMBOLS = {
    "idle": "○", "queued": "◌", "running": "●", "done": "✔", "replayed": "⟲", "skipped": "\N{EN DASH}", "failed": "✖",
    "waiting": "⏸", "cancelled": "⊘", "poisoned": "✖", "corrupt": "✖",
}  # fmt: skip
CELL_LIMIT = 60
"""Characters of a value that a table shows."""
Rows = list[list[str]]


def history_table(document: HistoryDocument) -> Rows:
    """A header, then a row for each superstep, the open one last."""
    rows = [["superstep", "snapshot", "time", "ran", "wrote", "used", "next", "forks"]]
    rows += [_superstep_row(step, document.session) for step in document.supersteps]
    if document.open is not None:
        tasks = document.open.tasks
        spent = used([t.usage for t in tasks])
        rows.append([str(document.open.superstep), "open", "", _tasks(tasks), "", spent, "", ""])
    return rows


def _superstep_row(step: Superstep, session: str) -> list[str]:
    ran = _tasks(step.tasks) if step.kind == "superstep" else step.kind
    inherited = "" if step.session == session else "  (inherited)"
    return [
        str(step.superstep),
        str(step.snapshot),
        seconds(step.wall_ms) if step.kind == "superstep" else "",
        ran + inherited,
        ", ".join(_change(change) for change in step.changes),
        used([step.usage]),
        ", ".join(token.node for token in step.tokens),
        " ".join(step.forks),
    ]


def _tasks(tasks: Sequence[Task]) -> str:
    """Tasks in a few words; map items are counted behind their map."""
    out = []
    for task in tasks:
        if task.task != task.node:
            continue
        text = task.node if task.status == "done" else f"{SYMBOLS[task.status]} {task.node} {task.status}"
        items = [t for t in tasks if t.node == task.node and t.task != task.node]
        done = sum(t.status == "done" for t in items)
        if items:
            text += f" [{done} items]" if done == len(items) else f" [{done} of {len(items)} items]"
        if task.attempts > 1:
            text += f" ({task.attempts} attempts)"
        if task.child is not None:
            text += f" ▸ {task.child}"
        out.append(text)
    return ", ".join(out)


def _change(change: Change) -> str:
    text = change.channel
    if isinstance(change.added, list):
        text += f" +{len(change.added)}"
    elif isinstance(change.after, Value):
        text += f" = {brief(change.after)}"
    return f"{text} ({len(change.writers)} writers)" if len(change.writers) > 1 else text


def used(usages: Sequence[Usage]) -> str:
    """Tokens and dollars; nothing where there are none."""
    tokens = sum(u.input_tokens + u.output_tokens for u in usages)
    cost = sum(u.cost_usd or 0 for u in usages)
    parts = [f"{tokens:,} tok"] if tokens else []
    return " ".join([*parts, f"${cost:.4f}"] if cost else parts)


def history_text(document: HistoryDocument) -> str:
    """The history as people read it."""
    name = f"  {plain(document.name)}" if document.name else ""
    lines = [f"{document.session}  {document.graph.name}{name}  {state(document.status, document.reason)}"]
    if document.origin is not None:
        lines.append(f"fork of {document.origin.session} at snapshot {document.origin.snapshot}")
    if document.floor:
        lines.append(f"supersteps below {document.floor} were collected")
    lines += ["", table(history_table(document))]
    for step in document.supersteps:
        lines += _events(step)
    for task in document.open.tasks if document.open is not None else ():
        if task.error is not None:
            lines += ["", error_text(task.error)]
    return "\n".join(lines)


def _events(step: Superstep) -> list[str]:
    """The events of a superstep, if they were asked for."""
    if isinstance(step.events, Unset):
        return []
    rows = [[str(e["seq"]), e["kind"], e["task"] or "", short(e["data"], 100)] for e in step.events]
    return ["", f"superstep {step.superstep}", table([["", "", "", ""], *rows]).lstrip("\n")]


def sessions_table(document: SessionsDocument) -> Rows:
    """A header, then a row for each session."""
    rows = [["session", "graph", "state", "supersteps", "updated", "name", "origin"]]
    for entry in document.sessions:
        origin = "" if entry.origin is None else f"fork of {entry.origin.session}@{entry.origin.snapshot}"
        row = [
            entry.session,
            entry.graph.name,
            state(entry.status, entry.reason),
            str(entry.supersteps),
            entry.updated_at[:19].replace("T", " ") + " UTC",
            " ".join([*filter(None, [entry.name]), *(f"#{tag}" for tag in entry.tags)]),
            origin,
        ]
        rows.append(row)
    return rows


def sessions_text(document: SessionsDocument) -> str:
    """The listing as people read it."""
    return table(sessions_table(document)) if document.sessions else "no sessions"


def inbox_text(document: InboxDocument) -> str:
    """The questions as people read them."""
    rows = [["question", "state", "graph", "node", "asks", "asked"]]
    for entry in document.interrupts:
        status = "waiting" if entry.status == "open" else "done" if entry.status == "answered" else "cancelled"
        word = f"{SYMBOLS[status]} {entry.status}" + (f" for {entry.assignee}" if entry.assignee else "")
        prompt = plain(" ".join(entry.prompt.split()))
        short = prompt if len(prompt) <= CELL_LIMIT else prompt[: CELL_LIMIT - 1] + "…"
        rows.append(
            [entry.id, word, entry.graph.name, entry.node, short, entry.opened_at[:19].replace("T", " ") + " UTC"]
        )
    return table(rows) if document.interrupts else "nobody is asked anything"


def show_table(document: ShowDocument) -> Rows:
    """A header, then a row for each channel; `*` marks those that the superstep wrote."""
    rows = [["channel", "type", "version", "written by", "value"]]
    for channel in document.channels:
        version = "unset" if channel.version is None else str(channel.version) + ("*" if channel.changed else "")
        rows.append([channel.name, channel.type, version, ", ".join(channel.writers), brief(channel)])
    return rows


def show_text(document: ShowDocument) -> str:
    """The state as people read it."""
    after = f"after superstep {document.snapshot - 1}" if document.snapshot else "the genesis"
    kind = "" if document.kind in ("superstep", "genesis") else f" ({document.kind})"
    lines = [
        f"{document.session}@{document.snapshot}  {document.graph.name}  {state(document.status, document.reason)}",
        f"snapshot {document.snapshot}, {after}{kind}  {document.digest}",
        "",
        table(show_table(document)) if document.channels else "no channels",
    ]
    if document.tokens:
        lines += ["", "due next: " + ", ".join(token.node for token in document.tokens)]
    lines += open_turns(document)
    asked = {i.id for i in document.interrupts}
    for interrupt in document.interrupts:
        lines += ["", f"{SYMBOLS['waiting']} waiting: {interrupt.node}: {plain(interrupt.prompt)}", f"  {interrupt.id}"]
    for waiting in document.waiting:
        if waiting.interrupt is None or waiting.interrupt not in asked:
            lines += ["", f"{SYMBOLS['waiting']} waiting: {waiting.node}"]
    if document.error is not None:
        lines += ["", error_text(document.error)]
    return "\n".join(lines)


def open_turns(document: ShowDocument) -> list[str]:
    """How far the agents of the open superstep are."""
    lines = []
    for task in document.open.tasks if document.open is not None else ():
        if task.turns:
            lines += ["", f"{task.task}  {task.kind}  {state(task.status, None)}", *turn_lines(task.turns)]
    return lines


def turn_lines(turns: Sequence[Turn]) -> list[str]:
    """The turns of an agent, each with its calls."""
    lines = []
    for turn in turns:
        took = "" if turn.wall_ms is None else f"  {seconds(turn.wall_ms)}"
        model = "" if turn.model is None else f"  {plain(turn.model)}"
        lines.append(f"  turn {turn.turn + 1}  {turn.input_tokens + turn.output_tokens:,} tokens{took}{model}")
        for call in turn.calls:
            took = "" if call.wall_ms is None else f"  {seconds(call.wall_ms)}"
            lines.append(f"    {plain(call.tool)}  {call.status}{took}")
    return lines


def replay_table(document: ReplayDocument) -> Rows:
    """A header, then a row for each superstep with its digest."""
    rows = [["superstep", "tasks", "effects", document.mode, "digest"]]
    for step in document.supersteps:
        word = "recorded" if document.mode == "view" else "identical" if step.identical else "differs"
        symbol = SYMBOLS["replayed"] if step.identical else SYMBOLS["failed"]
        rows.append([str(step.superstep), str(step.tasks), str(step.effects), f"{symbol} {word}", step.recorded])
    return rows


def replay_text(document: ReplayDocument) -> str:
    """The digest table and the first difference, as people read them."""
    count = len(document.supersteps)
    same = sum(step.identical for step in document.supersteps)
    verdict = f"{count} supersteps" if document.mode == "view" else f"{same} of {count} digests identical"
    calls = f"{document.effects.replayed} effects from the journal, external calls: {document.effects.external}"
    lines = [table(replay_table(document)), "", f"{verdict}; {calls}"]
    found = document.first_difference
    if found is not None:
        call = "" if found.ordinal is None else f", call {found.ordinal}"
        where = f"superstep {found.superstep}, node {found.node}, attempt {found.attempt + 1}{call}"
        lines.append(f"{SYMBOLS['failed']} first difference: {where}: {found.kind}")
        lines.append(f"  expected: {short(found.expected, 300)}")
        lines.append(f"  actual:   {short(found.actual, 300)}")
        lines += [f"  {d.json_path}: {short(d.expected)} -> {short(d.actual)}" for d in found.diff[:5]]
        lines.append(f"hint: {plain(found.hint)}")
    return "\n".join(lines)


def error_text(error: Error) -> str:
    """An error in a line, and its hint in another."""
    where = f"node {error.node}: " if error.node else ""
    at = "" if error.superstep is None else f" at superstep {error.superstep}"
    hint = f"\nhint: {plain(error.hint)}" if error.hint else ""
    return f"{SYMBOLS['failed']} failed{at}: {where}{error.kind}: {plain(error.message)}{hint}"


def state(status: str, reason: str | None) -> str:
    """A status with its symbol, and the reason if there is one."""
    return f"{SYMBOLS[status]} {status}" + (f" ({reason})" if reason else "")


def seconds(wall_ms: int) -> str:
    """A duration for people."""
    return f"{wall_ms} ms" if wall_ms < 1000 else f"{wall_ms / 1000:.1f} s"


def brief(value: Value | ChannelState) -> str:
    """A value of a document in one short line; nothing for an unset channel."""
    if isinstance(value, ChannelState) and value.version is None and value.value is None:
        return ""
    if not isinstance(value.value_ref, Unset):
        return f"{value.value_ref.size:,} bytes: {plain(value.value_ref.preview)[:CELL_LIMIT]}…"
    return short(value.value)


def short(value: object, limit: int = CELL_LIMIT) -> str:
    """Plain data in one line, cut with an ellipsis."""
    text = plain(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def table(rows: Rows) -> str:
    """Rows in columns. A column that is empty below its header is left out; the last one isn't padded."""
    clean = [[plain(cell) for cell in row] for row in rows]
    kept = [i for i in range(len(clean[0])) if any(row[i] for row in clean[1:])]
    widths = {i: max(cell_width(row[i]) for row in clean) for i in kept}
    return "\n".join("  ".join(row[i] + " " * (widths[i] - cell_width(row[i])) for i in kept).rstrip() for row in clean)
