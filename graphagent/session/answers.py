"""Answers of people: the short forms, and whether one fits the question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.codec import decode, freeze
from graphagent.engine.doubt import DECISIONS, returned
from graphagent.errors import InputInvalid
from graphagent.graph.plan import Plan
from graphagent.graph.spec import HumanBody
from graphagent.graph.types import parse_object, parse_type
from graphagent.session.inputs import checked
from graphagent.snapshot import InterruptRow


def canonical(interrupt: InterruptRow, plan: Plan, value: Any, by: str | None, note: str | None) -> dict[str, Any]:
    """The canonical answer, with `by`, checked against the question.

    Args:
        value: Canonical, or short: a bool for `approve`, a text for `choose`, a mapping for `form`, any for `edit`,
            `retry` or `fail` for `in_doubt`; the fields or a no for `elicitation`.

    Raises:
        InputInvalid: it doesn't fit; the path says where.
    """
    question = decode(interrupt.question)
    mode = interrupt.kind
    answer = _long(mode, freeze(value))
    fields = question["answer_schema"]["properties"]
    for key in answer:
        if key not in fields:
            raise InputInvalid(f"$.{key}", f"no such field; an answer has {', '.join(fields)}")
    for key in question["answer_schema"]["required"]:
        if key not in answer:
            raise InputInvalid(f"$.{key}", "this field is missing")
    _check(mode, question, interrupt, plan, answer)
    if note is not None:
        answer["note"] = note
    return {**answer, "by": by or "anyone"}


def _long(mode: str, value: Any) -> dict[str, Any]:
    """The long form of an answer."""
    if mode in ("approve", "tool_approval") and isinstance(value, bool):
        return {"decision": "approve" if value else "reject"}
    if mode == "choose" and isinstance(value, str):
        return {"choice": value}
    if mode == "in_doubt" and isinstance(value, str) and value in DECISIONS:
        return {"decision": value}
    if mode == "elicitation":
        return _elicited(value)
    keys = {"approve": "decision", "choose": "choice", "form": "form", "edit": "value", "in_doubt": "decision",
            "tool": "value", "tool_approval": "decision"}  # fmt: skip
    key = keys[mode]
    if isinstance(value, Mapping) and (key in value or (mode == "form" and set(value) <= {"form", "note"} and value)):
        return dict(value)
    if mode in ("form", "edit", "tool"):
        return {key: value}
    expected = {
        "approve": "true, false or {decision}", "choose": "one of the options, or {choice}",
        "tool_approval": "true, false or {decision}",
        "in_doubt": "{decision: done, value}, {decision: retry} or {decision: fail}",
    }[mode]  # fmt: skip
    raise InputInvalid("$", f"{expected} is expected")


def _check(mode: str, question: Mapping[str, Any], interrupt: InterruptRow, plan: Plan, answer: dict[str, Any]) -> None:
    if mode == "approve" and answer["decision"] not in ("approve", "reject"):
        raise InputInvalid("$.decision", "`approve` or `reject` is expected")
    if mode == "choose" and answer["choice"] not in question["options"]:
        raise InputInvalid("$.choice", f"one of {', '.join(map(repr, question['options']))} is expected")
    if mode == "tool_approval":
        _check_approval(question, answer)
        return
    if mode == "in_doubt":
        _check_settled(interrupt, plan, answer)
        return
    if mode == "elicitation":
        _check_elicited(question, answer)
        return
    if mode == "tool":
        _check_result(interrupt, plan, answer)
        return
    graph = plan.graph
    index = graph.node_index.get(interrupt.node)
    body = graph.nodes[index].body if index is not None else None
    if not isinstance(body, HumanBody):
        return
    if body.form is not None and "form" not in answer:
        answer["form"] = {}
    elif body.form is not None:
        answer["form"] = checked("$.form", _checker(parse_object(body.form, plan.types)), answer["form"])
    if mode == "edit" and index is not None:
        value = graph.nodes[index].values.get("value")
        roots = [(r.root, r.path) for r in value.reads] if value is not None else []
        if len(roots) == 1 and not roots[0][1] and roots[0][0] in graph.channel_index:
            channel = graph.channels[graph.channel_index[roots[0][0]]]
            answer["value"] = checked("$.value", channel.check, answer["value"])


def _elicited(value: Any) -> dict[str, Any]:
    """The long form of an answer to a server: `{value}` accepts, and so does a mapping of the fields themselves."""
    if value is False or value == "decline":
        return {"action": "decline"}
    if value == "cancel":
        return {"action": "cancel"}
    if isinstance(value, Mapping) and "action" in value:
        return dict(value)
    if isinstance(value, Mapping) and set(value) <= {"value", "note"} and "value" in value:
        return {"action": "accept", **value}
    if isinstance(value, Mapping):
        return {"action": "accept", "value": value}
    raise InputInvalid("$", "{value} with the fields that are asked for, false, `decline` or `cancel` is expected")


def _check_elicited(question: Mapping[str, Any], answer: dict[str, Any]) -> None:
    """A value comes with `accept`, and fits what the server asks for."""
    from graphagent.tools.arguments import path_of
    from graphagent.tools.checking import problems

    action = answer["action"]
    if action not in question["options"]:
        raise InputInvalid("$.action", f"one of {', '.join(map(repr, question['options']))} is expected")
    if action != "accept":
        if "value" in answer:
            raise InputInvalid("$.value", f"`{action}` has no value")
        return
    if not isinstance(answer.get("value"), Mapping):
        raise InputInvalid("$.value", "`accept` needs an object with the fields that are asked for")
    schema = {"additionalProperties": False, **question["answer_schema"]["properties"]["value"]}
    for place, message in problems(answer["value"], schema):
        raise InputInvalid(f"$.value{path_of(place)[1:]}", message)


def _check_result(interrupt: InterruptRow, plan: Plan, answer: dict[str, Any]) -> None:
    """The result of a tool that the caller ran fits what the tool declares."""
    tool = plan.tools.get(decode(interrupt.question)["payload"]["tool"])
    if tool is None or tool.client is None:
        return
    declared = tool.client.returns
    kind = parse_object(declared, plan.types) if isinstance(declared, Mapping) else parse_type(declared, plan.types)
    answer["value"] = checked("$.value", _checker(kind), answer["value"])


def _check_approval(question: Mapping[str, Any], answer: dict[str, Any]) -> None:
    """The decision about a call of a tool: changed arguments come with `edit`, a result with `respond`."""
    decision, options = answer["decision"], question["options"]
    if decision not in options:
        raise InputInvalid("$.decision", f"one of {', '.join(map(repr, options))} is expected")
    for key, needed in (("args", "edit"), ("content", "respond")):
        if decision == needed and key not in answer:
            raise InputInvalid(f"$.{key}", f"`{needed}` needs it")
        if decision != needed and key in answer:
            raise InputInvalid(f"$.{key}", f"`{decision}` has no `{key}`")
    if decision == "edit" and not isinstance(answer["args"], Mapping):
        raise InputInvalid("$.args", "an object of arguments is expected")


def _check_settled(interrupt: InterruptRow, plan: Plan, answer: dict[str, Any]) -> None:
    """The decision about a write in doubt. Where it was made, its value is what the call would have returned."""
    decision = answer["decision"]
    if decision not in DECISIONS:
        raise InputInvalid("$.decision", f"one of {', '.join(map(repr, DECISIONS))} is expected")
    if decision != "done":
        if "value" in answer:
            raise InputInvalid("$.value", f"`{decision}` has no value")
        return
    node = plan.graph.nodes[plan.graph.node_index[interrupt.node]]
    if node.item is not None and interrupt.path != interrupt.node:
        node = node.item
    check = returned(node)
    if check is not None and "value" not in answer:
        raise InputInvalid("$.value", f"the value that {node.name!r} would have returned is missing")
    answer["value"] = checked("$.value", check or (lambda value: value), answer.get("value"))


def _checker(kind: Any) -> Any:
    from graphagent.graph.types import checker

    return checker(kind)
