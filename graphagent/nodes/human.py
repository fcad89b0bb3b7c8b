"""Kind `human`: parks its token until a person answers; the barrier isn't held."""

from __future__ import annotations

from typing import Any

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import HumanBody
from graphagent.graph.types import json_schema, parse_object
from graphagent.nodes.arguments import arguments
from graphagent.nodes.prompts import template_of
from graphagent.ports import Finished, Parked, Task


class HumanNode:
    """Asks, then hands the answer on as `out`.

    `out` is `{decision}`, `{choice}`, `{form}` or `{value}` by mode, with `by`, and `form` where one was asked for.
    """

    immediate = True

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, HumanBody)
        self.node, self.plan, self.body = node, plan, node.body
        self.template = template_of(plan, node.body.prompt)
        self.form = parse_object(node.body.form, plan.types) if node.body.form else None

    def run_now(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        if task.answer is None:
            return Parked("interrupt", self.question(task), self.node.timeout_s)
        if "error" in task.answer:
            error = task.answer["error"]
            raise NodeError(error["message"], kind=error["kind"], cause=error.get("cause"), retryable=False)
        return Finished(out=task.answer["value"])

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        return self.run_now(task)

    def question(self, task: Task) -> dict[str, Any]:
        """What the person is shown, and the schema that the answer has to fit."""
        values, env = self.node.values, task.env
        options = values["options"].evaluate(env) if "options" in values else None
        payload = values["value"].evaluate(env) if "value" in values else None
        return {
            "kind": self.body.mode,
            "prompt": task.services.render(self.template, arguments(self.node, task)),
            "options": options,
            "payload": payload,
            "assignee": values["assign"].evaluate(env) if "assign" in values else None,
            "answer_schema": self.schema(options),
        }

    def schema(self, options: Any) -> dict[str, Any]:
        """JSON Schema of the canonical answer."""
        form = json_schema(self.form) if self.form is not None else None
        mode = self.body.mode
        fields: dict[str, Any] = {
            "approve": {"decision": {"enum": ["approve", "reject"]}},
            "choose": {"choice": {"enum": options}},
            "form": {},
            "edit": {"value": self.edited()},
        }[mode]
        required = list(fields)
        if form is not None:
            fields["form"] = form
            if mode != "approve":
                required.append("form")
        fields["note"] = {"type": ["string", "null"]}
        return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}

    def edited(self) -> dict[str, Any]:
        """The schema of what is edited: that of the channel that `value` names alone, else anything."""
        types = {c.name: c.type for c in self.plan.graph.channels}
        value = self.node.values.get("value")
        reads = value.reads if value is not None else ()
        if len(reads) == 1 and not reads[0].path and reads[0].root in types:
            return json_schema(types[reads[0].root])
        return {}
