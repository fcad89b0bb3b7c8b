"""What a reducer is: a pure function `fold(value, write) -> value`, called once per write in plan order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphagent.snapshot import UNSET


def unset() -> Any:
    """The neutral value of reducers that have none: the first write meets `UNSET`."""
    return UNSET


@dataclass(frozen=True, slots=True)
class Reducer:
    """One reducer.

    `neutral` makes what the first write is folded into. `types` are the kinds of channel type that it takes: `list`,
    `dict`, `int`, `float`, `str`, `bool`; `any` takes all. `folds`: two tasks may write in one superstep.
    `appends`: its writes are lists that only grow.
    """

    name: str
    fold: Callable[[Any, Any], Any]
    neutral: Callable[[], Any]
    types: frozenset[str]
    folds: bool = True
    appends: bool = False
