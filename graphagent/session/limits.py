"""Limits as people give them, and what to say when one is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphagent.engine.limits import deadline, tokens_of
from graphagent.errors import Conflict, InputInvalid
from graphagent.graph.duration import parse_duration
from graphagent.graph.plan import GraphPlan
from graphagent.snapshot import Control, Spent

FLAGS: Final = {
    "supersteps": "--max-supersteps", "tokens": "--max-tokens", "cost_usd": "--budget", "wall": "--timeout",
}  # fmt: skip
"""The flag that raises each limit. `visits` has none: it is a matter of the graph."""
READING_US: Final = 600_000_000
"""Time goes on while somebody reads what to do next."""
_COUNTS: Final = ("supersteps", "tokens", "cost_micro", "wall_us")


def bounds_of(limits: Mapping[str, Any]) -> dict[str, int]:
    """Limits as a session keeps them: `supersteps tokens cost_micro wall_us`.

    Args:
        limits: The same, or `cost_usd` in dollars and `wall` as a duration such as `10m` or in seconds.

    Raises:
        InputInvalid: there is no such limit, or its value is none.
    """
    out: dict[str, int] = {}
    for name, value in limits.items():
        if name == "wall" and isinstance(value, str):
            duration = parse_duration(value)
            if duration is None:
                raise InputInvalid("limits.wall", f"{value!r} is no duration", hint="such as 90s, 10m or 4h")
            out["wall_us"] = duration.ms * 1000
            continue
        key, scale = {"cost_usd": ("cost_micro", 1e6), "wall": ("wall_us", 1e6)}.get(name, (name, 1))
        if key not in _COUNTS:
            raise InputInvalid(f"limits.{name}", "there is no such limit", hint="supersteps, tokens, cost_usd, wall")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise InputInvalid(f"limits.{name}", "a number that isn't negative is expected")
        out[key] = round(value * scale)
    return out


def raising(cause: str, control: Control, used: Spent, elapsed_us: int) -> str | None:
    """The flag with a value that lets a run go on which this limit ended; None if no flag does.

    Args:
        used: By the run so far, its open superstep included.
        elapsed_us: Since its start.
    """
    value = {
        "supersteps": str(2 * max(control.steps, 1)),
        "tokens": str(2 * max(tokens_of(used), 1)),
        "cost_usd": f"{2 * max(used[6], 1) / 1e6:.6f}".rstrip("0").rstrip("."),
        "wall": f"{-(-(elapsed_us + max(elapsed_us, READING_US)) // 60_000_000)}m",
    }.get(cause)
    return None if value is None else f"{FLAGS[cause]} {value}"


def check_raised(
    session: str, error: Mapping[str, Any], graph: GraphPlan, control: Control, bounds: Mapping[str, int], used: Spent,
    times: tuple[int, int],
) -> None:  # fmt: skip
    """Refuse to resume a run that would meet the same limit at once.

    Args:
        error: The record with which the run ended.
        bounds: With those that are given now.
        times: When the run began, and now.

    Raises:
        Conflict: the limit isn't raised, or not far enough.
    """
    cause, (started, now) = error["cause"] or "", times
    until = deadline(graph, bounds, started)
    limits = graph.limits
    over = {
        "supersteps": _over(control.steps, bounds.get("supersteps", limits.supersteps)),
        "tokens": _over(tokens_of(used), bounds.get("tokens", limits.tokens)),
        "cost_usd": _over(used[6], bounds.get("cost_micro", limits.cost_micro)),
        "wall": until is not None and now >= until,
        "visits": True,
    }
    if over.get(cause, False):
        flag = raising(cause, control, used, now - started)
        hint = f"graphagent resume {session} {flag}"
        if flag is None:
            hint = f"graphagent fork {session} --at last --graph FILE, with a graph whose `limits` allow more"
        raise Conflict(f"{error['message']}", hint=hint)


def _over(used: int, most: int | None) -> bool:
    return most is not None and used >= most
