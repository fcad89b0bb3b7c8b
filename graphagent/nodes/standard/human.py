"""`std.human`: the model asks a person."""

from __future__ import annotations

from typing import Any

from graphagent.graph.plan import NodePlan
from graphagent.graph.types import STR, ListOf
from graphagent.nodes.standard.offer import TEXT, StandardTool, Told, standard_tool
from graphagent.ports import Task


def human_offers(node: NodePlan) -> list[StandardTool]:
    """`ask_human`: a question with options, or one that is answered in words."""

    async def ask(task: Task, arguments: dict[str, Any]) -> Told:
        answer = await task.ask(question(arguments["question"], arguments["options"]))
        return Told(answer["choice"] if arguments["options"] else answer["form"]["answer"])

    about = "Ask a human, and wait for the answer. Give `options` where only these can be the answer."
    return [standard_tool("ask_human", about, {"question": TEXT, "options": (ListOf(STR), [])}, ask)]


def question(prompt: str, options: list[str]) -> dict[str, Any]:
    """The interrupt: kind `choose` with options, else `form` with one text."""
    note = {"note": {"type": ["string", "null"]}}
    if options:
        fields: dict[str, Any] = {"choice": {"enum": options}}
    else:
        answer = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"],
                  "additionalProperties": False}  # fmt: skip
        fields = {"form": answer}
    schema = {"type": "object", "properties": {**fields, **note}, "required": list(fields),
              "additionalProperties": False}  # fmt: skip
    return {
        "kind": "choose" if options else "form", "prompt": prompt, "options": options or None, "payload": None,
        "assignee": None, "answer_schema": schema,
    }  # fmt: skip
