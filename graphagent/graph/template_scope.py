"""What a template uses of the variables it is given: names that aren't there, and fields that a type doesn't have."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from jinja2 import nodes

from graphagent.graph.kinds import fields_of, item_type, parts
from graphagent.graph.suggest import suggest
from graphagent.graph.template_syntax import Problem, Template
from graphagent.graph.template_words import INSTEAD, LOOP_FIELDS
from graphagent.graph.type_model import (
    ANY,
    BOOL,
    INT,
    NONE,
    STR,
    Field,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    common,
    describe,
    union,
)

MAX_INCLUDES: Final = 32

Scope: TypeAlias = "ChainMap[str, Type | None]"
"""The type of each name; None for a macro, or what is imported."""

_SAME: Final = frozenset({"list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"})
_ITEM: Final = frozenset({"first", "last", "max", "min"})
_NUMBER: Final = frozenset({"count", "int", "length", "wordcount"})
_TEXT: Final = frozenset({
    "capitalize", "indent", "join", "lower", "replace", "string", "title", "tojson", "trim", "truncate", "upper",
})  # fmt: skip
_LOOP_TYPES: Final = {"first": BOOL, "last": BOOL, "previtem": ANY, "nextitem": ANY}


class Usage:
    """Walks over templates.

    Args:
        variables: The types of what `with` gives.
        load: The template of a name, None if there is none; `extends`, `include` and `import` are followed.

    Attributes:
        problems: What is wrong; `file` is None in the first template.
        used: The variables that were used.
    """

    def __init__(self, variables: Mapping[str, Type], load: Callable[[str], Template | None]) -> None:
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        self._given: dict[str, Type | None] = dict(variables)
        self._root: Scope = ChainMap({}, self._given)
        self._load = load
        self._files: list[str] = []

    def walk(self, template: Template) -> None:
        """Add what one template uses, with all that it includes."""
        if template.tree is not None:
            self._body(template.tree.body, self._root)

    def _report(self, problem: Problem) -> None:
        if self._files:
            problem = replace(problem, file=self._files[-1])
        self.problems.append(problem)

    # --- tags

    def _body(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        for node in body:
            method = getattr(self, f"_on_{type(node).__name__.lower()}", None)
            if method is not None:
                method(node, scope)
            else:
                for child in node.iter_child_nodes():
                    self._visit(child, scope)

    def _on_for(self, node: nodes.For, scope: Scope) -> None:
        item = item_type(self._visit(node.iter, scope))
        inner = scope.new_child()
        self._bind(node.target, item, inner)
        inner["loop"] = ObjectOf(tuple(Field(name, _LOOP_TYPES.get(name, INT)) for name in LOOP_FIELDS), "loop")
        if node.test is not None:
            self._visit(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, scope.new_child())

    def _on_if(self, node: nodes.If, scope: Scope) -> None:
        self._visit(node.test, scope)
        for part in (node.body, node.elif_, node.else_):
            self._body(part, scope)

    def _on_assign(self, node: nodes.Assign, scope: Scope) -> None:
        self._bind(node.target, self._visit(node.node, scope), scope)

    def _on_assignblock(self, node: nodes.AssignBlock, scope: Scope) -> None:
        self._body(node.body, scope.new_child())
        if node.filter is not None:
            self._visit(node.filter, scope)
        self._bind(node.target, STR, scope)

    def _on_with(self, node: nodes.With, scope: Scope) -> None:
        found = [self._visit(value, scope) for value in node.values]
        inner = scope.new_child()
        for target, value in zip(node.targets, found, strict=True):
            self._bind(target, value, inner)
        self._body(node.body, inner)

    def _on_filterblock(self, node: nodes.FilterBlock, scope: Scope) -> None:
        self._visit(node.filter, scope)
        self._body(node.body, scope.new_child())

    def _on_macro(self, node: nodes.Macro, scope: Scope) -> None:
        scope[node.name] = None
        for value in node.defaults:
            self._visit(value, scope)
        inner = scope.new_child({"varargs": ANY, "kwargs": ANY})
        for argument in node.args:
            inner[argument.name] = ANY
        self._body(node.body, inner)

    def _on_block(self, node: nodes.Block, scope: Scope) -> None:
        self._body(node.body, (scope if node.scoped else self._root).new_child({"super": None}))

    def _on_extends(self, node: nodes.Extends, scope: Scope) -> None:
        self._include(node.template, self._root)

    def _on_include(self, node: nodes.Include, scope: Scope) -> None:
        self._include(node.template, scope.new_child(), optional=node.ignore_missing)

    def _on_import(self, node: nodes.Import, scope: Scope) -> None:
        self._include(node.template, self._root.new_child() if node.with_context else ChainMap({}))
        scope[node.target] = None

    def _on_fromimport(self, node: nodes.FromImport, scope: Scope) -> None:
        self._include(node.template, self._root.new_child() if node.with_context else ChainMap({}))
        for name in node.names:
            scope[name[1] if isinstance(name, tuple) else name] = None

    def _include(self, where: nodes.Expr, scope: Scope, optional: bool = False) -> None:
        if not isinstance(where, nodes.Const) or not isinstance(where.value, str):
            return  # reported when it was read
        name, start = where.value, where.lineno - 1
        end = start + len(name) + 2
        if name in self._files or len(self._files) >= MAX_INCLUDES:
            what = "includes itself" if name in self._files else "is included too deeply"
            self._report(Problem("GA503", f"the template `{name}` {what}", start, end))
            return
        found = self._load(name)
        if found is None:
            if not optional:
                hint = "it is looked up beside the graph, then in the project folder"
                self._report(Problem("GA503", f"there is no template `{name}`", start, end, hint))
            return
        self._files.append(name)
        for problem in found.problems:
            self._report(problem)
        if found.tree is not None:
            self._body(found.tree.body, scope)
        self._files.pop()

    def _bind(self, target: nodes.Node, t: Type, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = t
        elif isinstance(target, nodes.Tuple):
            for item in target.items:
                self._bind(item, ANY, scope)

    # --- expressions

    def _visit(self, node: nodes.Node, scope: Scope) -> Type:
        match node:
            case nodes.Name():
                return self._name(node, scope)
            case nodes.Const():
                return LiteralOf((node.value,)) if isinstance(node.value, str | int | float) else NONE
            case nodes.Getattr():
                return self._getattr(node, scope)
            case nodes.Getitem():
                return self._getitem(node, scope)
            case nodes.Filter():
                return self._filter(node, scope)
            case nodes.Call():
                return self._call(node, scope)
            case nodes.CondExpr():
                found = [self._visit(child, scope) for child in node.iter_child_nodes()]
                return union(found[1:])
            case nodes.List():
                return ListOf(common(self._visit(item, scope) for item in node.items))
        for child in node.iter_child_nodes():
            self._visit(child, scope)
        if isinstance(node, nodes.Compare | nodes.Not | nodes.Test):
            return BOOL
        return STR if isinstance(node, nodes.Concat) else ANY

    def _name(self, node: nodes.Name, scope: Scope) -> Type:
        if node.name in scope:
            if self._given.get(node.name, self) is scope[node.name]:
                self.used.add(node.name)
            return scope[node.name] or ANY
        if node.name.startswith("_"):
            return ANY  # reported when it was read
        start = node.lineno - 1
        meant = suggest(node.name, [name for name in scope if scope[name] is not None])
        hint = INSTEAD.get(node.name) or f"give it in `with`: `{node.name}: ...`"
        end = start + len(node.name)
        self._report(Problem("GA501", f"unknown template variable `{node.name}`", start, end, hint, meant))
        scope.maps[-1].setdefault(node.name, ANY)  # one mistake, one finding
        return ANY

    def _getattr(self, node: nodes.Getattr, scope: Scope) -> Type:
        owner = self._visit(node.node, scope)
        return ANY if node.attr.startswith("_") else self._field(owner, node.attr, node.lineno)

    def _getitem(self, node: nodes.Getitem, scope: Scope) -> Type:
        owner, key = self._visit(node.node, scope), node.arg
        if isinstance(key, nodes.Slice):
            self._visit(key, scope)
            return owner
        if isinstance(key, nodes.Const) and isinstance(key.value, str):
            return self._field(owner, key.value, key.lineno)
        self._visit(key, scope)
        return item_type(owner) if isinstance(owner, ListOf) else ANY

    def _field(self, owner: Type, name: str, start: int) -> Type:
        """The type of a field, whose name stands at `start`."""
        found, lacking = fields_of(owner, name)
        if owner == ANY or found or not (known := [part for part in parts(owner) if part != NONE]):
            return common(found)
        names = [f.name for part in lacking for f in part.fields]
        shown = describe(owner)
        hint = f"it has: {', '.join(names)}" if names else None
        if isinstance(known[0], ListOf):
            hint = "loop over it, or take one: `x[0]`, `x | first`"
        message = f"`{shown}` has no field `{name}`" if lacking else f"`{shown}` has no fields"
        meant = suggest(name, names)
        self._report(Problem("GA502", message, start, start + len(name), hint, meant))
        return ANY

    def _filter(self, node: nodes.Filter, scope: Scope) -> Type:
        owner = ANY if node.node is None else self._visit(node.node, scope)
        for part in (*node.args, *node.kwargs):
            self._visit(part, scope)
        if node.name in _SAME:
            return owner if isinstance(owner, ListOf) else ANY
        if node.name in _ITEM:
            return item_type(owner) if isinstance(owner, ListOf) else ANY
        return INT if node.name in _NUMBER else STR if node.name in _TEXT else ANY

    def _call(self, node: nodes.Call, scope: Scope) -> Type:
        called = node.node
        for part in (*node.args, *node.kwargs):
            self._visit(part, scope)
        owner = called.node if isinstance(called, nodes.Getattr) else called
        if not isinstance(owner, nodes.Name):
            return ANY  # reported when it was read
        known = scope.get(owner.name, ANY) is None
        if isinstance(called, nodes.Getattr):
            self._name(owner, scope)
            if not known and owner.name != "loop":
                start, message = called.lineno, f"`{called.attr}()`: templates call no methods"
                self._report(Problem("GA505", message, start, start + len(called.attr), INSTEAD.get(called.attr)))
        elif owner.name not in scope:
            self._name(owner, scope)
        elif not known:
            start, message = owner.lineno - 1, f"`{owner.name}` can't be called"
            self._report(Problem("GA505", message, start, start + len(owner.name), "only macros can be called"))
        return ANY
