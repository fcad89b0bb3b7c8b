"""Values of the language: literals, texts with `${ expr }`, and lists and mappings of values.

A text that is one `${ }` and nothing else passes the typed value; otherwise text is built. Keys are never
templated, and a result is never evaluated again. `$${` writes `${`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphagent.graph.expression_errors import EvaluationError, ExpressionError, Failure, Finding, Path
from graphagent.graph.expressions import Expression, Read, infer, parse
from graphagent.graph.kinds import NULL, kinds
from graphagent.graph.plain import MAX_RESULT, MAX_WORK, check_result, text_of, too_large
from graphagent.graph.type_model import (
    ANY,
    NONE,
    STR,
    Field,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    common,
    has_none,
)

__all__ = [
    "Broken",
    "Items",
    "Literal",
    "Mappings",
    "Part",
    "Text",
    "Value",
    "Whole",
    "infer_value",
    "literal_type",
    "parse_value",
]

Part: TypeAlias = tuple[Path, Expression, int]
"""Where a text is in the value, an expression in it, and the offset of the expression in the text."""

_MARK = re.compile(r"\$?\$\{")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_MAX_NESTING = 64


@dataclass(frozen=True, slots=True)
class Literal:
    """A value without expressions."""

    value: Any

    @property
    def is_literal(self) -> bool:
        return True

    @property
    def reads(self) -> tuple[Read, ...]:
        return ()

    def parts(self) -> Iterator[Part]:
        return iter(())

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        """The value; the same object every time, which nobody changes."""
        return self.value


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for a text that couldn't be read and was reported."""

    text: str

    @property
    def is_literal(self) -> bool:
        return False

    @property
    def reads(self) -> tuple[Read, ...]:
        return ()

    def parts(self) -> Iterator[Part]:
        return iter(())

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        raise EvaluationError("this value has a syntax error", 0, len(self.text))


@dataclass(frozen=True, slots=True)
class Whole:
    """One `${ expr }` and nothing else: the typed value passes."""

    expression: Expression
    offset: int

    @property
    def is_literal(self) -> bool:
        return False

    @property
    def reads(self) -> tuple[Read, ...]:
        return _moved_reads(self.expression, self.offset)

    def parts(self) -> Iterator[Part]:
        yield (), self.expression, self.offset

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        try:
            return self.expression.evaluate(env)
        except EvaluationError as error:
            raise error.moved(self.offset) from None


@dataclass(frozen=True, slots=True)
class Text:
    """Text with expressions in it; `pieces` are plain texts, and expressions with their offsets."""

    pieces: tuple[str | tuple[Expression, int], ...]

    @property
    def is_literal(self) -> bool:
        return False

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(read for _, expression, offset in self.parts() for read in _moved_reads(expression, offset))

    def parts(self) -> Iterator[Part]:
        for piece in self.pieces:
            if not isinstance(piece, str):
                yield (), *piece

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        out: list[str] = []
        length = 0
        for piece in self.pieces:
            out.append(piece if isinstance(piece, str) else _build(*piece, env))
            length += len(out[-1])
            if length > MAX_RESULT:
                break
        result = "".join(out)
        try:
            if length > MAX_RESULT // 4:
                check_result(result)
        except Failure as failure:
            raise EvaluationError(failure.message, 0, _end(self.pieces), failure.hint) from None
        return result


@dataclass(frozen=True, slots=True)
class Items:
    """A list of values."""

    items: tuple[Value, ...]

    @property
    def is_literal(self) -> bool:
        return False

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(read for item in self.items for read in item.reads)

    def parts(self) -> Iterator[Part]:
        for i, item in enumerate(self.items):
            for path, expression, offset in item.parts():
                yield (i, *path), expression, offset

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        out: list[Any] = []
        try:
            for item in self.items:
                out.append(item.evaluate(env))
        except EvaluationError as error:
            raise error.moved(0, (len(out),)) from None
        return out


@dataclass(frozen=True, slots=True)
class Mappings:
    """A mapping of values, with keys as they are written."""

    items: tuple[tuple[str, Value], ...]

    @property
    def is_literal(self) -> bool:
        return False

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(read for _, item in self.items for read in item.reads)

    def parts(self) -> Iterator[Part]:
        for key, item in self.items:
            for path, expression, offset in item.parts():
                yield (key, *path), expression, offset

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        out: dict[str, Any] = {}
        key = ""
        try:
            for key, item in self.items:
                out[key] = item.evaluate(env)
        except EvaluationError as error:
            raise error.moved(0, (key,)) from None
        return out


Value: TypeAlias = Literal | Whole | Text | Items | Mappings | Broken


def parse_value(raw: Any, errors: list[ExpressionError] | None = None) -> Value:
    """The value of a piece of YAML: plain data in which texts may hold `${ expr }`.

    Args:
        raw: Plain data.
        errors: Collects what is wrong; a broken text then becomes `Broken`. Without it the first error is raised.

    Raises:
        ExpressionError: with the offset in the text, and its `path` in `raw`.
    """
    return _parse(raw, (), [] if errors is None else errors, strict=errors is None)


