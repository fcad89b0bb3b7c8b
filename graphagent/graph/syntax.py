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


def syntax_error(error: Any, source: Source, bracket: Any = None) -> Diagnostic:
    """GA002 for an error of the YAML parser.

    Args:
        bracket: The parser's event of the innermost `[` or `{` that is open, if there is one.
    """
    problem = str(getattr(error, "problem", None) or error).strip()
    context = str(getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    opened = getattr(error, "context_mark", None)
    if bracket is not None and context.endswith("a flow node"):  # said of what is missing in it, where it is missing
        context = "sequence" if type(bracket).__name__ == "SequenceStartEvent" else "mapping"
        context, opened = f"while parsing a flow {context}", bracket.start_mark
    lines = split_lines(source.text)
    line, column = _place(mark, lines)
    at_end = (line, column) == (len(lines) - 1, len(lines[-1]))
    if opened and "end of stream" in problem:
        line, column = _place(opened, lines)
        at_end = False
    text = lines[line]
    message, help = _explain(problem, context, text, column)
    notes: tuple[Note, ...] = ()
    if opened and (opened.line != line or at_end) and ("flow" in context or "quoted" in context):
        first, start = _place(opened, lines)
        notes = (Note("it was opened here", Span(source.file, first + 1, start + 1, first + 1, start + 2)),)
    span = Span(source.file, line + 1, column + 1, line + 1, column + 2)
    return Diagnostic("GA002", "error", f"YAML: {message}", span, notes=notes, help=help)


def _place(mark: Any, lines: tuple[str, ...]) -> tuple[int, int]:
    """Line and column of a mark, from 0. The parser puts the end of a file on a line of its own even if it has none."""
    if mark is None:
        return 0, 0
    return (mark.line, mark.column) if mark.line < len(lines) else (len(lines) - 1, len(lines[-1]))


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
