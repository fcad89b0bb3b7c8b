"""The command line in processes of their own that don't import everything anew.

`python -m tests.warm FD` imports the command line and listens at a door for orders `{words, folder, env, program}`,
which come with three standard streams. For each it forks a process which becomes `python -m graphagent WORDS` there,
and answers with its id and then its exit code. One that is killed is really killed; only importing is saved.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).parents[1]
LONGEST_S: Final = 120
_LATER: Final = ("asyncio", "asyncpg", "jinja2.sandbox", "sqlite3", "yaml")
"""What a command imports when it gets there, beside the package's own modules."""
_ELSEWHERE: Final = ("graphagent.cluster", "graphagent.server", "graphagent.telemetry", "graphagent.testing")
_LIVE: Final = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
"""Variables of the interpreter that may differ: any other one is read only when it starts."""
_FRESH: Final = {"PYTHONDONTWRITEBYTECODE": "1"}
"""Compiled modules tell seconds apart, no more, and a test changes its functions within one."""
_SCRIPT: Final = '''#!{python} -IS
"""Give the command to the warm process at the door, with our streams and signals, and end as it does."""
import json, os, signal, socket, sys

env = dict(os.environ)
program = sys.argv[0] if os.path.basename(sys.argv[0]) == "graphagent" else None
order = {{"words": sys.argv[1:], "folder": os.getcwd(), "env": {{**env, **{fresh}}}, "program": program}}
started = {{k: v for k, v in env.items() if k.startswith(("PYTHON", "LANG", "LC_")) and k not in {live}}}
try:
    if started != {started}:
        raise OSError
    door = socket.socket(socket.AF_UNIX)
    door.connect({door!r})
    socket.send_fds(door, [b"!"], [0, 1, 2])
except OSError:
    os.execv(sys.executable, [sys.executable, "-m", "graphagent", *sys.argv[1:]])
door.sendall(json.dumps(order).encode() + b"\\n")
answers = door.makefile()
pid = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
code = int(answers.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
'''


class Warm:
    """One warm process, which ends when this one does.

    Attributes:
        commands: A folder with commands for shells: `graphagent`, and `ga` for `python -m graphagent`.
    """

    def __init__(self) -> None:
        self._lifeline, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
            env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.commands = Path(self._lifeline.recv(1000).decode())
        assert self.commands.is_dir(), "the warm process has died"

    def call(self, words: Sequence[str], folder: Path, env: Mapping[str, str], streams: Sequence[int]) -> int:
        """The exit code of a command, negative for a signal."""
        order = {"words": words, "folder": str(folder), "env": {**env, **_FRESH}, "program": None}
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.commands / "door"))
            socket.send_fds(door, [b"!"], streams)
            door.sendall(json.dumps(order).encode() + b"\n")
            with door.makefile() as answers:
                answers.readline()
                return int(answers.readline())

    def close(self) -> None:
        self._lifeline.close()
        self._process.wait(LONGEST_S)


_started: list[Warm] = []


def started() -> Warm:
    """The warm process of this one."""
    if not _started:
        _started.append(Warm())
    return _started[0]


def close() -> None:
    """End it."""
    while _started:
        _started.pop().close()


