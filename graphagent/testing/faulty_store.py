"""A store whose calls fail, take their time, or are the last of their process, as a seed decides."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import trio

from graphagent.errors import StoreUnavailable
from graphagent.ports import Store

WRITES = frozenset({"create", "fork", "takeover", "commit", "append", "accept", "answer"})
"""Calls that may fail; reads and `release` only take their time or meet the death of their process."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often, from 0 to 1, something happens in one call of the store.

    Attributes:
        before: It is refused, and nothing is stored.
        after: It is stored, and its caller is told that it failed: an unknown outcome.
        crash: The process dies, before it or after it.
        delay: It takes up to `longest_s`.
        longest_s: In seconds of the world's time.
        robbery: A session that another process owns is taken from it, though it lives, as after a lease that ran out.
    """

    before: float = 0.02
    after: float = 0.02
    crash: float = 0.02
    delay: float = 0.3
    longest_s: float = 0.5
    robbery: float = 0.1

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value < 0 or (value > 1 and each.name != "longest_s"):
                raise ValueError(f"{each.name} is {value!r}; from 0 to 1 is expected")


NO_FAULTS = Faults(0, 0, 0, 0, 0, 0)


class Died(BaseException):
    """The process of this controller is gone. No Exception: nothing in a process outlives it."""


class FaultyStore:
    """One process's way to a store. `note` is told each call and what became of it."""

    def __init__(self, store: Store, faults: Faults, chance: random.Random, note: Callable[[str, str], None]) -> None:
        self._store, self._faults, self._chance, self._note = store, faults, chance, note
        self.name = store.name
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            with trio.CancelScope(shield=True):  # as a store does it: a cancellation waits behind what was sent
                return await self._call(name, lambda: method(*args, **kwargs))

        return call

    async def _call(self, name: str, act: Callable[[], Any]) -> Any:
        faults, chance = self._faults, self._chance
        await self._pass_time()
        fate = chance.random() if name in WRITES else 1.0
        kind = "ok"
        for each in ("before", "after", "crash"):
            if fate < getattr(faults, each):
                kind = each
                break
            fate -= getattr(faults, each)
        if kind == "crash" and chance.random() < 0.5:
            self.dead = True
        self._note(name, "dead" if self.dead else kind)
        self._check()
        if kind == "before":
            raise StoreUnavailable("the simulated store refused this call")
        result = await act()
        self.dead = self.dead or kind == "crash"
        await self._pass_time()
        if kind == "after":
            raise StoreUnavailable("the simulated store lost the answer to this call")
        return result

    async def _pass_time(self) -> None:
        late = self._chance.random() < self._faults.delay
        await trio.sleep(self._chance.random() * self._faults.longest_s if late else 0)
        self._check()

    def _check(self) -> None:
        if self.dead:
            raise Died

    async def aclose(self) -> None:
        """The store is everybody's."""
