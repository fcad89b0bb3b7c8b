"""Documents as plain text tables, for terminals and for Python's `print`. Colours belong to `cli`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphagent.session.documents.forms import HistoryDocument, ReplayDocument, SessionsDocument, ShowDocument

PREVIEW = 100
"""Characters of a value that a table shows."""


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Columns as wide as their widest cell; the last one isn't padded."""
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join([*(c.ljust(w) for c, w in zip(row[:-1], widths, strict=False)), row[-1]]) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def seconds(ms: int | None) -> str:
    """A duration in seconds."""
    return "" if ms is None else f"{ms / 1000:.1f} s"


def short(value: Any, limit: int = PREVIEW) -> str:
    """A value on one line, cut with an ellipsis."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def task_text(task: Mapping[str, Any]) -> str:
    """A task in one word or a few: its path, and how it ended unless that is as usual."""
    status = task["status"]
    attempts = f" ({task['attempts']} attempts)" if (task["attempts"] or 1) > 1 else ""
    return str(task["task"]) + ("" if status == "done" else f" {status}") + attempts


def change_text(change: Mapping[str, Any]) -> str:
    """A change: the channel, and by how many items it grew."""
    added = change.get("added")
    grown = f" +{len(added)}" if isinstance(added, list) else ""
    value = change.get("after")
    shown = f" = {short(value['value'], 40)}" if isinstance(value, Mapping) and "value" in value else ""
    return f"{change['channel']}{grown}{shown}"


def history_text(document: HistoryDocument) -> str:
    """One line for each superstep."""
    data = document.data()
    rows = []
    for step in data["supersteps"]:
        tasks = ", ".join(task_text(t) for t in step["tasks"] if "[" not in t["task"]) or step["kind"]
        changes = ", ".join(change_text(c) for c in step["changes"])
        leads = ", ".join(t["node"] for t in step["tokens"])
        rows.append([str(step["superstep"]), str(step["snapshot"]), seconds(step["wall_ms"]), tasks, changes, leads])
    head = f"{data['graph']['name']}  {data['session']}  {state(data)}"
    out = [head, "", table(rows, ["superstep", "snapshot", "time", "ran", "wrote", "next"])]
    if data["open"] is not None:
        tasks = ", ".join(task_text(t) for t in data["open"]["tasks"])
        out.append(f"\nopen: superstep {data['open']['superstep']}: {tasks}")
    if data["origin"] is not None:
        out.append(f"\nforked from {data['origin']['session']} at snapshot {data['origin']['snapshot']}")
    return "\n".join(out)


def state(data: Mapping[str, Any]) -> str:
    """Status and reason."""
    return str(data["status"]) + (f" ({data['reason']})" if data["reason"] else "")


def show_text(document: ShowDocument) -> str:
    """The channels at a snapshot, and what is due or waits there."""
    data = document.data()
    after = data["snapshot"] - 1
    where = "the genesis" if after < 0 else f"after superstep {after}"
    out = [f"{data['graph']['name']}  {data['session']}@{data['snapshot']} ({where})  {state(data)}", ""]
    rows = []
    for channel in data["channels"]:
        value = channel["value"] if "value" in channel else channel["value_ref"]["preview"]
        version = "" if channel["version"] is None else f"v{channel['version']}"
        mark = "*" if channel["changed"] else ""
        rows.append([channel["name"] + mark, channel["reducer"], version, short(value)])
    out.append(table(rows, ["channel", "reducer", "version", "value"]) if rows else "no channels")
    if data["tokens"]:
        out.append("\ndue: " + ", ".join(t["node"] for t in data["tokens"]))
    for interrupt in data["interrupts"]:
        if interrupt["status"] == "open":
            out.append(f"\nwaiting: {interrupt['node']}: {interrupt['prompt']}\n  {interrupt['id']}")
    if data["error"] is not None:
        out.append(f"\nerror: {data['error']['kind']}: {data['error']['message']}")
    return "\n".join(out)


def replay_text(document: ReplayDocument) -> str:
    """The digest table, and the first difference if there is one."""
    data = document.data()
    rows = []
    for step in data["supersteps"]:
        mark = "identical" if step["identical"] else "differs"
        replayed = mark if data["mode"] == "verify" else "recorded"
        rows.append([str(step["superstep"]), str(step["tasks"]), str(step["effects"]), step["recorded"][:19], replayed])
    out = [table(rows, ["superstep", "tasks", "effects", "digest", data["mode"]])]
    found = data["first_difference"]
    if found is None:
        count = len(data["supersteps"])
        verdict = f"identical, {count} of {count} digests" if data["mode"] == "verify" else f"{count} supersteps"
        out.append(f"\n{verdict}; external calls: {data['effects']['external']}")
        return "\n".join(out)
    out.append(f"\nfirst difference: superstep {found['superstep']}, node {found['node']}: {found['kind']}")
    out.append(f"  expected: {short(found['expected'], 300)}\n  actual:   {short(found['actual'], 300)}")
    if found["hint"]:
        out.append(f"  hint: {found['hint']}")
    return "\n".join(out)


def sessions_text(document: SessionsDocument) -> str:
    """One line for each session, newest first."""
    rows = []
    for row in document.data()["sessions"]:
        label = row["name"] or ""
        rows.append(
            [row["session"], row["graph"]["name"], state(row), str(row["supersteps"]), row["updated_at"], label]
        )
    if not rows:
        return "no sessions"
    return table(rows, ["session", "graph", "status", "supersteps", "updated", "name"])
