"""From text to an expression tree: Python's parser, then an allow-list that makes our own nodes.

`ast.parse` never runs anything; a node that isn't listed here is refused by name.
"""

from __future__ import annotations

import ast
import math
from typing import Any, NoReturn

from graphagent.graph.expression_errors import ExpressionError
from graphagent.graph.expression_names import ARITIES, FUNCTION_NAMES, RESERVED_NAMES
from graphagent.graph.expression_tokens import LITERAL_NAMES, MAX_DEPTH, Token, scan
from graphagent.graph.expression_tree import (
    Arithmetic,
    Binary,
    Call,
    Choice,
    Compare,
    Comparison,
    Comprehension,
    Constant,
    DictNode,
    Generator,
    Index,
    ListNode,
    Logic,
    Member,
    Name,
    Negative,
    Node,
    Not,
    Slice,
    is_path,
)
from graphagent.graph.suggest import suggest

MAX_NODES = 256
_INT_LIMIT = 1 << 63
_SPACES = str.maketrans("\t\r\n", "   ")

_ARITHMETIC: dict[type[ast.AST], Arithmetic] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip
_COMPARISONS: dict[type[ast.AST], Comparison] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_WORDS: dict[type[ast.AST], str] = {
    ast.Lambda: "a lambda", ast.NamedExpr: "an assignment with `:=`", ast.JoinedStr: "an f-string",
    ast.Tuple: "a tuple", ast.Set: "a set", ast.SetComp: "a set comprehension", ast.DictComp: "a dict comprehension",
    ast.GeneratorExp: "a generator", ast.Await: "`await`", ast.Yield: "`yield`", ast.YieldFrom: "`yield`",
    ast.Starred: "`*`", ast.Slice: "a slice",
}  # fmt: skip
_INSTEAD: dict[type[ast.AST], str] = {
    ast.Tuple: "write a list: `[a, b]`", ast.Set: "write a list: `[a, b]`", ast.SetComp: "write `[x for x in xs]`",
    ast.GeneratorExp: "write `[x for x in xs]`",
}  # fmt: skip


def parse_tree(text: str) -> tuple[Node, int]:
    """The tree of an expression, and how many comprehension variables it has at once.

    Raises:
        ExpressionError: GA201, GA202, GA207, or GA104 for a variable with a reserved name.
    """
    tokens = scan(text)
    source = text.translate(_SPACES).lstrip(" ")
    base = len(text) - len(source)
    try:
        body = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        _explain(error, tokens, base)
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError("GA201", "this can't be read as an expression", 0, len(text)) from error
    reader = _Reader(source, base)
    return reader.read(body, 1), reader.slots


def _explain(error: SyntaxError, tokens: list[Token], base: int) -> NoReturn:
    at = base + max(0, (error.offset or 1) - 1)
    found = next((token for token in tokens if token.start <= at < token.end), None)
    if found is None:
        found = next((token for token in tokens if token.start >= at), None)
    if "'else'" in error.msg:
        last = next((token for token in reversed(tokens) if token.text == "if"), tokens[-1])
        raise ExpressionError("GA201", "`if` without `else`", last.start, last.end, "write `a if test else b`")
    if "unicode" in error.msg:
        message = "an escape in this text stands for no character"
        raise ExpressionError("GA201", message, tokens[0].start, tokens[-1].end)
    if found is None:
        raise ExpressionError("GA201", "the expression ends too early", tokens[-1].start, tokens[-1].end)
    shown = found.text if len(found.text) <= 30 else found.text[:27] + "..."
    raise ExpressionError("GA201", f"unexpected `{shown}`", found.start, found.end)


