"""What goes to which stream, to pipes that close, and to a terminal with somebody at it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphagent.cli.main import main
from tests import warm
from tests.acceptance.test_cli import ASK, calls, environment, graph, one, pasted
from tests.unit.cli.screen import terminal

LOUD = 'kind: code, python: "nodes:loud", writes: { said: "${ out }" }'
SLOW = 'kind: code, python: "nodes:slow", with: { name: "${ inputs.name }" }, writes: { said: "${ out }" }'
MORE = """
def loud():
    print("noise")
    return "result"
"""


def add(folder: Path, text: str) -> None:
    """More functions beside the graph."""
    with (folder / "nodes.py").open("a") as file:
        file.write(text)


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in the project folder; `ga` is the program, and the first code of a pipe is the line's."""
    env = environment()
    env["PATH"] = f"{warm.started().commands}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=folder, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_what_a_node_prints_is_no_part_of_the_result(tmp_path: Path) -> None:
    one(tmp_path, LOUD)
    add(tmp_path, MORE)
    done = shell(tmp_path, "ga run g.graph.yaml -i name=x")
    assert (done.returncode, done.stdout) == (0, "result\n")
    assert "noise" in done.stderr
    assert "\x1b" not in done.stderr
    document = json.loads(shell(tmp_path, "ga run g.graph.yaml -i name=x --json -q").stdout)
    assert (document["schema"], document["outputs"]) == ("graphagent/run@1", {"said": "result"})


def test_inputs_from_a_pipe(tmp_path: Path) -> None:
    one(tmp_path, "kind: set")
    done = shell(tmp_path, """echo '{"name": "x"}' | ga run g.graph.yaml --input -""")
    assert (done.returncode, done.stdout) == (0, "start\n"), done.stderr


def test_every_line_of_jsonl_is_an_event_and_the_last_one_the_document(tmp_path: Path) -> None:
    one(tmp_path, "kind: set")
    *events, last = map(json.loads, shell(tmp_path, "ga run g.graph.yaml -i name=x --jsonl").stdout.splitlines())
    committed = [e for e in events if e["seq"] is not None]
    assert [e["seq"] for e in committed] == list(range(len(committed)))
    assert (committed[0]["kind"], committed[-1]["kind"]) == ("RunStarted", "RunCompleted")
    assert last["schema"] == "graphagent/run@1"


def test_a_reader_that_goes_away_pauses_the_run(tmp_path: Path) -> None:
    one(tmp_path, SLOW)
    done = shell(tmp_path, "ga run g.graph.yaml -i name=x --jsonl | head -1")
    assert done.returncode == 141, done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert shell(tmp_path, "ga resume @last -q").stdout == "x\n"


def test_a_result_that_nobody_reads(tmp_path: Path) -> None:
    done = shell(tmp_path, "ga explain | true")
    assert (done.returncode, done.stderr) == (141, "")


def test_a_second_ctrl_c_stops_now(tmp_path: Path) -> None:
    one(tmp_path, SLOW.replace("nodes:slow", "nodes:forever"))
    add(
        tmp_path,
        "\nasync def forever(name):\n    import asyncio\n    Path(__file__).with_name('started.txt').touch()\n"
        "    await asyncio.sleep(0 if Path(__file__).with_name('go.txt').exists() else 600)\n    return name\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "graphagent", "run", "g.graph.yaml", "-i", "name=bees"], cwd=tmp_path,
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(tmp_path / "started.txt")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    (tmp_path / "go.txt").touch()
    assert shell(tmp_path, f"ga {' '.join(pasted(tmp_path, told, 'resume'))} -q").stdout == "bees\n"


def wait_for(file: Path) -> None:
    for _ in range(400):
        if file.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} never came")


class Screen:
    """A command on a pseudo-terminal."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        kept = {k: v for k, v in environment().items() if k not in ("NO_COLOR", "CI")}
        settings = {**kept, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **variables}
        self.seen = ""
        master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "graphagent", *words], cwd=folder, env=settings, stdin=slave, stdout=slave,
            stderr=slave, close_fds=True,
        )  # fmt: skip
        os.close(slave)
        self.master = master

    def until(self, text: str) -> str:
        """Read until this is seen; what was seen so far."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not self._read():
                break
        assert text in self.seen, self.seen
        return self.seen

    def type(self, line: str) -> None:
        os.write(self.master, line.encode() + b"\n")

    def close(self) -> tuple[int, str]:
        """The exit code, and all that was seen."""
        while self._read():
            pass
        os.close(self.master)
        return self.process.wait(timeout=30), self.seen

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 60)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


def test_a_person_at_the_terminal_is_asked_in_place(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    screen = Screen(tmp_path, "run", "g.graph.yaml", "-i", "name=bees")
    screen.until("approve / reject / later?")
    screen.type("maybe")
    screen.until("type approve, reject or later")
    screen.type("approve")
    code, seen = screen.close()
    assert code == 0, seen
    assert "Hello, bees" in seen
    assert "├─ \x1b" in seen or "├─" in seen
    assert calls(tmp_path) == 1


@pytest.mark.parametrize("variable", ["NO_COLOR", "CI"])
def test_a_terminal_without_cursor_movement(tmp_path: Path, variable: str) -> None:
    one(tmp_path, "kind: set")
    screen = Screen(tmp_path, "--ascii", "run", "g.graph.yaml", "-i", "name=bees", **{variable: "1"})
    code, seen = screen.close()
    assert code == 0
    assert seen.isascii()
    assert "\x1b" not in seen
    assert re.search(r"superstep 2 \+ second \d\.\ds", seen)


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from graphagent.cli.main import main\n"
        "main(['--help']); main(['run', '--help'])\n"
        "heavy = {'rich', 'trio', 'asyncio', 'pydantic', 'httpx', 'yaml', 'jinja2', 'apsw', 'networkx'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
    assert "visualize" in done.stdout


def test_a_watched_list_is_drawn_anew_until_ctrl_c(tmp_path: Path) -> None:
    """On a terminal over the picture before; in a pipe as a document a line, each time something has changed."""
    graph(tmp_path, ASK)
    run = ["run", str(tmp_path / "g.graph.yaml"), "-i", "name=bee"]
    screen = Screen(tmp_path, "sessions", "--watch")
    screen.until("there is no session yet")
    piped = subprocess.Popen(
        [sys.executable, "-m", "graphagent", "sessions", "--watch", "--json"], cwd=tmp_path, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert main([*run, "--name", "first"], terminal(project=str(tmp_path))) == 4
    assert "\x1b[J" not in screen.until("first")
    assert piped.stdout is not None
    while [row["name"] for row in json.loads(piped.stdout.readline())["sessions"]] != ["first"]:
        pass
    assert main([*run, "--name", "second"], terminal(project=str(tmp_path))) == 4
    assert "\x1b[J" in screen.until("second")
    while len(json.loads(piped.stdout.readline())["sessions"]) < 2:
        pass
    for process in (screen.process, piped):
        process.send_signal(signal.SIGINT)
    code, seen = screen.close()
    assert (code, piped.wait(timeout=60)) == (130, 130)
    assert "Traceback" not in seen
    assert "\N{REPLACEMENT CHARACTER}" not in seen
    piped.stdout.close()
