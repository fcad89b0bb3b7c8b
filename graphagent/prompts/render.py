"""Rendering a template: no access to Python objects, no clock, no chance, at most 1 MiB and 10,000 loop steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from graphagent.errors import NodeError
from graphagent.graph.plan import Template

OUTPUT_LIMIT = 1 << 20
LOOP_LIMIT = 10_000
FILTERS = frozenset({
    "abs", "capitalize", "count", "default", "d", "dictsort", "e", "escape", "first", "indent", "int", "float", "items",
    "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse",
    "round", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "truncate", "unique", "upper",
    "wordcount",
})  # fmt: skip
_BASE = "__base"
REFUSED_OPERATORS = frozenset({"*", "**", "%"})


class TooMuch(Exception):
    """A template passed one of its caps."""


class _Steps:
    """Counts loop steps of one rendering."""

    def __init__(self) -> None:
        self.left = LOOP_LIMIT

    def __call__(self, items: Any) -> Iterator[Any]:
        for item in items:
            self.left -= 1
            if self.left < 0:
                raise TooMuch(f"more than {LOOP_LIMIT:,} loop steps")
            yield item


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = REFUSED_OPERATORS

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, int | float) and isinstance(right, int | float) and operator != "**":
            return super().call_binop(context, operator, left, right)
        raise TooMuch(f"`{operator}` is only for numbers" if operator != "**" else "`**` is not allowed")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Call(nodes.Name("__steps", "load"), [loop.iter], [], None, None)
        for node in tree.find_all(nodes.Node):
            node.lineno = getattr(node, "lineno", None) or 1
            node.environment = self
        return tree


@cache
def _environment() -> _Environment:
    env = _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    env.globals.clear()
    for name in [n for n in env.filters if n not in FILTERS]:
        del env.filters[name]
    return env


@cache
def _template(template: Template) -> Any:
    base = _environment().from_string(template.text)
    if not template.blocks:
        return base
    blocks = [f"{{% block {name} %}}{text}{{% endblock %}}" for name, text in dict(template.blocks).items()]
    return _environment().from_string(f"{{% extends {_BASE} %}}" + "".join(blocks), globals={_BASE: base})


def render(template: Template, variables: Mapping[str, Any]) -> str:
    """The text of a template with these variables; what a value holds is never rendered again.

    Raises:
        NodeError: kind `expression`: an undefined variable, a refused operation, or a cap was passed.
    """
    try:
        pieces, size = [], 0
        for piece in _template(template).generate(**variables, __steps=_Steps()):
            size += len(piece)
            if size > OUTPUT_LIMIT:
                raise TooMuch(f"the text is over {OUTPUT_LIMIT:,} characters")
            pieces.append(piece)
        return "".join(pieces)
    except (TemplateError, TooMuch, TypeError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        message = f"the prompt can't be rendered: {error}"
        raise NodeError(message, kind="expression", hint="variables of a prompt are the names in `with`") from error