class _Reader:
    """Turns one syntax tree of Python into ours and counts what it takes.

    Attributes:
        slots: The largest number of comprehension variables that are visible at once.
    """

    def __init__(self, source: str, base: int) -> None:
        self._bytes = None if source.isascii() else source.encode()
        self._base = base
        self._nodes = 0
        self._variables: list[str] = []
        self.slots = 0

    def read(self, node: ast.expr, depth: int) -> Node:
        """One node and all below it."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fail(f"the expression has more than {MAX_NODES} parts", node, code="GA201")
        if depth > MAX_DEPTH:
            hint = "do a part of it in an earlier node"
            self._fail(f"the expression is nested deeper than {MAX_DEPTH}", node, hint, code="GA201")
        if not isinstance(getattr(node, "ctx", _LOAD), ast.Load):
            self._fail("an assignment is not allowed", node)
        method = _METHODS.get(type(node))
        if method is None:
            what = _WORDS.get(type(node), f"`{type(node).__name__}`")
            self._fail(f"{what} is not allowed", node, _INSTEAD.get(type(node)))
        result: Node = method(self, node, depth + 1)
        return result

    def _constant(self, node: ast.Constant, depth: int) -> Node:
        value = node.value
        kind = type(value)
        if kind not in (str, int, float, bool, type(None)) or node.kind is not None:
            self._fail(f"a constant of type {kind.__name__} is not allowed", node)
        if isinstance(value, int) and abs(value) >= _INT_LIMIT:
            self._fail("the integer doesn't fit into 64 bits", node)
        if isinstance(value, float) and not math.isfinite(value):
            self._fail("the number is too large", node)
        if isinstance(value, str) and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            self._fail("half of a surrogate pair is no text", node, code="GA201")
        return Constant(*self._span(node), value)  # type: ignore[arg-type]

    def _name(self, node: ast.Name, depth: int) -> Node:
        if node.id in LITERAL_NAMES:
            return Constant(*self._span(node), LITERAL_NAMES[node.id])
        self._check_name(node.id, node)
        slot = self._variables.index(node.id) if node.id in self._variables else None
        return Name(*self._span(node), node.id, slot)

    def _attribute(self, node: ast.Attribute, depth: int) -> Node:
        self._check_name(node.attr, node)
        return Member(*self._span(node), self.read(node.value, depth), node.attr)

    def _subscript(self, node: ast.Subscript, depth: int) -> Node:
        value, index = self.read(node.value, depth), node.slice
        if isinstance(index, ast.Slice):
            if index.step is not None:
                self._fail("a slice with a step is not allowed", index)
            bounds = [None if part is None else self.read(part, depth) for part in (index.lower, index.upper)]
            return Slice(*self._span(node), value, *bounds)
        if isinstance(index, ast.Tuple | ast.Starred):
            self._fail("an index is one value", index)
        return Index(*self._span(node), value, self.read(index, depth))

    def _unary(self, node: ast.UnaryOp, depth: int) -> Node:
        value = self.read(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return Not(*self._span(node), value)
        if not isinstance(node.op, ast.USub):
            self._fail("a sign `+` is not allowed" if isinstance(node.op, ast.UAdd) else "`~` is not allowed", node)
        if isinstance(value, Constant) and type(value.value) in (int, float):
            return Constant(*self._span(node), -value.value)  # type: ignore[operator]
        return Negative(*self._span(node), value)

    def _logic(self, node: ast.BoolOp, depth: int) -> Node:
        values = tuple(self.read(value, depth) for value in node.values)
        return Logic(*self._span(node), "and" if isinstance(node.op, ast.And) else "or", values)

    def _binary(self, node: ast.BinOp, depth: int) -> Node:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            self._fail(f"the operator {type(node.op).__name__} is not allowed", node)
        return Binary(*self._span(node), operator, self.read(node.left, depth), self.read(node.right, depth))

    def _compare(self, node: ast.Compare, depth: int) -> Node:
        rest: list[tuple[Comparison, Node]] = []
        first = self.read(node.left, depth)
        for op, part in zip(node.ops, node.comparators, strict=True):
            operator, value = _COMPARISONS[type(op)], self.read(part, depth)
            if operator in ("is", "is not") and not (isinstance(value, Constant) and value.value is None):
                self._fail(f"`{operator}` is only for null", part, f"write `{'==' if operator == 'is' else '!='}`")
            rest.append((operator, value))
        return Compare(*self._span(node), first, tuple(rest))

    def _choice(self, node: ast.IfExp, depth: int) -> Node:
        test, then, other = (self.read(part, depth) for part in (node.test, node.body, node.orelse))
        return Choice(*self._span(node), test, then, other)

    def _list(self, node: ast.List, depth: int) -> Node:
        return ListNode(*self._span(node), tuple(self.read(item, depth) for item in node.elts))

    def _dict(self, node: ast.Dict, depth: int) -> Node:
        items = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self._fail("`**` is not allowed", value, "write `merge(a, b)`")
            name = self.read(key, depth)
            if isinstance(name, Constant) and not isinstance(name.value, str):
                self._fail("keys are text", key, "put the key in quotes")
            items.append((name, self.read(value, depth)))
        return DictNode(*self._span(node), tuple(items))

    def _comprehension(self, node: ast.ListComp, depth: int) -> Node:
        if len(node.generators) > 2:
            self._fail("more than two `for` are not allowed", node.generators[2].target)
        outer = len(self._variables)
        generators = []
        for generator in node.generators:
            target = generator.target
            if generator.is_async:
                self._fail("`async` is not allowed", target)
            if not isinstance(target, ast.Name):
                self._fail("`for` takes one name", target)
            source = self.read(generator.iter, depth)
            self._nodes += 1
            self._check_target(target)
            self._variables.append(target.id)
            self.slots = max(self.slots, len(self._variables))
            tests = tuple(self.read(test, depth) for test in generator.ifs)
            slot = len(self._variables) - 1
            generators.append(Generator(*self._span(target), target.id, slot, source, tests))
        item = self.read(node.elt, depth)
        del self._variables[outer:]
        return Comprehension(*self._span(node), item, tuple(generators))

    def _call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            hint = f"write `{name}(...)`" if name in FUNCTION_NAMES else None
            self._fail("a method call is not allowed" if name else "only functions can be called", node.func, hint)
        name = node.func.id
        if name not in FUNCTION_NAMES:
            near = suggest(name, FUNCTION_NAMES)
            self._fail(f"there is no function `{name}`", node.func, f"did you mean `{near}`?" if near else None)
        if node.keywords:
            self._fail("arguments have no names here", node.keywords[0].value)
        self._nodes += 1
        arguments = tuple(self.read(argument, depth) for argument in node.args)
        least, most = ARITIES[name]
        if len(arguments) < least or (most is not None and len(arguments) > most):
            self._fail(f"`{name}` takes {_count(least, most)}, this call has {len(arguments)}", node)
        self._check_paths(name, arguments)
        return Call(*self._span(node), name, arguments)

    def _check_paths(self, function: str, arguments: tuple[Node, ...]) -> None:
        if function not in ("has", "default"):
            return
        for argument in arguments if function == "has" else arguments[:-1]:
            if not is_path(argument):
                which = "`has` takes" if function == "has" else "`default` takes, but for the last,"
                message = f"{which} a path such as `a.b`"
                raise ExpressionError("GA202", message, argument.start, argument.end)

    def _check_name(self, name: str, node: ast.expr) -> None:
        """The scanner has seen to this; names that the parser made of other letters would show up here."""
        if not name.isascii() or name.startswith("_"):
            self._fail(f"{name!a} is not a name", node)

    def _check_target(self, target: ast.Name) -> None:
        self._check_name(target.id, target)
        if target.id in RESERVED_NAMES:
            self._fail(f"`{target.id}` is a reserved name", target, "choose another name", code="GA104")
        if target.id in self._variables:
            self._fail(f"`{target.id}` hides the variable of an outer `for`", target, "choose another name")

    def _span(self, node: ast.expr) -> tuple[int, int]:
        start, end = node.col_offset, node.end_col_offset or 0
        if self._bytes is not None:
            start, end = len(self._bytes[:start].decode()), len(self._bytes[:end].decode())
        return start + self._base, end + self._base

    def _fail(self, message: str, node: ast.expr | ast.Slice, hint: str | None = None, code: str = "GA202") -> NoReturn:
        raise ExpressionError(code, message, *self._span(node), hint)


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} arguments"
    if least == most:
        return f"{least} argument{'' if least == 1 else 's'}"
    return f"{least} or {most} arguments"


_LOAD = ast.Load()
_METHODS: dict[type[ast.AST], Any] = {
    ast.Constant: _Reader._constant, ast.Name: _Reader._name, ast.Attribute: _Reader._attribute,
    ast.Subscript: _Reader._subscript, ast.UnaryOp: _Reader._unary, ast.BoolOp: _Reader._logic,
    ast.BinOp: _Reader._binary, ast.Compare: _Reader._compare, ast.IfExp: _Reader._choice, ast.List: _Reader._list,
    ast.Dict: _Reader._dict, ast.ListComp: _Reader._comprehension, ast.Call: _Reader._call,
}  # fmt: skip
