"""The two streams of a command: stdout for the result, stderr for the story; colours, symbols, widths."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from graphagent.stores.postgres_url import shown

STYLES: Final = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
}  # fmt: skip
STATES: Final = {
    "idle": ("○", ".", "dim"),
    "queued": ("◌", "q", "blue"),
    "running": ("●", "*", "blue"),
    "done": ("✔", "+", "green"),
    "replayed": ("⟲", "r", "cyan"),
    "skipped": ("–", "-", "dim"),
    "failed": ("✖", "x", "red"),
    "waiting": ("⏸", "?", "yellow"),
    "cancelled": ("⊘", "/", "magenta"),
}
"""Symbol, its ASCII form, and colour of a state. A state is never shown by its colour alone."""
PLAIN: Final = str.maketrans(
    {
        "·": "-",
        "…": "...",
        "→": "->",
        "▶": ">",
        "▸": ">",
        "├": "|",
        "└": "`",
        "│": "|",
        "─": "-",
        "–": "-",
        "×": "x",
        "⚠": "!",
        "“": '"',
        "”": '"',
        "’": "'",
        "⑂": "Y",
        **{symbol: plain for symbol, plain, _ in STATES.values()},
    }
)


@dataclass(slots=True)
class Flags:
    """The flags that every command takes."""

    project: str | None = None
    store: str | None = None
    json: bool = False
    color: str = "auto"
    ascii: bool = False
    quiet: bool = False
    verbose: int = 0


@dataclass(slots=True)
class Terminal:
    """Where a command writes. `program` is how this process was started, for commands to copy."""

    flags: Flags
    program: str = "graphagent"
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    above: Callable[[str], object] | None = None
    """While a live tree is drawn: writes above it."""

    # ---- what this terminal can do -----------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether the story may move the cursor."""
        env = self.environ
        plain = env.get("NO_COLOR") or env.get("CI") or env.get("TERM") == "dumb"
        return self.err.isatty() and not plain and not self.flags.quiet

    @property
    def asks(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty() and self.err.isatty() and not self.flags.json and not self.flags.quiet

    @property
    def ascii(self) -> bool:
        """Whether to do without symbols: asked for, or the stream can't say them."""
        return self.flags.ascii or "utf" not in (self.err.encoding or "").lower()

    @property
    def width(self) -> int:
        """Columns of the terminal; 100 where there is none."""
        return shutil.get_terminal_size((100, 24)).columns

    def colored(self, stream: TextIO) -> bool:
        """Whether to colour what goes to this stream."""
        choice = self.flags.color
        if choice != "auto":
            return choice == "always"
        env = self.environ
        return stream.isatty() and not env.get("NO_COLOR") and not env.get("CI") and env.get("TERM") != "dumb"

    # ---- writing -----------------------------------------------------------------------------------------------

    def result(self, text: str) -> None:
        """Write the result, as it is where it goes to a file, harmless where it goes to a screen."""
        if self.out.isatty():
            text = harmless(text)
        self.out.write(text if text.endswith("\n") else text + "\n")
        self.out.flush()

    def table(self, text: str) -> None:
        """Write a result that was made for people, with its state symbols in colour."""
        text = self.plain(text, self.out)
        if not self.colored(self.out):
            self.result(text)
            return
        text = tint(harmless(text) if self.out.isatty() else text)
        self.out.write(text if text.endswith("\n") else text + "\n")
        self.out.flush()

    def document(self, data: Mapping[str, Any]) -> None:
        """Write one JSON document and a newline."""
        self.out.write(json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str) + "\n")
        self.out.flush()

    def say(self, text: str = "", *styles: str) -> None:
        """Tell the story, unless it isn't wanted."""
        if not self.flags.quiet:
            self.tell(text, *styles)

    def tell(self, text: str, *styles: str) -> None:
        """Tell what must be known: errors, and what to do about them."""
        (self.above or self.err.write)(self.paint(self.plain(text, self.err), *styles) + "\n")
        self.err.flush()

    def plain(self, text: str, stream: TextIO) -> str:
        """The text in the characters that the stream can say."""
        if self.flags.ascii or "utf" not in (stream.encoding or "").lower():
            return text.translate(PLAIN)
        return text

    def paint(self, text: str, *styles: str) -> str:
        """The text in these styles, where stderr has colours."""
        return painted(text, *styles) if styles and self.colored(self.err) else text

    def symbol(self, state: str) -> str:
        """The symbol of a state."""
        symbol, plain, _ = STATES.get(state, STATES["idle"])
        return plain if self.ascii else symbol

    def command(self, *words: str) -> str:
        """A command to copy that works when it is pasted: with the program and the project of this one."""
        given = [self.program]
        if self.flags.project is not None:
            given += ["--project", shlex.quote(self.flags.project)]
        if self.flags.store is not None:
            given += ["--store", shlex.quote(shown(self.flags.store))]
        return " ".join([*given, *words])


def painted(text: str, *styles: str) -> str:
    """The text between the codes of these styles."""
    codes = ";".join(STYLES[s] for s in styles)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


def tint(text: str) -> str:
    """The symbols of states in their colours."""
    for symbol, _, color in STATES.values():
        if color != "dim":
            text = text.replace(symbol, painted(symbol, color))
    return text


def harmless(text: str) -> str:
    """The text without what would steer a terminal: control characters other than newline and tab."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else "\N{REPLACEMENT CHARACTER}"
                   for c in text)  # fmt: skip


def columns(text: str) -> int:
    """Terminal columns of a text: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me", "Cf") for c in text)


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` columns."""
    text = " ".join(harmless(text).split())
    if columns(text) <= limit:
        return text
    while text and columns(text) > limit - 1:
        text = text[:-1]
    return text + "…"


def tail(text: str, limit: int) -> str:
    """The end of a text on one line of at most `limit` columns."""
    text = " ".join(harmless(text[-4 * limit :]).split())
    if columns(text) <= limit:
        return text
    while text and columns(text) > limit - 1:
        text = text[1:]
    return "…" + text
