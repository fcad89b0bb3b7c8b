"""From text to types: a small grammar of its own.

    type  := atom ('|' atom)*                  decl := type ('=' literal)?
    atom  := NAME | imp.NAME | 'list[' type ']' | 'dict[str,' type ']' | 'Literal[' literal (',' literal)* ']'

Types are trees. Named types could make them grow without bound (a type of two fields of a type of two fields
...), so size and depth are limited when a type is made, and everything else may simply recurse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from graphagent.errors import GraphAgentError
from graphagent.graph.expression_errors import ExpressionError
from graphagent.graph.expression_syntax import parse_tree
from graphagent.graph.expression_tree import Constant, DictNode, ListNode, Node
from graphagent.graph.suggest import suggest
from graphagent.graph.type_check import TypeMismatch, check
from graphagent.graph.type_model import (
    PREDEFINED,
    DictOf,
    Field,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    UnionOf,
    describe,
    union,
)
from graphagent.snapshot import UNSET

MAX_LENGTH = 2_000
MAX_NODES = 10_000
MAX_DEPTH = 48
_MAX_NESTING = 32

Names = Mapping[str, Type]
"""Types by name, `pkg.mod:Model` included. Asked for a class that is none, it raises `TypeSyntaxError`."""

_TOKEN = re.compile(
    r"\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?::[A-Za-z_][A-Za-z0-9_.]*)?)"
    r"|\s*(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|\s*(?P<number>-?[0-9][0-9A-Za-z_.]*(?:(?<=[eE])[+-][0-9]+)?)"
    r"|\s*(?P<symbol>[\[\]|,=])"
    r"|\s*(?P<other>\S)"
)
_MEANT = {
    "string": "str", "text": "str", "integer": "int", "number": "float", "double": "float", "boolean": "bool",
    "object": "dict[str, any]", "map": "dict[str, any]", "Any": "any", "null": "None", "none": "None",
    "array": "list[any]", "List": "list", "Dict": "dict", "bytes": "Artifact", "file": "Artifact",
    "datetime": "str", "date": "str",
}  # fmt: skip


class TypeSyntaxError(GraphAgentError):
    """A text is no type. `start` and `end` count its code points; `field` says in which field of an object.

    `unknown` is the name that isn't declared, if that is what is wrong. `finding` is the code of what is reported.
    """

    def __init__(
        self,
        message: str,
        start: int,
        end: int,
        unknown: str | None = None,
        *,
        hint: str | None = None,
        field: tuple[str, ...] = (),
        finding: str = "GA006",
    ) -> None:
        super().__init__(message, hint=hint)
        self.start = start
        self.end = end
        self.unknown = unknown
        self.field = field
        self.finding = finding

    def inside(self, name: str) -> TypeSyntaxError:
        """The same error in an object, whose field `name` it is about."""
        return TypeSyntaxError(
            self.message, self.start, self.end, self.unknown,
            hint=self.hint, field=(name, *self.field), finding=self.finding,
        )  # fmt: skip


def parse_type(text: str, names: Names) -> Type:
    """The type of a text such as `list[Doc] | None`.

    Args:
        text: The text.
        names: Types by name, `imp.Name` and `pkg.mod:Model` included; predefined names come first.

    Raises:
        TypeSyntaxError: the text is no type, or names one that isn't there.
    """
    parser = _Parser(_text(text), names)
    t = parser.type()
    if parser.token[0] == "=":
        parser.fail("a default has no place here")
    parser.end()
    return t


def parse_decl(text: str, names: Names) -> tuple[Type, Any]:
    """Type and default of a text such as `int = 2`; the default is UNSET without one.

    Raises:
        TypeSyntaxError: as `parse_type`, or the default isn't a value of the type.
    """
    parser = _Parser(_text(text), names)
    t = parser.type()
    if parser.token[0] != "=":
        parser.end()
        return t, UNSET
    start = parser.token[3]
    return t, _default(t, text, start)


def parse_object(mapping: Mapping[str, Any], names: Names, name: str | None = None) -> ObjectOf:
    """The object type of a mapping of declarations; a mapping inside it is an object type again.

    Raises:
        TypeSyntaxError: a declaration is wrong; `field` says which.
    """
    t = ObjectOf(tuple(_field(key, decl, names) for key, decl in mapping.items()), name)
    _check_size(t)
    return t


def _field(name: Any, decl: Any, names: Names) -> Field:
    if not isinstance(name, str):
        raise TypeSyntaxError(f"the name of a field is text, not {name!r}", 0, 0)
    try:
        if isinstance(decl, Mapping):
            return Field(name, parse_object(decl, names))
        return Field(name, *parse_decl(_text(decl), names))
    except TypeSyntaxError as error:
        raise error.inside(name) from None
    except RecursionError:
        raise TypeSyntaxError("the type is nested too deeply", 0, 0, field=(name,)) from None


def _text(text: Any) -> str:
    if isinstance(text, str):
        return text
    shown = "null" if text is None else repr(text)[:40]
    raise TypeSyntaxError(f"{shown} is no type", 0, 0, hint="a type is text: `str`, `list[int]`, `Literal['a', 'b']`")


def _default(t: Type, text: str, start: int) -> Any:
    literal = text[start:]
    first, end = start + len(literal) - len(literal.lstrip()), len(text)
    try:
        tree, _ = parse_tree(literal)
    except ExpressionError as error:
        raise TypeSyntaxError(error.message, start + error.start, start + error.end, hint=error.hint) from None
    try:
        return check(t, _literal(tree), "$")
    except TypeMismatch as error:
        where = "" if error.path == "$" else f" at {error.path[2:] if error.path[1] == '.' else error.path[1:]}"
        message = f"the default doesn't fit `{describe(t)}`{where}: {error.message}"
        raise TypeSyntaxError(message, first, end, hint=error.hint, finding="GA303") from None
    except _NoLiteral as error:
        node = error.node
        hint = f"text stands in quotes: `'{text[start + node.start : start + node.end]}'`"
        raise TypeSyntaxError("a default is a literal", start + node.start, start + node.end, hint=hint) from None


class _NoLiteral(Exception):
    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node


def _literal(node: Node) -> Any:
    match node:
        case Constant():
            return node.value
        case ListNode():
            return [_literal(item) for item in node.items]
        case DictNode():
            return {_literal(key): _literal(value) for key, value in node.items}
    raise _NoLiteral(node)


def _check_size(t: Type) -> None:
    left = [MAX_NODES]
    _count(t, left, 0)


def _count(t: Type, left: list[int], depth: int) -> None:
    left[0] -= 1
    if left[0] < 0:
        raise TypeSyntaxError(f"the type has more than {MAX_NODES:,} parts", 0, 0)
    if depth > MAX_DEPTH:
        raise TypeSyntaxError(f"the type is nested deeper than {MAX_DEPTH}", 0, 0)
    if isinstance(t, ListOf):
        _count(t.item, left, depth + 1)
    elif isinstance(t, DictOf):
        _count(t.value, left, depth + 1)
    elif isinstance(t, UnionOf):
        for member in t.members:
            _count(member, left, depth)
    elif isinstance(t, ObjectOf):
        for f in t.fields:
            _count(f.type, left, depth + 1)


_Token = tuple[str, str, int, int]
"""Kind (a symbol is its own kind, the end is ""), text, start, end."""


class _Parser:
    def __init__(self, text: str, names: Names) -> None:
        self._text = text
        self._names = names
        self._nesting = 0
        if len(text) > MAX_LENGTH:
            raise TypeSyntaxError(f"a type has at most {MAX_LENGTH:,} characters", MAX_LENGTH, len(text))
        self.token: _Token = self._scan(0)

    def _scan(self, at: int) -> _Token:
        match = _TOKEN.match(self._text, at)
        if match is None:
            return "", "", len(self._text), len(self._text)
        kind = match.lastgroup or ""
        text = match[kind]
        return (text if kind == "symbol" else kind), text, match.start(kind), match.end()

    def _advance(self) -> _Token:
        token = self.token
        self.token = self._scan(token[3])
        return token

    def fail(self, message: str, hint: str | None = None) -> NoReturn:
        """Refuse the token that comes next."""
        raise TypeSyntaxError(message, self.token[2], self.token[3], hint=hint)

    def end(self) -> None:
        """Refuse anything that follows."""
        if self.token[0]:
            hint = "alternatives are joined by `|`" if self.token[0] in ("name", ",") else None
            self.fail(f"unexpected `{self.token[1][:30]}` after the type", hint)

    def _expect(self, symbol: str, after: str) -> None:
        if self.token[0] != symbol:
            found = f"`{self.token[1][:30]}`" if self.token[0] else "the end"
            self.fail(f"`{symbol}` is expected after {after}, here is {found}")
        self._advance()

    def type(self) -> Type:
        """`atom ('|' atom)*`"""
        start = self.token[2]
        atoms = [self._atom()]
        while self.token[0] == "|":
            self._advance()
            atoms.append(self._atom())
        t = union(atoms)
        try:
            _check_size(t)
        except TypeSyntaxError as error:
            raise TypeSyntaxError(error.message, start, self.token[2]) from None
        return t

    def _atom(self) -> Type:
        kind, text, _, _ = self.token
        if kind != "name":
            if not kind:
                self.fail("a type is expected, the text ends here")
            hint = f"write `Literal[{text}]`" if kind in ("text", "number") else None
            self.fail(f"a type is expected, not `{text[:30]}`", hint)
        if text in ("list", "dict", "Literal"):
            return self._generic(self._advance())
        found = self._named(text)
        if found is None:
            self._unknown()
        self._advance()
        if self.token[0] == "[":
            self.fail(f"`{text}` takes no `[ ]`", "only `list[...]`, `dict[str, ...]` and `Literal[...]` do")
        return found

    def _named(self, text: str) -> Type | None:
        try:
            return PREDEFINED.get(text) or self._names.get(text)
        except TypeSyntaxError as error:
            raise TypeSyntaxError(error.message, *self.token[2:], hint=error.hint, finding=error.finding) from None

    def _unknown(self) -> NoReturn:
        _, text, start, end = self.token
        meant = _MEANT.get(text)
        if meant is None:
            meant = suggest(text, [*self._names, *PREDEFINED, "list", "dict", "Literal"])
        hint = f"did you mean `{meant}`?" if meant else None
        if text == "Optional":
            hint = "write `str | None`"
        elif text == "Union":
            hint = "write `str | int`"
        raise TypeSyntaxError(f"unknown type `{text[:60]}`", start, end, text, hint=hint)

    def _generic(self, name: _Token) -> Type:
        if self.token[0] != "[":
            full = {"list": "list[any]", "dict": "dict[str, any]", "Literal": "Literal['a', 'b']"}[name[1]]
            raise TypeSyntaxError(f"`{name[1]}` needs what is in it", name[2], name[3], hint=f"write `{full}`")
        self._advance()
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            self.fail(f"the type is nested deeper than {_MAX_NESTING}")
        out: Type
        if name[1] == "Literal":
            out = self._literals()
        elif name[1] == "list":
            out = ListOf(self.type())
        else:
            out = self._dict()
        self._nesting -= 1
        self._expect("]", f"what is in `{name[1]}`")
        return out

    def _dict(self) -> Type:
        if self.token[:2] != ("name", "str"):
            self.fail("the keys of a dict are `str`", "write `dict[str, ...]`")
        self._advance()
        self._expect(",", "`dict[str`")
        return DictOf(self.type())

    def _literals(self) -> Type:
        values = [self._literal()]
        while self.token[0] == ",":
            self._advance()
            values.append(self._literal())
        return LiteralOf(tuple({(type(v), v): v for v in values}.values()))

    def _literal(self) -> Any:
        kind, text, start, end = self.token
        if kind not in ("text", "number") and text not in ("true", "false", "null", "True", "False", "None"):
            hint = f"text stands in quotes: `'{text[:30]}'`" if kind == "name" else None
            self.fail("a literal is expected" + ("" if kind else ", the text ends here"), hint)
        try:
            tree, _ = parse_tree(text)
        except ExpressionError as error:
            raise TypeSyntaxError(error.message, start, end, hint=error.hint) from None
        if not isinstance(tree, Constant):
            self.fail("a literal is expected")
        self._advance()
        return tree.value