def graphagent(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m graphagent WORDS` in that folder, as a process of its own that has no input."""
    if _read_at_start(env) == _read_at_start(os.environ):
        with open(os.devnull) as none, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = started().call(words, folder, env, [none.fileno(), out.fileno(), err.fileno()])
            found = [_text(out), _text(err)]
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(list(words), LONGEST_S, *found)
        return subprocess.CompletedProcess(list(words), code, *found)
    return subprocess.run(
        [sys.executable, "-m", "graphagent", *words], cwd=folder, env={**env, **_FRESH}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=LONGEST_S,
    )  # fmt: skip


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    """Variables that an interpreter looks at once: where they differ, a process can't become what was asked for."""
    return {k: v for k, v in env.items() if k.startswith(("PYTHON", "LANG", "LC_")) and k not in _LIVE}


# ---- the warm process ------------------------------------------------------------------------------------------------


def _import_all() -> None:
    import graphagent

    for found in pkgutil.walk_packages(graphagent.__path__, "graphagent.", onerror=lambda name: None):
        if not found.name.startswith(_ELSEWHERE) and not found.name.endswith("__main__"):
            _try(found.name)
    for name in _LATER:
        _try(name)


def _try(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:  # it belongs to an extra
        return


def _write_commands(folder: Path) -> None:
    text = _SCRIPT.format(
        python=sys.executable, live=_LIVE, fresh=_FRESH, started=_read_at_start(os.environ), door=str(folder / "door")
    )
    for name in ("graphagent", "ga"):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


class _Server:
    """Forks for each order, and tells those who gave them how it ended. A command whose giver is gone is killed."""

    def __init__(self, lifeline: socket.socket, folder: Path) -> None:
        self.folder, self.lifeline = folder, lifeline
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(str(folder / "door"))
        self.door.listen(100)
        self.woken, self.waker = socket.socketpair()
        self.waker.setblocking(False)
        self.running: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        for each in (lifeline, self.door, self.woken):
            self.selector.register(each, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker.fileno())

    def serve(self) -> None:
        """Returns in each forked process, which has become what was asked for."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.lifeline:
                    for pid in self.running:
                        os.kill(pid, signal.SIGKILL)
                    shutil.rmtree(self.folder)
                    os._exit(0)
                elif key.fileobj is self.door:
                    if self._take():
                        return
                elif key.fileobj is self.woken:
                    self._reap(self.woken.recv(1000))
                elif key.data in self.running:
                    os.kill(key.data, signal.SIGKILL)
                    self.selector.unregister(key.fileobj)

    def _take(self) -> bool:
        giver = self.door.accept()[0]
        _, streams, _, _ = socket.recv_fds(giver, 1, 3)
        with giver.makefile() as lines:
            order = json.loads(lines.readline())
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.selector.close()
            for each in (self.lifeline, self.door, self.woken, self.waker, giver, *self.running.values()):
                each.close()
            _become(order, streams)
            return True
        for stream in streams:
            os.close(stream)
        self.running[pid] = giver
        self.selector.register(giver, selectors.EVENT_READ, pid)
        giver.sendall(f"{pid}\n".encode())
        return False

    def _reap(self, _: bytes) -> None:
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self.running.pop(pid) as giver:
                if giver in {key.fileobj for key in self.selector.get_map().values()}:
                    self.selector.unregister(giver)
                    giver.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(order: dict[str, Any], streams: Sequence[int]) -> None:
    """Be as if just started: `sys` and `os` say what a new process would find."""
    from graphagent import faults

    signal.alarm(LONGEST_S)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    through = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    out, err = (io.BufferedWriter(io.FileIO(n, "w", closefd=False)) for n in (1, 2))
    sys.stdout = io.TextIOWrapper(out, write_through=through)
    sys.stderr = io.TextIOWrapper(err, errors="backslashreplace", line_buffering=True, write_through=through)
    program = order["program"]
    path = os.environ.get("PYTHONPATH")
    own = [entry for entry in sys.path[1:] if Path(entry) != ROOT]
    sys.path[:] = [
        str(Path(sys.executable).parent) if program else os.getcwd(),
        *(path.split(os.pathsep) if path else []), *own, str(ROOT),
    ]  # fmt: skip
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = [program or str(ROOT / "graphagent" / "__main__.py"), *order["words"]]
    faults.arm(os.environ.get("GRAPHAGENT_FAULT", ""))


def _run() -> None:
    """End as the interpreter does, but leave the memory as it is: to tear it down takes longer than most commands."""
    from graphagent.__main__ import main

    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    for name, end_of in (("_shutdown", threading), ("_run_exitfuncs", atexit)):
        getattr(end_of, name)()
    try:
        sys.stdout.flush()
    except OSError:
        code = 120
    os._exit(code)


if __name__ == "__main__":
    _import_all()
    gc.collect()
    gc.freeze()
    here = Path(tempfile.mkdtemp(prefix="graphagent-warm-"))
    _write_commands(here)
    line = socket.socket(fileno=int(sys.argv[1]))
    server = _Server(line, here)
    line.sendall(str(here).encode())
    server.serve()
    _run()
