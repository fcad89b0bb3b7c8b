"""Findings for other tools: workflow commands of GitHub, and SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from graphagent.graph.diagnostics import Diagnostic, Fix, Span, Suppression
from graphagent.graph.rules import RULES

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github(found: Iterable[Diagnostic], suppressions: Iterable[Suppression]) -> str:
    """One line a finding, `::error file=x,line=1,...,title=GA203::message`, and one a comment that silences.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = [_command(d.severity, d.span, d.code, d.message + (f" ({d.help})" if d.help else "")) for d in found]
    lines += [_command("notice", s.span, "allow", s.note) for s in suppressions]
    return "".join(lines)


def _command(level: str, span: Span, title: str, message: str) -> str:
    place = {"file": span.file, "line": span.line}
    if span.line == span.end_line:  # columns are for one line only
        place |= {"col": span.column, "endLine": span.end_line, "endColumn": span.end_column}
    else:
        place |= {"endLine": span.end_line}
    named = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in {**place, "title": title}.items())
    return f"::{level} {named}::{_escaped(message)}\n"


def _escaped(text: str, more: str = "") -> str:
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def sarif(found: Sequence[Diagnostic], suppressions: Iterable[Suppression]) -> dict[str, Any]:
    """The findings as SARIF 2.1.0; those that a comment holds back are there, marked as suppressed.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    from graphagent import __version__

    held = [(d, s.reason) for s in suppressions for d in s.silenced]
    codes = sorted({d.code for d in found} | {d.code for d, _ in held})
    results = [_result(d, codes) for d in found]
    for d, reason in held:
        results.append({**_result(d, codes), "suppressions": [{"kind": "inSource", "justification": reason}]})
    driver = {
        "name": "graphagent", "version": __version__, "semanticVersion": __version__, "rules": [_rule(c) for c in codes]
    }  # fmt: skip
    run = {
        "tool": {"driver": driver}, "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"PROJECT": {"description": {"text": "The folder that paths are relative to."}}},
        "invocations": [{"executionSuccessful": True}], "results": results,
    }  # fmt: skip
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    module = import_module(RULES[code])
    page = (module.__doc__ or "").strip()
    return {
        "id": code, "name": RULES[code].rpartition(".")[2], "shortDescription": {"text": module.TITLE},
        "fullDescription": {"text": page.splitlines()[0]}, "help": {"text": page},
    }  # fmt: skip


def _result(found: Diagnostic, codes: Sequence[str]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "ruleId": found.code, "ruleIndex": codes.index(found.code), "level": found.severity,
        "message": {"text": found.message + (f" ({found.help})" if found.help else "")},
        "locations": [
            {"physicalLocation": _location(found.span), "logicalLocations": [{"fullyQualifiedName": found.path}]}
        ],
    }  # fmt: skip
    related = [
        {"id": number, "message": {"text": note.message}, "physicalLocation": _location(note.span)}
        for number, note in enumerate((n for n in found.notes if n.span is not None), 1)
        if note.span is not None
    ]
    if related:
        out["relatedLocations"] = related
    if found.fix is not None:
        out["fixes"] = [_fix(found.fix)]
    return out


def _location(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span.file), "region": _region(span)}


def _artifact(file: str) -> dict[str, str]:
    uri = quote(file)
    return {"uri": PurePosixPath(file).as_uri()} if file.startswith("/") else {"uri": uri, "uriBaseId": "PROJECT"}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line, "startColumn": span.column, "endLine": span.end_line, "endColumn": span.end_column
    }  # fmt: skip


def _fix(fix: Fix) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        change = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.span.file, []).append(change)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [{"artifactLocation": _artifact(f), "replacements": r} for f, r in changes.items()],
    }  # fmt: skip
