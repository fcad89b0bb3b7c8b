"""Expressions of the language: read, typed and evaluated. Python's spelling, JSON's values, no Python objects.

`parse` gives an `Expression`, or says what is wrong and where; `infer` tells its type in a scope; its
`evaluate` computes the value. Everything is bounded: 2,000 characters, 256 parts, depth 32, 10,000 steps, 1 MiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphagent.graph.comparison_eval import Closure
from graphagent.graph.expression_errors import EvaluationError, ExpressionError, Finding
from graphagent.graph.expression_eval import build
from graphagent.graph.expression_names import FUNCTION_NAMES, RESERVED_NAMES, SCOPE_NAMES
from graphagent.graph.expression_reads import EACH, Read, reads
from graphagent.graph.expression_syntax import parse_tree
from graphagent.graph.expression_tree import Node
from graphagent.graph.expression_types import type_guard, type_tree
from graphagent.graph.plain import MAX_STEPS, MAX_WORK
from graphagent.graph.type_model import Type

__all__ = [
    "EACH",
    "FUNCTION_NAMES",
    "RESERVED_NAMES",
    "SCOPE_NAMES",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Finding",
    "Read",
    "constant_guard",
    "infer",
    "infer_guard",
    "parse",
]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; equal if the texts are. `reads` is all that an evaluation can read."""

    text: str
    reads: tuple[Read, ...] = field(compare=False)
    tree: Node = field(compare=False, repr=False)
    closure: Closure = field(compare=False, repr=False)
    variables: tuple[None, ...] = field(compare=False, repr=False)

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        """The value, with `env` mapping names to plain data; a name that isn't in it is unset.

        Raises:
            EvaluationError: there is none; the error says which part of the text is to blame.
        """
        try:
            return self.closure(env, [MAX_STEPS, MAX_WORK, *self.variables])
        except (RecursionError, MemoryError) as error:
            raise EvaluationError("the value is too large or too deep", 0, len(self.text)) from error


@lru_cache(maxsize=4_096)
def parse(text: str) -> Expression:
    """The expression of a bare field, or of the inside of `${ }`.

    Raises:
        ExpressionError: `GA201` syntax, `GA202` not allowed, `GA207` a `${ }` in it, `GA104` a reserved name.
    """
    tree, variables = parse_tree(text)
    return Expression(text, reads(tree), tree, build(tree, text), (None,) * variables)


def infer(expr: Expression, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    """The type of an expression where `scope` tells the types of names, and what is wrong with it.

    A part that is wrong has the type `any`, so that one mistake gives one finding.
    """
    return type_tree(expr.tree, expr.text, scope)


def infer_guard(expr: Expression, scope: Mapping[str, Type]) -> tuple[Type, list[Finding]]:
    """Like `infer`, and `GA206` unless the type is bool."""
    return type_guard(expr.tree, expr.text, scope)


def constant_guard(expr: Expression) -> bool | None:
    """The value of a guard that reads nothing and so is always the same; None for any other."""
    if expr.reads:
        return None
    try:
        value = expr.evaluate({})
    except EvaluationError:
        return None
    return value if isinstance(value, bool) else None
