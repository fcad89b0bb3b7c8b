"""A terminal whose streams a test can read."""

from __future__ import annotations

import io
from typing import Any

from graphagent.cli.terminal import Flags, Terminal


class Stream(io.StringIO):
    """A text stream with an encoding; `tty` says whether it is a terminal."""

    def __init__(self, encoding: str = "utf-8", *, tty: bool = False) -> None:
        super().__init__()
        self._encoding, self._tty = encoding, tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty


def terminal(
    *, tty: bool = False, encoding: str = "utf-8", environ: dict[str, str] | None = None, **flags: Any
) -> Terminal:
    """A terminal that writes into memory."""
    streams = [Stream(encoding, tty=tty) for _ in range(2)]
    return Terminal(Flags(**flags), "graphagent", streams[0], streams[1], environ or {})


def out(screen: Terminal) -> str:
    """What went to stdout."""
    assert isinstance(screen.out, Stream)
    return screen.out.getvalue()


def err(screen: Terminal) -> str:
    """What went to stderr."""
    assert isinstance(screen.err, Stream)
    return screen.err.getvalue()
