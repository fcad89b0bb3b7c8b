"""The tools of `react.graph.yaml` and other ready-made graphs: safe, offline, the same answer every time."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from datetime import date
from pathlib import Path

from graphagent import ToolFailed, ToolRetry

TEXTS = Path(__file__).with_name("texts")
LONGEST = 200
"""Characters of an expression: enough for a person, too few to nest or grow without end."""
SIGNS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip


def calculate(expression: str) -> float:
    """Works out a sum or product of numbers.

    Args:
        expression: Numbers, parentheses and + - * / // %, such as 3 * (2 + 0.5).
    """
    if len(expression) > LONGEST:
        raise ToolRetry(f"at most {LONGEST} characters, please")
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolRetry(f"{expression!r} is no sum of numbers; write it like 3 * (2 + 0.5)") from None
    except ArithmeticError as error:
        raise ToolFailed(str(error), cause="arithmetic") from None


def _value(node: ast.AST) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.BinOp(left, sign, right) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(left), _value(right))
        case ast.UnaryOp(sign, operand) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(operand))
    raise ValueError(f"{type(node).__name__} is not arithmetic")


def days_between(start: date, end: date) -> int:
    """Tells how many days lie between two dates.

    Args:
        start: Such as 2026-01-01.
        end: Such as 2026-03-01. Before `start` the count is negative.
    """
    return (end - start).days


def search(query: str, limit: int = 2) -> list[dict[str, str]]:
    """Finds the paragraphs about bees and lighthouses that hold most words of the query.

    Args:
        query: Words to look for, in any order.
        limit: How many paragraphs at most.
    """
    words = {word.strip(".,;:?!'\"").lower() for word in query.split()}
    found: list[tuple[int, str, str]] = []
    for file in sorted(TEXTS.glob("*.txt")):
        for paragraph in file.read_text(encoding="utf-8").split("\n\n"):
            hits = sum(len(word) > 3 and word in paragraph.lower() for word in words)  # short words are everywhere
            if hits:
                found.append((-hits, file.stem, paragraph.strip()))
    return [{"source": source, "text": text} for _, source, text in sorted(found)[:limit]]
