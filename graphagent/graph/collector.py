"""Work that makes very many objects at once, all of which are kept."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uncollected(work: Callable[P, T]) -> Callable[P, T]:
    """The function, during which Python's collector of cycles pauses.

    It walks all objects again whenever their number has grown by a quarter, and there is nothing to collect: reading
    and checking a graph of 1,000 nodes takes half the time without it.
    """

    @wraps(work)
    def paused(*args: P.args, **kwargs: P.kwargs) -> T:
        if not gc.isenabled():
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return paused
