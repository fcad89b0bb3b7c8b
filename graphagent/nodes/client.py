"""Tools that our caller runs: a call parks as a question, and its answer is the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.errors import NodeError
from graphagent.graph.plan import NodePlan, Plan
from graphagent.graph.spec import ClientTool, ToolSpec
from graphagent.graph.types import TypeMismatch, checker, json_schema, parse_decl, parse_object, parse_type
from graphagent.ports import Finished, Parked, Task
from graphagent.snapshot import UNSET


class ClientCall:
    """A tool that our caller runs: a question whose answer is the result."""

    def __init__(self, tool: ToolSpec, client: ClientTool, plan: Plan) -> None:
        self.tool = tool
        declared = client.returns
        kind = parse_object(declared, plan.types) if isinstance(declared, Mapping) else parse_type(declared, plan.types)
        self.check, self.schema = checker(kind), json_schema(kind)
        self.params = {
            name: (parse_object(text, plan.types), UNSET) if isinstance(text, Mapping) else parse_decl(text, plan.types)
            for name, text in client.params.items()
        }

    async def ask(self, task: Task, node: NodePlan, given: dict[str, Any]) -> Finished | Parked:
        """The result that the caller gave; parked until there is one. An item of a map waits inside its superstep."""
        question = self.question(given)
        if task.path != node.name:
            return Finished(out=self.checked(await task.ask(question)))
        if task.answer is None:
            return Parked("interrupt", question, node.timeout_s)
        if "error" in task.answer:
            error = task.answer["error"]
            raise NodeError(error["message"], kind=error["kind"], cause=error.get("cause"), retryable=False)
        return Finished(out=self.checked(task.answer["value"]))

    def question(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the caller is shown, and the schema that the answer has to fit."""
        args: dict[str, Any] = {}
        for name, (kind, default) in self.params.items():
            value = given.get(name, default)
            if value is UNSET:
                message, place = f"the argument {name!r} is missing", {"field": f"$.{name}"}
                raise NodeError(message, kind="invalid_input", cause="bad_arguments", details=place)
            try:
                args[name] = checker(kind)(value)
            except TypeMismatch as error:
                message, place = f"{name}{error.path[1:]}: {error.message}", {"field": f"$.{name}{error.path[1:]}"}
                raise NodeError(message, kind="invalid_input", cause="bad_arguments", details=place) from error
        return {
            "kind": "tool", "prompt": self.tool.about or f"call {self.tool.name}", "options": None,
            "payload": {"tool": self.tool.name, "args": args}, "assignee": None,
            "answer_schema": {"type": "object", "properties": {"value": self.schema}, "required": ["value"],
                              "additionalProperties": False},
        }  # fmt: skip

    def checked(self, answer: Mapping[str, Any]) -> Any:
        """The value of an answer, which was checked when it was given."""
        return self.check(answer["value"])
