"""Static types of expressions: what every part is, and what is wrong before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from graphagent.graph.call_types import type_call
from graphagent.graph.comparison_types import check_comparison
from graphagent.graph.expression_errors import Finding
from graphagent.graph.expression_findings import Report, show_type
from graphagent.graph.expression_names import FUNCTION_NAMES, RESERVED_NAMES, SCOPE_NAMES
from graphagent.graph.expression_reads import Fact, facts
from graphagent.graph.expression_tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Comprehension,
    Constant,
    DictNode,
    Index,
    ListNode,
    Logic,
    Member,
    Name,
    Negative,
    Node,
    Not,
    Slice,
    constant_path,
    is_path,
)
from graphagent.graph.field_types import check_field
from graphagent.graph.kinds import (
    LIST,
    NULL,
    NUMBER,
    OBJECT,
    TEXT,
    YES_NO,
    Kind,
    fields_of,
    item_type,
    kinds,
    number_type,
)
from graphagent.graph.suggest import suggest
from graphagent.graph.type_model import (
    ANY,
    BOOL,
    FLOAT,
    NONE,
    STR,
    DictOf,
    Field,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    common,
    without_none,
)

_NOTHING: frozenset[Fact] = frozenset()


def type_tree(node: Node, text: str, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    """The type of a tree and the findings, in the order of the text."""
    typer = _Typer(text, scope)
    t = typer.type(node, _NOTHING)
    return t, typer.report.findings()


def type_guard(node: Node, text: str, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    """Like `type_tree`, and GA206 if it isn't bool."""
    typer = _Typer(text, scope)
    t = typer.type(node, _NOTHING)
    if t != ANY and not kinds(t) <= {YES_NO}:
        what = "may be null" if NULL in kinds(t) and YES_NO in kinds(t) else f"is `{show_type(t)}`"
        message = f"a guard is bool, this one {what}"
        typer.report.add("GA206", message, node, f"this is `{show_type(t)}`", typer.report.truth_hint(node, t))
    return t, typer.report.findings()


