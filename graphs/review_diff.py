"""Reads a git diff for `code_review.graph.yaml`, and keeps of a review what is about changed lines."""

from __future__ import annotations

import re
from typing import Any

_FILE = re.compile(r"^diff --git a/.* b/(?P<path>.*)$")
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(?P<start>\d+)(?:,\d+)? @@")
_WORST_FIRST = {"bug": 0, "risk": 1, "style": 2}


def files(diff: str, most: int) -> dict[str, Any]:
    """The changed files of a diff, each with the numbers of its new lines; those above `most` are only named.

    Binary files and pure deletions have no new lines and are left out.
    """
    found: list[dict[str, Any]] = []
    number = 0
    in_hunk = False
    for line in diff.splitlines():
        if (match := _FILE.match(line)) is not None:
            found.append({"path": match["path"], "added": 0, "removed": 0, "lines": [], "patch": ""})
            in_hunk = False
        elif not found:
            continue
        elif (match := _HUNK.match(line)) is not None:
            number, in_hunk = int(match["start"]), True
        elif in_hunk and line.startswith("+"):
            found[-1]["added"] += 1
            found[-1]["lines"].append(number)
            number += 1
        elif in_hunk and line.startswith("-"):
            found[-1]["removed"] += 1
        elif in_hunk and not line.startswith("\\"):
            number += 1
        if found and in_hunk:
            found[-1]["patch"] += line + "\n"
    changed = [file for file in found if file["lines"]]
    return {"files": changed[:most], "left_out": [file["path"] for file in changed[most:]]}


def about_changes(findings: list[dict[str, Any]], files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings about lines that the diff adds or changes, the worst first."""
    lines = {file["path"]: set(file["lines"]) for file in files}
    kept = [found for found in findings if found["line"] in lines.get(found["path"], set())]
    return sorted(kept, key=lambda found: (_WORST_FIRST[found["severity"]], found["path"], found["line"]))


def report(findings: list[dict[str, Any]], files: list[dict[str, Any]], unread: list[str]) -> str:
    """The review as Markdown."""
    added, removed = sum(file["added"] for file in files), sum(file["removed"] for file in files)
    out = [f"{len(files)} files, +{added} -{removed}: {len(findings)} findings"]
    out += [f"- **{found['severity']}** `{found['path']}:{found['line']}` {found['text']}" for found in findings]
    if unread:
        out.append(f"Not reviewed: {', '.join(unread)}")
    return "\n".join(out)
