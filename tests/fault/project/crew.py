"""The functions of `voyage.graph.yaml`. Each notes its call in a file before it answers."""

from __future__ import annotations

import os
import time
from typing import Any

CALLS = "calls.log"


def note(call: str) -> None:
    """One durable line in the working folder for one call."""
    fd = os.open(CALLS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, call.encode() + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)


def pay(amount: int) -> str:
    note("pay")
    return f"paid {amount}"


def fast() -> str:
    note("fast")
    return "fast"


def slow() -> str:
    note("slow")
    time.sleep(0.03)  # longer than the 5 ms after which the sibling's outcome is appended
    return "slow"


async def steer(context: Any) -> str:
    """An open body: two calls of its own, and a question between them that holds the superstep open. One call puts an
    artifact, and isn't made again; another artifact is put whenever the body runs."""

    async def draw() -> Any:
        note("wind")
        return await context.save_artifact("../../chart", b"~" * 100_000, "image/png")

    chart = await context.effect("wind", draw)
    course = await context.ask("Which course?", options=["north", "south"])
    assert await context.read_artifact(chart["id"], 99_990) == b"~" * 10
    depth = await context.effect("depth", measure, "depth")
    log = await context.save_artifact("log", f"{course['choice']} {depth}", "text/plain")
    return f"{chart['id']} {course['choice']} {depth} {log['size']}"


def measure(what: str) -> str:
    note(what)
    return f"{what} is fair"


def call_at(port: int) -> list[str]:
    note(f"port {port}")
    return [f"port {port} line {n}" for n in range(30)]


def look(depth: int) -> str:
    note("look")
    return f"pearl at {depth}"


def keep(what: str) -> str:
    note("keep")
    return f"kept {what}"


def home(lines: int) -> str:
    return f"home after {lines} lines"
