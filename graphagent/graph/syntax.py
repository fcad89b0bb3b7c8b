"""YAML syntax errors in words, with the hints for what authors of graphs usually meant."""

from __future__ import annotations

import re
from typing import Any

from graphagent.graph.diagnostics import Diagnostic, Note, Span, split_lines
from graphagent.graph.document import Source

_BARE = r"(?:when|over|match)"
_QUOTE_FIRST = re.compile(rf"\b{_BARE}:\s*(\"[^\"]*\"|'[^']*')\s*([^\s,}}#].*)")
_GENERIC_TYPE = re.compile(r"(list|dict|Literal)\[[^\]]*\]?")
_BARE_FIELD = re.compile(rf"\b{_BARE}:\s")


def syntax_error(error: Any, source: Source) -> Diagnostic:
    """GA002 for an error of the YAML parser."""
    problem = str(getattr(error, "problem", None) or error).strip()
    context = str(getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    opened = getattr(error, "context_mark", None)
    lines = split_lines(source.text)
    line = min(mark.line, len(lines) - 1) if mark else 0
    column = mark.column if mark else 0
    if opened and "end of stream" in problem:
        line, column = opened.line, opened.column
    text = lines[line]
    message, help = _explain(problem, context, text, column)
    notes: tuple[Note, ...] = ()
    if opened and opened.line != line and ("flow" in context or "quoted" in context):
        place = Span(source.file, opened.line + 1, opened.column + 1, opened.line + 1, opened.column + 2)
        notes = (Note("it was opened here", place),)
    span = Span(source.file, line + 1, column + 1, line + 1, column + 2)
    return Diagnostic("GA002", "error", f"YAML: {message}", span, notes=notes, help=help)


def _explain(problem: str, context: str, line: str, column: int) -> tuple[str, str | None]:
    """What is wrong and what to write instead; the two parsers word the same thing differently."""
    flow = "flow" in context
    quoted = _QUOTE_FIRST.search(line)
    if flow and line[max(0, column - 1) : column + 1] == "${":
        return "`${` begins a mapping here", "quote the `${ ... }` or use block style"
    if flow and line[column : column + 1] == "[" and _GENERIC_TYPE.search(line):
        name = _GENERIC_TYPE.search(line)[0]  # type: ignore[index]
        return "`[` can't follow plain text inside `{ }`", f'put the type in quotes: "{name}"'
    if quoted and not flow:
        literal = quoted[1].strip("\"'")
        member = re.fullmatch(r"in\s+([\w.\[\]]+)\s*", quoted[2])
        instead = f"write `contains({member[1]}, '{literal}')` or put" if member else "put"
        return "text goes on after the closing quote", f"{instead} the whole guard in quotes"
    if "mapping values" in problem:
        if _BARE_FIELD.search(line):
            return "`: ` inside a guard that isn't quoted", "put the guard in double quotes, text in single"
        return "a second `: ` on one line, or a wrong indentation", "put text that contains `: ` in quotes"
    return _explain_rest(problem, context, line, column)


def _explain_rest(problem: str, context: str, line: str, column: int) -> tuple[str, str | None]:
    char = line[column : column + 1]
    if "cannot start any token" in problem:
        if char == "\t":
            return "a tab in the indentation", "indent with spaces"
        return f"plain text can't begin with `{char}`", "put it in quotes"
    if "end of stream" in problem and "quoted" in context:
        return "this quote is never closed", None
    if "escape" in problem:
        return "unknown escape in double quotes", "write `\\\\` for a backslash, or use single quotes"
    if "flow" in context:
        kind, close = ("list", "]") if "sequence" in context else ("mapping", "}")
        help = f"text with any of `{{ }} [ ] , :` in a {kind} needs quotes"
        return f"`,` or `{close}` is expected in this {kind}", help
    if "block" in context and ("expected" in problem):
        return "this doesn't belong to the block above", "check the indentation and the quotes on this line and above"
    return problem[:200], None
