"""Figures: repeated times, as median and range, against a target."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass
class Figure:
    """One row of the table. `values` are in `unit`; `target` is the most that is wanted, or the least (`floor`)."""

    workload: str
    what: str
    unit: str
    values: list[float]
    target: float | None = None
    floor: bool = False
    shown: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.median >= self.target if self.floor else self.median <= self.target

    def line(self) -> str:
        """The row as text."""
        low, high = min(self.values), max(self.values)
        verdict = {None: "", True: "met", False: "not met"}[self.met]
        wanted = "" if self.target is None else f"{'>=' if self.floor else '<='} {self.target:g}"
        return (
            f"{self.workload:4} {self.what:48} {self.median:>10.4g} {self.unit:8} ({low:.4g}-{high:.4g}) "
            f"{wanted:>10} {verdict}"
        )

    def data(self) -> dict[str, object]:
        """The row as plain data."""
        return {
            "workload": self.workload, "what": self.what, "unit": self.unit, "median": self.median,
            "min": min(self.values), "max": max(self.values), "target": self.target, "met": self.met,
        }  # fmt: skip


async def times(make: Callable[[], Awaitable[object]], rounds: int, *, scale: float = 1e6, per: int = 1) -> list[float]:
    """Wall times of `await make()` in 1/scale seconds per operation; one round more is run first and dropped."""
    out = []
    for i in range(rounds + 1):
        started = time.perf_counter()
        await make()
        if i:
            out.append((time.perf_counter() - started) * scale / per)
    return out
