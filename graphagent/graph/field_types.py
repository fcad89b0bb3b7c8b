"""Static types of fields: `value.name` and `value['name']`."""

from __future__ import annotations

from graphagent.graph.expression_findings import Report, shorten, show_type
from graphagent.graph.expression_tree import Index, Member
from graphagent.graph.kinds import LIST, NULL, OBJECT, fields_of, kinds
from graphagent.graph.suggest import suggest
from graphagent.graph.type_model import ANY, ObjectOf, Type, common, show_literal


def check_field(
    report: Report, node: Member | Index, t: Type, name: str, place: tuple[int, int], guarded: bool
) -> Type:
    """The type of a field; `place` is where its name stands."""
    if t == ANY:
        return ANY
    found = kinds(t)
    if NULL in found and len(found) > 1 and not guarded:
        path = report.shown(node.value)
        hint = f"`has({path})` asks, `default({path}.{name}, ...)` gives another value"
        return report.add("GA205", f"`{path}` may be null", node.value, f"`.{name}` needs an object", hint)
    if not found - {NULL} <= {OBJECT} or not found - {NULL}:
        return _no_fields(report, node, t, name, place)
    types, lacking = fields_of(t, name)
    if types and (not lacking or guarded):
        return common(types)
    return _unknown_field(report, node, lacking, name, place, some=bool(types))


def _no_fields(report: Report, node: Member | Index, t: Type, name: str, place: tuple[int, int]) -> Type:
    path = report.shown(node.value)
    hint = f"`[x.{name} for x in {path}]`, or one item: `{path}[0].{name}`" if kinds(t) == {LIST} else None
    message = f"`{show_type(t)}` has no fields"
    return report.add("GA204", message, place, f"`{path}` is `{show_type(t)}`", hint)


def _unknown_field(
    report: Report, node: Member | Index, lacking: list[ObjectOf], name: str, place: tuple[int, int], *, some: bool
) -> Type:
    what = next((f"`{t.name}`" for t in lacking if t.name), f"`{report.shown(node.value)}`")
    if some:
        hint = f"`default({report.shown(node)}, ...)` or `has({report.shown(node)})`"
        message = f"not every value of `{report.shown(node.value)}` has the field `{name}`"
        return report.add("GA204", message, place, "may be missing", hint)
    names = [f.name for t in lacking for f in t.fields]
    near = suggest(name, names)
    listed = ", ".join(f"`{n}`" for n in dict.fromkeys(names[:12]))
    hint = f"did you mean `{near}`?" if near else (f"it has {listed}" if listed else "it has no fields at all")
    quoted = near if near is None or isinstance(node, Member) else show_literal(near)
    return report.add("GA204", f"unknown field `{shorten(name)}` of {what}", place, "no such field", hint, quoted)
