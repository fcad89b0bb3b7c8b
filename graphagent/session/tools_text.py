"""The `tools` document as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.drawing.text import plain
from graphagent.session.documents.tool_forms import ToolEntry, ToolProblem, ToolsDocument
from graphagent.session.tables_text import CELL_LIMIT, table


def tools_text(document: ToolsDocument) -> str:
    """A row for each tool, then what couldn't be listed."""
    rows = [["tool", "source", "effects", "arguments", "used by", "description"]]
    rows += [_row(tool) for tool in document.tools]
    parts = [table(rows)] if document.tools else []
    parts += [_problem(problem) for problem in document.problems]
    return "\n".join(parts) if parts else "this graph has no tools"


def _row(tool: ToolEntry) -> list[str]:
    asks = " (asks)" if tool.approvals else ""
    used = ", ".join(path.removeprefix("$.nodes.") for path in tool.used_by)
    return [
        tool.name,
        tool.of or tool.source,
        tool.effects + asks,
        arguments(tool.parameters),
        used,
        _brief(tool.description),
    ]


def _brief(text: str) -> str:
    line = plain(text.partition("\n")[0])
    return line if len(line) <= CELL_LIMIT else f"{line[: CELL_LIMIT - 3]}..."


def arguments(schema: Mapping[str, Any]) -> str:
    """The names of the arguments; one that may be left out has a question mark."""
    required = schema.get("required", ())
    return ", ".join(name if name in required else f"{name}?" for name in schema.get("properties", {}))


def _problem(problem: ToolProblem) -> str:
    hint = f"\n  {plain(problem.hint)}" if problem.hint else ""
    return f"✖ {plain(problem.name)}: {plain(problem.message)}{hint}"
