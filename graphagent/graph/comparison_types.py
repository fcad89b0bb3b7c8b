"""Static checks of comparisons: unlike types, null, and literals that can never be equal."""

from __future__ import annotations

from graphagent.graph.expression_findings import Report, shorten, show_type
from graphagent.graph.expression_tree import Comparison, Constant, ListNode, Node, is_path
from graphagent.graph.kinds import LIST, NULL, NUMBER, OBJECT, TEXT, YES_NO, item_type, kinds, scalars
from graphagent.graph.suggest import suggest
from graphagent.graph.type_model import ANY, NONE, LiteralOf, Type, show_literal, without_none

Side = tuple[Node, Type]
_MAX_LITERALS = 6


def check_comparison(report: Report, place: Node, operator: Comparison, left: Side, right: Side) -> None:
    """Check `left operator right`, which stands at `place`."""
    if operator in ("in", "not in"):
        check_membership(report, place, left, right)
    elif operator in ("==", "!="):
        _check_equality(report, place, operator, left, right)
    elif operator not in ("is", "is not"):
        who = f"`{operator}`"
        ok = [report.need(node, t, {NUMBER, TEXT}, who, "numbers, or texts") for node, t in (left, right)]
        if all(ok):
            _alike(report, place, left, right)


def check_membership(report: Report, place: Node, part: Side, container: Side) -> None:
    """Check `part in container`."""
    node, t = container
    if not report.need(node, t, {LIST, TEXT, OBJECT}, "`in`", "a list, an object or text") or t == ANY:
        return
    if kinds(t) <= {TEXT, OBJECT}:
        report.need(*part, {TEXT}, "`in`", "text on its left")
    elif kinds(t) == {LIST} and part[1] != NONE:
        _check_items(report, place, part, container)


def _check_items(report: Report, place: Node, part: Side, container: Side) -> None:
    node, t = container
    present = (part[0], without_none(part[1]))
    constants = [item for item in node.items if isinstance(item, Constant)] if isinstance(node, ListNode) else []
    for item in constants:
        if item.value is not None:
            side = (item, LiteralOf((item.value,)))
            if not _alike(report, item, present, side):
                return
            _check_ever_equal(report, item, part, side)
    if item_type(t) != NONE and _alike(report, place, present, (node, without_none(item_type(t)))) and not constants:
        _check_ever_equal(report, place, part, (node, item_type(t)))


def _check_equality(report: Report, place: Node, operator: Comparison, left: Side, right: Side) -> None:
    for (node, _), (other, _) in ((left, right), (right, left)):
        if isinstance(node, Constant) and node.value is None:
            word = "is" if operator == "==" else "is not"
            hint = f"write `{report.shown(other)} {word} null`"
            report.add("GA205", f"null is not compared with `{operator}`", node, None, hint)
            return
    if _alike(report, place, left, right):
        _check_ever_equal(report, place, left, right)


def _alike(report: Report, place: Node, left: Side, right: Side) -> bool:
    """Whether both have one and the same kind; otherwise there is a finding."""
    a, b = kinds(left[1]), kinds(right[1])
    if left[1] == ANY or right[1] == ANY or (a == b and len(a) == 1):
        return True
    for (node, _), found, other in ((left, a, b), (right, b, a)):
        if NULL in found and len(found) > 1 and found - {NULL} == other - {NULL}:
            path = report.shown(node)
            neutral = "''" if TEXT in other else ("0" if NUMBER in other else "...")
            hint = f"`default({path}, {neutral})`" if is_path(node) else None
            report.add("GA205", f"`{path}` may be null, which can't be compared", node, "may be null", hint)
            return False
    shown = show_type(left[1]), show_type(right[1])
    message = f"`{shown[0]}` can't be compared with `{shown[1]}`"
    report.add("GA205", message, place, f"`{shown[0]}` and `{shown[1]}`", _alike_hint(report, left, right))
    return False


def _alike_hint(report: Report, left: Side, right: Side) -> str | None:
    for (node, t), (other, other_type) in ((left, right), (right, left)):
        if isinstance(node, Constant) and kinds(t) == {TEXT} and kinds(other_type) == {NUMBER}:
            text = str(node.value)
            plain = text.lstrip("-").replace(".", "", 1)
            return f"a number stands without quotes: `{text}`" if plain.isascii() and plain.isdigit() else None
        if isinstance(node, Constant) and kinds(other_type) == {TEXT} and kinds(t) <= {NUMBER, YES_NO}:
            return f"text stands in quotes: `'{report.shown(node)}'`"
        if kinds(t) == {LIST} and kinds(other_type) != {LIST}:
            return f"`{report.shown(other)} in {report.shown(node)}`"
    return None


def _check_ever_equal(report: Report, place: Node, left: Side, right: Side) -> None:
    """A finding if both are literals without a common value."""
    first, second = scalars(left[1]), scalars(right[1])
    if first is None or second is None or first.keys() & second.keys():
        return
    if isinstance(left[0], Constant) and isinstance(right[0], Constant):
        return
    (constant, _), (other, _), values = (left, right, second) if isinstance(left[0], Constant) else (right, left, first)
    if not isinstance(constant, Constant):
        message = f"`{report.shown(left[0])}` and `{report.shown(right[0])}` can never be equal"
        report.add("GA205", message, place)
        return
    words = [value for value in values.values() if isinstance(value, str)]
    near = suggest(constant.value, words) if isinstance(constant.value, str) else None
    listed = " or ".join(show_literal(value) for value in list(values.values())[:_MAX_LITERALS])
    more = " ..." if len(values) > _MAX_LITERALS else ""
    hint = f"did you mean `{show_literal(near)}`?" if near else f"it is {listed}{more}"
    message = f"`{report.shown(other)}` can never be {shorten(show_literal(constant.value))}"
    report.add("GA205", message, constant, "never equal", hint, show_literal(near) if near else None)
