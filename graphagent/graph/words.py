"""The builder's words: what a program writes where YAML has syntax of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from graphagent.graph.callsite import here
from graphagent.graph.diagnostics import Span
from graphagent.graph.spec import END, FAIL

end: Final = END
"""Takes the token away: `.next(end)`."""
fail: Final = FAIL
"""Ends the run as failed: `.next(fail)`."""

Reducer = Literal["last", "first", "append", "union", "merge", "sum", "min", "max", "messages"]
Scope = Literal["step", "run", "session"]
_UNSET: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Written:
    """A mapping of keys, and the call that wrote it."""

    keys: Mapping[str, Any]
    place: Span


def X(expression: str) -> str:
    """`${ expression }`: a value that is computed when the node runs."""
    return f"${{ {expression} }}"


def file(path: str) -> dict[str, str]:
    """A prompt in a file, looked for beside the program, then in the project folder."""
    return {"file": path}


def use(prompt: str, *, blocks: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A prompt under `prompts`, or of an import: `use("tone", blocks={"voice": "Be brief."})`."""
    return {"use": prompt, **({"blocks": dict(blocks)} if blocks else {})}


def route(
    *to: str, when: str | None = None, writes: Mapping[str, Any] | None = None, label: str | None = None
) -> Written:
    """One way out of a node. Several names fork; without `when` it is the else, and the last.

    Args:
        to: The next node, or several; `end` and `fail` too.
        when: A bare expression: `"len(findings) > 3"`.
        writes: Channel -> value, written when this route is taken.
        label: For drawings and events; by default the guard.
    """
    keys = {"when": when, "to": to[0] if len(to) == 1 else list(to), "writes": writes, "label": label}
    return Written({key: value for key, value in keys.items() if value is not None}, here())


def channel(
    type: Any, *, reducer: Reducer | str | Callable[..., Any] = "last", default: Any = _UNSET, scope: Scope = "run",
    secret: bool = False, description: str | None = None,
) -> Written:  # fmt: skip
    """A channel with more than a type.

    Args:
        type: A Python type, a class of pydantic, or text: `list[str]`, `Doc`, `"Literal['a', 'b']"`.
        reducer: How the writes of one superstep are folded: a name, or a function `fold(value, write)`.
        default: The value before the first write.
        scope: How long a value lives.
        secret: Whether the value is kept out of every view, event and prompt.
        description: For drawings and schemas.
    """
    keys: dict[str, Any] = {"type": type}
    if reducer != "last":
        keys["reducer"] = reducer
    if default is not _UNSET:
        keys["default"] = default
    if scope != "run":
        keys["scope"] = scope
    if secret:
        keys["secret"] = True
    if description is not None:
        keys["description"] = description
    return Written(keys, here())
