"""What the steps of the ported workflows do. Calls that fail on purpose count themselves in a file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def echo(message: str) -> str:
    return message


def split(text: str, parts: int) -> list[str]:
    words = text.split()
    return [" ".join(words[i::parts]) for i in range(parts)]


def count_words(text: str) -> int:
    return len(text.split())


def flip(seed: str) -> str:
    """Heads or tails, the same for the same seed."""
    return "heads" if hashlib.sha256(seed.encode()).digest()[0] % 2 else "tails"


def fail_until(times: int, name: str) -> str:
    """Fails `times` times, then tells how often it was called."""
    file = Path(os.environ["PORTED_FOLDER"]) / name
    calls = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(calls))
    if calls <= times:
        raise RuntimeError(f"call {calls} fails")
    return f"call {calls} succeeds"


def fail(message: str) -> str:
    raise RuntimeError(message)


def fetch(url: str) -> dict[str, object]:
    """Stands for a call over the network: what doesn't begin with https is refused."""
    if not url.startswith("https://"):
        raise ConnectionError(f"refused: {url}")
    return {"status": 200, "url": url}
