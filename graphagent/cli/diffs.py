"""The difference between two texts, as people read it."""

from __future__ import annotations

from difflib import unified_diff

from graphagent.cli.terminal import Terminal, harmless, painted

COLORS = {"+": "green", "-": "red", "@": "cyan"}


def show_diff(terminal: Terminal, name: str, before: str, after: str) -> None:
    """Write what changes from one text to the other; nothing if they differ in line ends only."""
    old, new = before.replace("\r\n", "\n"), after.replace("\r\n", "\n")
    lines = unified_diff(_lines(old), _lines(new), name, name, "before", "after")
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ no line break at the end of the file\n" for line in lines
    )
    if not text:
        return
    paint_diff(terminal, text)


def paint_diff(terminal: Terminal, text: str) -> None:
    """Write a text whose lines say by their first character what they are."""
    if not terminal.colored(terminal.out):
        terminal.result(text)
        return
    painted_text = "\n".join(painted(harmless(line), *_styles(line)) for line in text.split("\n"))
    terminal.out.write(painted_text if text.endswith("\n") else painted_text + "\n")
    terminal.out.flush()


def _lines(text: str) -> list[str]:
    """With their ends; only `\\n` ends a line here."""
    return [line + "\n" for line in text.split("\n")[:-1]] + ([text.rsplit("\n", 1)[-1]] if text[-1:] != "\n" else [])


def _styles(line: str) -> list[str]:
    return [COLORS[line[0]]] if line[:1] in COLORS else []
