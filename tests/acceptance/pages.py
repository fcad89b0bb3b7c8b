"""Runs a page of the docs: writes the files that it shows and compares what its commands print.

A block of YAML, TOML or Python whose first line is `# NAME.ext` is a file. In a `console` block a line after `$ ` is a
command, what follows is what it prints, and `...` stands for any lines. Ids, times and digests may differ. A command
has to end with exit code 0 unless its line ends with `# exit code N`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import warm

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.\w+)( .*)?\n")
_EXIT = re.compile(r"# exit code (\d+)")
_MASKS = [
    (re.compile(r"\b(ses|run|ckp|itr|stp|art)_\w+"), r"\1_*"),
    (re.compile(r"sha256:[0-9a-f]+(\.\.\.|…)?"), "sha256:*"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?( UTC|Z)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s)\b"), "N s"),
    (re.compile(r"\b\d+ (tokens|tok)\b"), r"N \1"),
    (re.compile(r" +"), " "),
]


@dataclass(frozen=True)
class Step:
    """A file that the page shows, or a command with what it prints and its exit code."""

    command: str = ""
    prints: tuple[str, ...] = ()
    exit_code: int = 0
    file: str = ""
    text: str = ""


def steps(page: Path) -> Iterator[Step]:
    """What a reader does, in the order of the page."""
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        named = _FILE.match(text)
        if language == "console":
            yield from _commands(text)
        elif named:
            yield Step(file=named[1], text=text)


def _commands(text: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *prints = part.rstrip("\n").split("\n")
        found = _EXIT.search(command)
        yield Step(command, tuple(prints), int(found[1]) if found else 0)


def follow(page: Path, folder: Path, extra: Mapping[str, str], edit: Callable[[str], str] = str) -> int:
    """Do all that the page says in a folder. Returns how many commands ran; asserts that each printed what it should.

    Args:
        extra: Variables of the environment; `PYTHONPATH` comes before this checkout.
        edit: Makes what is done of a command or file as the page has it.
    """
    path = os.pathsep.join(filter(None, [extra.get("PYTHONPATH", ""), str(ROOT)]))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GRAPHAGENT", "PYTEST"))}
    env |= {
        "PATH": os.pathsep.join([str(warm.started().commands), str(Path(sys.executable).parent), env["PATH"]]),
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }
    env |= {**extra, "PYTHONPATH": path}
    here, count = folder, 0
    for step in steps(page):
        if step.file:
            (here / step.file).parent.mkdir(parents=True, exist_ok=True)
            (here / step.file).write_text(edit(step.text), encoding="utf-8")
            continue
        where = folder / ".where"
        script = f"{edit(step.command)}\ncode=$?; pwd > {where}; exit $code"
        done = subprocess.run(
            ["bash", "-c", script], cwd=here, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=120,
        )  # fmt: skip
        here = Path(where.read_text().strip())
        assert done.returncode == step.exit_code, f"$ {step.command}\n{done.stdout}"
        assert fits(step.prints, done.stdout.splitlines()), f"$ {step.command}\n{done.stdout}"
        count += 1
    return count


def fits(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Whether these lines are what was printed. A command without shown lines may print anything."""
    if not shown:
        return True
    lines = [masked(line) for line in printed if line.strip()]
    runs: list[list[str]] = [[]]
    for line in shown:
        if line.strip() == "...":
            runs.append([])
        elif line.strip():
            runs[-1].append(masked(line))
    at = 0
    for i, run in enumerate(runs):
        last = i == len(runs) - 1
        starts = [0] if i == 0 else range(at, len(lines) - len(run) + 1)
        if last and i > 0:
            starts = [len(lines) - len(run)] if len(lines) - len(run) >= at else []
        found = next((s for s in starts if lines[s : s + len(run)] == run), None)
        if found is None or (last and found + len(run) != len(lines)):
            return False
        at = found + len(run)
    return True


def masked(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, instead in _MASKS:
        line = pattern.sub(instead, line)
    return line.strip()
