"""The command line in processes of their own that don't import everything anew.

`python -m tests.warm FD` imports the command line and waits at a socket for orders `{words, folder, env}`, which come
with a standard output and a standard error. For each it forks a process which becomes `python -m graphagent
WORDS` there, and answers with its exit code. One that is killed is really killed; only importing is saved.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
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


class Warm:
    """One warm process, and the socket to it. It ends when this one does."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
            env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip

    def call(self, words: Sequence[str], folder: Path, env: Mapping[str, str], out: int, err: int) -> int:
        """The exit code of a command, negative for a signal; it writes to these two descriptors."""
        order = json.dumps({"words": words, "folder": str(folder), "env": dict(env)}).encode()
        socket.send_fds(self._socket, [order], [out, err])
        code = self._socket.recv(64)
        assert code, "the warm process has died"
        return int(code)

    def close(self) -> None:
        self._socket.close()
        self._process.wait(LONGEST_S)


_idle: list[Warm] = []


def graphagent(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m graphagent WORDS` in that folder, as a process of its own that has no input."""
    if _like_ours(env):
        warm = _idle.pop() if _idle else Warm()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = warm.call(words, folder, env, out.fileno(), err.fileno())
            _idle.append(warm)
            found = [_text(out), _text(err)]
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(list(words), LONGEST_S, *found)
        return subprocess.CompletedProcess(list(words), code, *found)
    return subprocess.run(
        [sys.executable, "-m", "graphagent", *words], cwd=folder, env=dict(env), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=LONGEST_S,
    )  # fmt: skip


def close() -> None:
    """End the warm processes of this one."""
    while _idle:
        _idle.pop().close()


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _like_ours(env: Mapping[str, str]) -> bool:
    """Whether an interpreter that was started with our environment is like one that starts with this one."""

    def read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
        names = [k for k in variables if k.startswith(("PYTHON", "LANG", "LC_")) and k not in _LIVE]
        return {name: variables[name] for name in names}

    return read_at_start(env) == read_at_start(os.environ)


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


def _serve(server: socket.socket) -> None:
    """Fork for each order; returns in each forked process, which is then what was asked for."""
    _import_all()
    gc.collect()
    gc.freeze()
    while True:
        order, descriptors, _, _ = socket.recv_fds(server, 1 << 20, 2)
        if not order:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            server.close()
            _become(json.loads(order), descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        server.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Be as if just started: `sys` and `os` say what `python -m graphagent` would find."""
    from graphagent import faults

    signal.alarm(LONGEST_S)
    for target, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, target)
        os.close(descriptor)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    error = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(error, errors="backslashreplace", line_buffering=True)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    path = os.environ.get("PYTHONPATH")
    own = [entry for entry in sys.path[1:] if Path(entry) != ROOT]
    sys.path[:] = [os.getcwd(), *(path.split(os.pathsep) if path else []), *own, str(ROOT)]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = [str(ROOT / "graphagent" / "__main__.py"), *order["words"]]
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
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    _run()
