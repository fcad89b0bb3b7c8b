"""Arguments that a tool doesn't take: nothing was called, and whoever gave them is told which and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphagent.errors import NodeError

Place = Sequence[int | str]
_MOST_LINKS = 20


def bad_arguments(problems: Sequence[tuple[Place, str]], schema: Mapping[str, Any]) -> NodeError:
    """The failure of a call with invalid arguments.

    Args:
        problems: Where each is, from the object of all arguments on, and what is wrong there.
        schema: JSON Schema of all arguments. `details.expected` is that of the first wrong one.
    """
    place = problems[0][0]
    shown = [f"{path_of(p)}: {text}" for p, text in problems[:3]]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    details: dict[str, Any] = {"field": path_of(place), "expected": schema_at(schema, place)}
    return NodeError(
        "; ".join(shown) + more, kind="invalid_input", cause="bad_arguments", details=details,
        hint="nothing was called: give arguments that fit the schema",
    )  # fmt: skip


def unknown_tool(name: str, names: Sequence[str]) -> NodeError:
    """The failure of a call to a tool that isn't there."""
    hint = f"the tools are: {', '.join(names)}" if names else "there are no tools"
    return NodeError(f"there is no tool {name!r}", kind="invalid_input", cause="unknown_tool", hint=hint)


def path_of(place: Place) -> str:
    """A place as people and models read it: `$.items[0].name`."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def schema_at(schema: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """The schema of a place, or of the nearest thing around it that has one."""
    at: Mapping[str, Any] = schema
    for part in place:
        at = target(schema, at)
        inner = at.get("properties", {}).get(part) if isinstance(part, str) else at.get("items")
        if not isinstance(inner, Mapping):
            break
        at = inner
    return target(schema, at)


def target(schema: Mapping[str, Any], at: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` within a document refers to, through others if need be."""
    for _ in range(_MOST_LINKS):
        reference = at.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return at
        found: Any = schema
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return {}
        at = found
    return {}