def _parse(raw: Any, path: Path, errors: list[ExpressionError], *, strict: bool) -> Value:
    if isinstance(raw, str):
        try:
            return _parse_text(raw)
        except ExpressionError as error:
            if strict:
                raise error.moved(0, path) from None
            errors.append(error.moved(0, path))
            return Broken(raw)
    if not isinstance(raw, list | tuple | Mapping):
        return Literal(raw)
    if len(path) >= _MAX_NESTING:
        too_deep = ExpressionError("GA201", f"the value is nested deeper than {_MAX_NESTING}", 0, 0, None, path)
        if strict:
            raise too_deep
        errors.append(too_deep)
        return Broken("")
    if isinstance(raw, Mapping):
        pairs = tuple((key, _parse(item, (*path, key), errors, strict=strict)) for key, item in raw.items())
        plain = all(item.is_literal for _, item in pairs)
        return Literal({key: item.evaluate({}) for key, item in pairs}) if plain else Mappings(pairs)
    items = tuple(_parse(item, (*path, i), errors, strict=strict) for i, item in enumerate(raw))
    plain = all(item.is_literal for item in items)
    return Literal([item.evaluate({}) for item in items]) if plain else Items(items)


def _parse_text(text: str) -> Value:
    pieces: list[str | tuple[Expression, int]] = []
    plain = ""
    at = 0
    while (mark := _MARK.search(text, at)) is not None:
        plain += text[at : mark.start()]
        if mark.group() == "$${":
            plain += "${"
            at = mark.end()
            continue
        end = _closing(text, mark.start(), mark.end())
        if plain:
            pieces.append(plain)
            plain = ""
        pieces.append((_parse_part(text, mark.end(), end), mark.end()))
        at = end + 1
    plain += text[at:]
    if not pieces:
        return Literal(plain)
    if plain:
        pieces.append(plain)
    first = pieces[0]
    return Whole(*first) if len(pieces) == 1 and not isinstance(first, str) else Text(tuple(pieces))


def _parse_part(text: str, start: int, end: int) -> Expression:
    try:
        return parse(text[start:end])
    except ExpressionError as error:
        moved = error.moved(start)
        if error.code == "GA207":
            moved = ExpressionError("GA207", "`${ }` inside of `${ }`", moved.start, moved.end, "remove the inner one")
        raise moved from None


def _closing(text: str, mark: int, at: int) -> int:
    """The place of the `}` that ends the expression which begins at `at`: not one in quotes or of an object."""
    depth = 0
    while at < len(text):
        c = text[at]
        if c in "'\"":
            quoted = _STRING.match(text, at)
            if quoted is None:
                raise ExpressionError("GA201", "this quote is never closed", at, at + 1)
            at = quoted.end()
            continue
        if c == "{":
            depth += 1
        elif c == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    hint = "end the expression with `}`, or write `$${` for a `${` in the text"
    raise ExpressionError("GA201", "this `${` is never closed", mark, mark + 2, hint)


def _build(expression: Expression, offset: int, env: Mapping[str, Any]) -> str:
    try:
        value = expression.evaluate(env)
        if type(value) is str:
            if len(value) > MAX_RESULT:
                raise too_large()
            return value
        return text_of(value, [0, MAX_WORK])
    except EvaluationError as error:
        raise error.moved(offset) from None
    except Failure as failure:
        raise EvaluationError(failure.message, offset, offset + len(expression.text), failure.hint) from None


def _end(pieces: tuple[str | tuple[Expression, int], ...]) -> int:
    return max(offset + len(expression.text) for expression, offset in (p for p in pieces if not isinstance(p, str)))


def _moved_reads(expression: Expression, offset: int) -> tuple[Read, ...]:
    return tuple(Read(r.root, r.path, r.start + offset, r.end + offset, r.guarded) for r in expression.reads)


def infer_value(value: Value, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    """The type of a value, and what is wrong in it: findings with the `path` of the text and the place in it."""
    match value:
        case Literal():
            return literal_type(value.value), []
        case Whole():
            t, findings = infer(value.expression, scope)
            return t, [finding.moved(value.offset) for finding in findings]
        case Text():
            return STR, [finding for piece in value.parts() for finding in _infer_text(piece, scope)]
        case Items():
            return _infer_items(value, scope)
        case Mappings():
            return _infer_mapping(value, scope)
        case Broken():
            return ANY, []


def _infer_text(part: Part, scope: Mapping[str, Type]) -> list[Finding]:
    _, expression, offset = part
    t, findings = infer(expression, scope)
    if NULL in kinds(t) and has_none(t):
        text = expression.text
        start = len(text) - len(text.lstrip())
        shown = text.strip()
        what = "is null" if kinds(t) == {NULL} else "may be null"
        hint = f"`default({shown}, '')`" if expression.reads else None
        message = f"`{shown[:60]}` {what}, and null has no text"
        findings.append(Finding("GA205", message, start, start + len(shown), "null in text", hint))
    return [finding.moved(offset) for finding in findings]


def _infer_items(value: Items, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    types: list[Type] = []
    out: list[Finding] = []
    for i, item in enumerate(value.items):
        t, findings = infer_value(item, scope)
        types.append(t)
        out += [finding.moved(0, (i,)) for finding in findings]
    return ListOf(common(types)), out


def _infer_mapping(value: Mappings, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    fields: list[Field] = []
    out: list[Finding] = []
    for key, item in value.items:
        t, findings = infer_value(item, scope)
        fields.append(Field(key, t))
        out += [finding.moved(0, (key,)) for finding in findings]
    return ObjectOf(tuple(fields)), out


def literal_type(value: Any) -> Type:
    """The narrowest type of plain data."""
    if value is None:
        return NONE
    if isinstance(value, list):
        return ListOf(common(literal_type(item) for item in value))
    if isinstance(value, dict):
        return ObjectOf(tuple(Field(key, literal_type(item)) for key, item in value.items()))
    return LiteralOf((value,)) if isinstance(value, str | int | float) else ANY
