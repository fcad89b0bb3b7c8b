"""The functions of the corpus. Nothing here may change: the recorded sessions are replayed with it."""

from __future__ import annotations

import hashlib
from typing import Any


def entries(n: int) -> dict[str, Any]:
    lines = [f"entry {n}.{i} " + hashlib.sha256(b"%d.%d" % (n, i)).hexdigest()[:24] for i in range(25)]
    return {"lines": lines, "long": "".join(hashlib.sha256(line.encode()).hexdigest() for line in lines)}


def count(log: list[str]) -> str:
    return hashlib.sha256("".join(log).encode()).hexdigest()


def pay(amount: int) -> str:
    return f"paid {amount}"


def look(depth: int) -> str:
    return f"pearl at {depth}"


def side(name: str) -> str:
    return f"the {name} side"


async def ask_aside(context: Any) -> str:
    wind = await context.effect("wind", measure, "wind", effects="read")
    sure = await context.ask(f"The wind is {wind}. Go on?")
    return f"{wind}, {sure['decision']} at {context.now():%Y}"


def measure(what: str) -> str:
    return f"{what} from the west"


def double(item: int) -> int:
    return item * 2


def broken() -> None:
    raise ValueError("this node always fails")
