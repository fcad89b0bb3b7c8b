"""The tutorial, followed to the letter: its files are written, its commands run, their output is what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial" / "first-graph.md").read_text(encoding="utf-8")
STEP = re.compile(r"^`(?P<file>[\w.]+)`\n\n```\w+\n(?P<text>.*?)^```|^```console\n(?P<told>.*?)^```", re.M | re.S)
EXITS = {
    "answer": (0,),
    "replay": (0,),
    "history": (0,),
    "visualize": (0,),
    "validate": (0, 3),
    "run": (0, 4),
    "fork": (4,),
}


def shell(command: str, folder: Path) -> tuple[int, str]:
    """Exit code, and all that a command of the page prints."""
    (folder / "bin").mkdir(exist_ok=True)
    script = folder / "bin" / "graphagent"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m graphagent "$@"\n')
    script.chmod(0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
    env |= {"PATH": f"{script.parent}:{env['PATH']}", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=env, text=True, encoding="utf-8", check=False, timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_the_page_tells_what_happens(tmp_path: Path) -> None:
    commands = 0
    for step in STEP.finditer(PAGE):
        if step["file"]:
            (tmp_path / step["file"]).write_text(step["text"], encoding="utf-8")
            continue
        for part in step["told"].split("$ ")[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            code, said = shell(command, tmp_path)
            commands += 1
            assert code in EXITS[command.split()[1]], f"{command}: {code}\n{said}"
            at = 0
            shown = re.sub(r"\d+ ms", "0 ms", said)
            for line in expected:
                found = shown.find(line.rstrip(), at)
                assert found >= 0, f"{command} doesn't say {line!r}:\n{said}"
                at = found + len(line.rstrip())
    assert commands == 13
    assert (tmp_path / "headline.svg").read_text(encoding="utf-8").startswith("<svg")
