"""Rendering a template: no access to Python objects, no clock, no chance, at most 1 MiB and 10,000 loop steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError

from graphagent.errors import NodeError
from graphagent.graph.expression_errors import Failure
from graphagent.graph.plan import Template
from graphagent.prompts.budget import OUTPUT_LIMIT, TooMuch, done, fresh
from graphagent.prompts.environment import Files, compiled

_EXPECTED: Final = (
    TemplateError, TooMuch, Failure, TypeError, ValueError, LookupError, ArithmeticError, AssertionError,
    AttributeError, RecursionError, MemoryError, SyntaxError,
)  # fmt: skip


def render(template: Template, variables: Mapping[str, Any], files: Files = ()) -> str:
    """The text of a template with these variables; what a value holds is never rendered again.

    Args:
        template: Its text, and what stands in place of some of its blocks.
        variables: All that it sees: plain data.
        files: The texts of the templates that it may include, by name.

    Raises:
        NodeError: kind `expression`: an undefined variable, a refused operation, or a cap was passed.
    """
    token = fresh()
    try:
        pieces, size = [], 0
        for piece in compiled(template, files).generate(**variables):
            size += len(piece.encode())
            if size > OUTPUT_LIMIT:
                raise TooMuch(f"the text has more than {OUTPUT_LIMIT:,} bytes")
            pieces.append(piece)
        return "".join(pieces)
    except _EXPECTED as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else _line(error.__traceback__)
        where = f" at line {line} of its template" if line else ""
        what = str(error) or type(error).__name__
        message = f"the prompt can't be rendered{where}: {what}"
        raise NodeError(message, kind="expression", hint="variables of a prompt are the names in `with`") from error
    finally:
        done(token)


def _line(trace: TracebackType | None) -> int | None:
    """The line of the template where an error was raised."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
