"""Signatures of the functions that `code` nodes name, read from the module's text without importing it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from graphagent.graph.type_model import ANY, NONE, Type
from graphagent.graph.types import TypeSyntaxError, parse_type

CONTEXT: Final = "context"
"""The parameter that receives the node's context; it is never given by `with`."""
TOOL_CONTEXT: Final = "ToolContext"
"""The annotation of the parameter that receives a tool's context, whatever its name; it is never given either."""
IDEMPOTENCY_KEY: Final = "idempotency_key"
"""The parameter that receives the key of a write; it needs no annotation."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and returns; `any` where an annotation says nothing that the language knows.

    `optional` are the parameters that have a default. `open` tells of `**kwargs`. `decorators` holds the last name of
    each decorator and, of those that are called, the keywords that are true: `{"reducer": {"ordered"}}`. `starred` are
    `*args` and `**kwargs` by these names, `bare` the parameters without annotation.
    """

    parameters: Mapping[str, Type]
    optional: frozenset[str]
    returns: Type
    open: bool = False
    positional_only: tuple[str, ...] = ()
    is_async: bool = False
    takes_context: bool = False
    takes_tool_context: bool = False
    starred: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    described: bool = False
    decorators: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModuleText:
    """What is defined at the top of a module: functions by name, and other names that may be functions."""

    functions: Mapping[str, Signature]
    names: frozenset[str]
    broken: str | None = None
    star: bool = False


@lru_cache(maxsize=256)
def read_module(text: str) -> ModuleText:
    """The functions of a module. `broken` says why the text can't be parsed."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return ModuleText({}, frozenset(), f"{getattr(error, 'msg', 'it is no Python text')}{line}")
    functions: dict[str, Signature] = {}
    names: set[str] = set()
    star = False
    for statement in _top(tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(statement.name)
            if any(not _keeps_signature(decorator) for decorator in statement.decorator_list):
                functions.pop(statement.name, None)
            else:
                functions[statement.name] = _signature(statement)
        elif isinstance(statement, ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            star |= any(alias.name == "*" for alias in statement.names)
            names |= {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
        else:
            names |= {node.id for node in ast.walk(statement)
                      if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}  # fmt: skip
    return ModuleText(functions, frozenset(names), None, star)


def _top(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a module, with what stands under `if` and `try`."""
    out: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                out += _top(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                out += _top(handler.body)
        else:
            out.append(statement)
    return out


def _keeps_signature(decorator: ast.expr) -> bool:
    return _decorator(decorator)[0] in {"trio_node", "cache", "lru_cache", "wraps", "reducer", "tool"}


def _decorator(decorator: ast.expr) -> tuple[str, frozenset[str]]:
    """The last name of a decorator, and the keywords that it is given as true."""
    call = decorator if isinstance(decorator, ast.Call) else None
    name = call.func if call is not None else decorator
    last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
    keywords = call.keywords if call is not None else []
    true = {k.arg for k in keywords if k.arg and isinstance(k.value, ast.Constant) and k.value.value is True}
    return last, frozenset(true)


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    optional = {arg.arg for arg in plain[len(plain) - len(arguments.defaults) :]} if arguments.defaults else set()
    optional |= {
        arg.arg for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is not None
    }
    every = [*plain, *arguments.kwonlyargs]
    tool_context = {arg.arg for arg in every if _is_tool_context(arg.annotation)}
    given = [arg for arg in every if arg.arg != CONTEXT and arg.arg not in tool_context]
    return Signature(
        {arg.arg: _type(arg.annotation) for arg in given}, frozenset(optional), _type(function.returns),
        arguments.kwarg is not None, tuple(arg.arg for arg in arguments.posonlyargs),
        isinstance(function, ast.AsyncFunctionDef),
        takes_context=any(arg.arg == CONTEXT and arg.arg not in tool_context for arg in every),
        takes_tool_context=bool(tool_context), starred=_starred(arguments),
        bare=tuple(arg.arg for arg in given if arg.annotation is None and arg.arg != IDEMPOTENCY_KEY),
        described=ast.get_docstring(function) is not None,
        decorators=dict(map(_decorator, function.decorator_list)),
    )  # fmt: skip


def _is_tool_context(annotation: ast.expr | None) -> bool:
    """Whether an annotation is `ToolContext`, as a name, an attribute or text."""
    if isinstance(annotation, ast.Constant):
        return isinstance(annotation.value, str) and annotation.value.rpartition(".")[2] == TOOL_CONTEXT
    return getattr(annotation, "attr", getattr(annotation, "id", None)) == TOOL_CONTEXT


def _starred(arguments: ast.arguments) -> tuple[str, ...]:
    args = [f"*{arguments.vararg.arg}"] if arguments.vararg is not None else []
    return (*args, *([f"**{arguments.kwarg.arg}"] if arguments.kwarg is not None else []))


def _type(annotation: ast.expr | None) -> Type:
    """The type that an annotation names, `any` for what isn't a type of the language."""
    if annotation is None:
        return ANY
    if isinstance(annotation, ast.Constant):
        if annotation.value is None:
            return NONE
        if isinstance(annotation.value, str):
            return _parsed(annotation.value)
    return _parsed(_plain(annotation))


def _plain(annotation: ast.expr) -> str:
    if (
        isinstance(annotation, ast.Subscript)
        and isinstance(annotation.value, ast.Name)
        and annotation.value.id == "Optional"
    ):
        return f"{ast.unparse(annotation.slice)} | None"
    return ast.unparse(annotation)


def _parsed(text: str) -> Type:
    try:
        return parse_type({"list": "list[any]", "dict": "dict[str, any]"}.get(text, text), {"Any": ANY})
    except TypeSyntaxError:
        return ANY
