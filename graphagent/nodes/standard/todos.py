"""`std.todos`: a list of what is to be done, which the model keeps."""

from __future__ import annotations

from typing import Any, Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan
from graphagent.graph.types import STR, Field, ListOf, LiteralOf, ObjectOf
from graphagent.nodes.standard.offer import StandardTool, Told, standard_tool, writes_to
from graphagent.ports import Task
from graphagent.snapshot import UNSET

CHANNEL: Final = "todos"
STATES: Final = ("pending", "in_progress", "completed")
TODO: Final = ObjectOf(
    (Field("id", STR, UNSET), Field("content", STR, UNSET), Field("status", LiteralOf(STATES), UNSET))
)
ABOUT: Final = (
    "Write down your list of todos, the whole list each time. Use it for work of several steps: at most one todo is "
    "in_progress, and one that is done is marked as completed at once."
)


class TodosSet:
    """`write_todos`: replaces the list."""

    def __init__(self, graph: GraphPlan) -> None:
        self.writes = writes_to(graph, CHANNEL)

    def offers(self) -> list[StandardTool]:
        """The tools of this set."""
        fields = {"todos": (ListOf(TODO), UNSET)}
        return [standard_tool("write_todos", ABOUT, fields, self.write, writes=self.writes, once=True)]

    async def write(self, task: Task, arguments: dict[str, Any]) -> Told:
        """Check the list and take it."""
        todos = arguments["todos"]
        ids = [todo["id"] for todo in todos]
        if len(set(ids)) < len(ids):
            raise _conflict("two todos have the same id", "$.todos")
        if sum(todo["status"] == "in_progress" for todo in todos) > 1:
            raise _conflict("more than one todo is in_progress", "$.todos")
        left = sum(todo["status"] != "completed" for todo in todos)
        return Told(f"{len(todos)} todos are written down, {left} of them are left", todos)


def _conflict(message: str, field: str) -> NodeError:
    return NodeError(message, kind="invalid_input", cause="todo_conflict", details={"field": field},
                     hint="write the whole list again")  # fmt: skip


def shown(todos: list[dict[str, str]]) -> str:
    """The list as a model reads it."""
    marks = {"pending": " ", "in_progress": ">", "completed": "x"}
    return "\n".join(f"[{marks.get(t['status'], '?')}] {t['id']}: {t['content']}" for t in todos)