class _Typer:
    """Types one expression. `_variables` has the types of comprehension variables by slot."""

    def __init__(self, text: str, scope: Mapping[str, Type]) -> None:
        self.report = Report(text)
        self._scope = scope
        self._variables: dict[int, Type] = {}

    def type(self, node: Node, known: frozenset[Fact]) -> Type:
        """The type of a part, where the paths in `known` aren't null."""
        match node:
            case Constant():
                return NONE if node.value is None else LiteralOf((node.value,))
            case Name() | Member() | Index():
                return self.path(node, known, guarded=False)
            case Slice():
                return self._slice(node, known)
            case Not() | Negative():
                return self._unary(node, known)
            case Logic():
                return self._logic(node, known)
            case Binary():
                return self._binary(node, known)
            case Compare():
                return self._compare(node, known)
            case Choice():
                self._test(node.test, known)
                then = self.type(node.then, known | facts(node.test, True))
                return common([then, self.type(node.other, known | facts(node.test, False))])
            case ListNode():
                return ListOf(common(self.type(item, known) for item in node.items))
            case DictNode():
                return self._dict(node, known)
            case Comprehension():
                return self._comprehension(node, known)
            case Call():
                return self._call(node, known)

    # Paths

    def path(self, node: Node, known: frozenset[Fact], *, guarded: bool) -> Type:
        """The type of a path; `guarded` inside of `has` and `default`, where parts may be missing."""
        match node:
            case Name():
                t = self._name(node)
            case Member():
                value = self.path(node.value, known, guarded=guarded)
                t = check_field(self.report, node, value, node.name, (node.end - len(node.name), node.end), guarded)
            case Index():
                t = self._index(node, self.path(node.value, known, guarded=guarded), known, guarded)
            case _:
                return self.type(node, known)
        found = constant_path(node)
        if found is not None and (found[0].name, found[0].slot, found[1]) in known:
            return without_none(t)
        return t

    def _name(self, node: Name) -> Type:
        if node.slot is not None:
            return self._variables[node.slot]
        name = node.name
        if name in self._scope:
            return self._scope[name]
        return self._unknown_name(node, name)

    def _unknown_name(self, node: Name, name: str) -> Type:
        add = self.report.add
        if name in FUNCTION_NAMES:
            return add("GA203", f"`{name}` is a function", node, "it isn't called here", f"write `{name}(...)`")
        if name in SCOPE_NAMES:
            return add("GA208", f"`{name}` is not available here", node, None, SCOPE_NAMES[name])
        inputs = self._scope.get("inputs")
        if isinstance(inputs, ObjectOf) and inputs.field(name):
            hint = f"`{name}` is an input: write `inputs.{name}`"
            return add("GA203", f"unknown channel `{name}`", node, "an input", hint, f"inputs.{name}")
        near = suggest(name, self._scope)
        help = f"did you mean `{near}`?" if near else None
        if help is None and self.report.is_whole(name):
            help = f"text stands in quotes: `'{name}'`"
        if "inputs" in self._scope or self._scope.keys() - RESERVED_NAMES:
            return add("GA203", f"unknown channel `{name}`", node, "not declared under `channels`", help, near)
        return add("GA203", f"unknown name `{name}`", node, "not known here", help, near)

    def _index(self, node: Index, t: Type, known: frozenset[Fact], guarded: bool) -> Type:
        index = self.type(node.key, known)
        key = node.key.value if isinstance(node.key, Constant) else None
        if isinstance(key, str) and kinds(t) - {NULL} != {LIST} and kinds(t) - {NULL} != {TEXT}:
            return check_field(self.report, node, t, key, (node.key.start, node.key.end), guarded)
        if t == ANY:
            return ANY
        found = kinds(t) - ({NULL} if guarded else frozenset())
        present = without_none(t) if guarded else t
        what = "a list, an object or text"
        if not self.report.need(node.value, present, {LIST, TEXT, OBJECT}, "`[ ]`", what) or len(found) > 1:
            return ANY
        if found == {OBJECT}:
            ok = self.report.need(node.key, index, {TEXT}, "an object's `[ ]`", "text")
            return common(fields_of(t, None)[0]) if ok else ANY
        who = "the index of a list" if found == {LIST} else "the index of text"
        if not self.report.need_int(node.key, index, who):
            return ANY
        return STR if found == {TEXT} else item_type(t)

    def _slice(self, node: Slice, known: frozenset[Fact]) -> Type:
        t = self.type(node.value, known)
        for part in (node.lower, node.upper):
            if part is not None:
                self.report.need_int(part, self.type(part, known), "the bound of a slice")
        if not self.report.need(node.value, t, {LIST, TEXT}, "a slice", "a list or text"):
            return ANY
        return STR if kinds(t) == {TEXT} else t

    # Operators

    def _unary(self, node: Not | Negative, known: frozenset[Fact]) -> Type:
        if isinstance(node, Not):
            self._test(node.value, known, "`not`")
            return BOOL
        t = self.type(node.value, known)
        return number_type([t]) if self.report.need(node.value, t, {NUMBER}, "`-`", "a number") else ANY

    def _test(self, node: Node, known: frozenset[Fact], who: str = "`if`") -> None:
        self.report.need(node, self.type(node, known), {YES_NO}, who, "a bool")

    def _logic(self, node: Logic, known: frozenset[Fact]) -> Type:
        for value in node.values:
            t = self.type(value, known)
            if node.operator == "or" and value is node.values[0] and self._fallback(node, value, t):
                for other in node.values[1:]:
                    self.type(other, known)
                return ANY
            self.report.need(value, t, {YES_NO}, f"`{node.operator}`", "bools")
            known |= facts(value, node.operator == "and")
        return BOOL

    def _fallback(self, node: Logic, value: Node, t: Type) -> bool:
        """`x or 'none'`: truth is meant where `default` is what does it."""
        if not is_path(value) or t == ANY or kinds(t) <= {YES_NO}:
            return False
        last = node.values[-1]
        if isinstance(last, Compare | Not | Logic) or (isinstance(last, Constant) and isinstance(last.value, bool)):
            return False
        label = f"this is `{show_type(t)}`"
        hint = f"`default({self.report.shown(value)}, {self.report.shown(last)})`"
        self.report.add("GA205", f"`or` takes bools, not `{show_type(t)}`", value, label, hint)
        return True

    def _binary(self, node: Binary, known: frozenset[Fact]) -> Type:
        left, right = self.type(node.left, known), self.type(node.right, known)
        if node.operator == "+":
            return self._plus(node, left, right)
        who, sides = f"`{node.operator}`", ((node.left, left), (node.right, right))
        ok = [self.report.need(part, t, {NUMBER}, who, "numbers") for part, t in sides]
        if not all(ok):
            return ANY
        return FLOAT if node.operator == "/" else number_type([left, right])

    def _plus(self, node: Binary, left: Type, right: Type) -> Type:
        addable: set[Kind] = {NUMBER, TEXT, LIST}
        what = "numbers, texts or lists"
        ok = [self.report.need(part, t, addable, "`+`", what) for part, t in ((node.left, left), (node.right, right))]
        if not all(ok):
            return ANY
        both = kinds(left) | kinds(right)
        if not both:
            return ANY
        if len(both) > 1 and left != ANY and right != ANY:
            message = f"`+` can't join `{show_type(left)}` and `{show_type(right)}`"
            return self.report.add("GA205", message, node, "unlike types", self._plus_hint(node, left, right))
        if both == {TEXT}:
            return STR
        if both == {LIST}:
            return ListOf(common([item_type(left), item_type(right)]))
        return number_type([left, right]) if both == {NUMBER} else ANY

    def _plus_hint(self, node: Binary, left: Type, right: Type) -> str | None:
        sides = ((node.left, left, right), (node.right, right, left))
        for part, t, other in sides:
            if kinds(other) == {LIST} and kinds(t) != {LIST}:
                return f"a list is extended by a list: `[{self.report.shown(part)}]`"
        for part, t, other in sides:
            if kinds(other) == {TEXT} and kinds(t) != {TEXT}:
                return f"make text of it: `str({self.report.shown(part)})`"
        return None

    def _dict(self, node: DictNode, known: frozenset[Fact]) -> Type:
        fields: dict[str, Field] = {}
        values: list[Type] = []
        constant = True
        for key, value in node.items:
            values.append(self.type(value, known))
            if isinstance(key, Constant) and isinstance(key.value, str):
                fields[key.value] = Field(key.value, values[-1])
                continue
            constant = False
            if isinstance(key, Name) and key.slot is None and key.name not in self._scope:
                hint = f"keys stand in quotes: `'{key.name}'`"
                self.report.add("GA203", f"unknown name `{key.name}`", key, "a key", hint, f"'{key.name}'")
            else:
                self.report.need(key, self.type(key, known), {TEXT}, "a key", "text")
        return ObjectOf(tuple(fields.values())) if constant else DictOf(common(values))

    def _comprehension(self, node: Comprehension, known: frozenset[Fact]) -> Type:
        for generator in node.generators:
            t = self.type(generator.source, known)
            ok = self.report.need(generator.source, t, {LIST}, "`for`", "a list")
            if generator.target in self._scope:
                message = f"`{generator.target}` hides the name outside"
                self.report.add("GA202", message, (generator.start, generator.end), None, "choose another name")
            self._variables[generator.slot] = item_type(t) if ok else ANY
            for test in generator.tests:
                self._test(test, known)
                known |= facts(test, True)
        return ListOf(self.type(node.item, known))

    def _compare(self, node: Compare, known: frozenset[Fact]) -> Type:
        left, left_type = node.first, self.type(node.first, known)
        for operator, right in node.rest:
            right_type = self.type(right, known)
            place = node if len(node.rest) == 1 else right
            check_comparison(self.report, place, operator, (left, left_type), (right, right_type))
            left, left_type = right, right_type
        return BOOL

    # Calls

    def _call(self, node: Call, known: frozenset[Fact]) -> Type:
        if node.function == "has":
            self.path(node.arguments[0], known, guarded=True)
            return BOOL
        if node.function == "default":
            types = [without_none(self.path(path, known, guarded=True)) for path in node.arguments[:-1]]
            return common([*types, self.type(node.arguments[-1], known)])
        return type_call(self.report, node, [self.type(argument, known) for argument in node.arguments])
