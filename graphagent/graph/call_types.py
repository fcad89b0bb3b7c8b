"""Static types of calls: whether the arguments fit, and what comes out."""

from __future__ import annotations

from graphagent.graph.comparison_types import check_membership
from graphagent.graph.expression_findings import Report, shorten, show_type
from graphagent.graph.expression_tree import Call, Constant, Node
from graphagent.graph.function_types import SIGNATURES, Parameter
from graphagent.graph.kinds import LIST, NUMBER, OBJECT, TEXT, fields_of, item_type, kinds
from graphagent.graph.suggest import suggest
from graphagent.graph.type_model import ANY, Type, common, show_literal


def type_call(report: Report, node: Call, types: list[Type]) -> Type:
    """The type of a call with arguments of these types; `any` if one of them doesn't fit."""
    signature = SIGNATURES[node.function]
    ok = [
        _argument(report, node, argument, t, parameter)
        for argument, t, parameter in zip(node.arguments, types, signature.parameters, strict=False)
    ]
    if all(ok) and node.function == "sorted":
        _sorted(report, node, types)
    if all(ok) and node.function == "contains":
        check_membership(report, node, (node.arguments[1], types[1]), (node.arguments[0], types[0]))
    return signature.result(types) if all(ok) or signature.fixed else ANY


def _argument(report: Report, node: Call, argument: Node, t: Type, parameter: Parameter) -> bool:
    who = f"`{node.function}`"
    if parameter.kinds is not None and not report.need(argument, t, parameter.kinds, who, parameter.what):
        return False
    if parameter.items is None or t == ANY or kinds(t) != {LIST}:
        return True
    item = item_type(t)
    found = kinds(item)
    if item == ANY or (found <= parameter.items and (len(found) == 1 or not parameter.alike)):
        return True
    message = f"{who} takes {parameter.what}, not `{show_type(t)}`"
    report.add("GA205", message, argument, f"this is `{show_type(t)}`", parameter.hint)
    return False


def _sorted(report: Report, node: Call, types: list[Type]) -> None:
    item = item_type(types[0])
    if len(types) == 1:
        _sortable(report, node, node.arguments[0], item, "`sorted`")
        return
    field = node.arguments[1]
    if item == ANY or not report.need(node.arguments[0], item, {OBJECT}, "`sorted` by a field", "a list of objects"):
        return
    if isinstance(field, Constant) and isinstance(field.value, str):
        found, lacking = fields_of(item, field.value)
        if lacking:
            near = suggest(field.value, [f.name for t in lacking for f in t.fields])
            hint = f"did you mean `{show_literal(near)}`?" if near else None
            message = f"the items have no field `{shorten(field.value)}`"
            report.add("GA204", message, field, "no such field", hint, show_literal(near) if near else None)
        elif found:
            _sortable(report, node, field, common(found), f"`sorted` by {show_literal(field.value)}")


def _sortable(report: Report, node: Call, place: Node, t: Type, who: str) -> None:
    if t != ANY and (not kinds(t) <= {NUMBER, TEXT} or len(kinds(t)) > 1):
        hint = "`sorted(xs, 'field')`" if kinds(t) == {OBJECT} and len(node.arguments) == 1 else None
        message = f"{who} takes numbers, or texts, not `{show_type(t)}`"
        report.add("GA205", message, place, f"items are `{show_type(t)}`", hint)
