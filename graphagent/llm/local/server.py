"""The one local model server of this process: a child process, started with the first call, shared by all.

Blocking, to be called in a worker thread. It belongs to the process and not to an event loop: it outlives runs, so
that a script which runs ten graphs loads the weights once, and ends with the process.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from graphagent.errors import ModelError

CONTEXT = 4096
SLOTS = 2
"""Each call in flight gets `CONTEXT // SLOTS` model tokens; further calls wait their turn."""
READY_S = 60.0

_CHILD = Path(__file__).with_name("child.py")
_KEPT_ENVIRONMENT = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH",
     "PYTHONHOME", "SYSTEMROOT", "VIRTUAL_ENV"}
)  # fmt: skip
"""The child gets nothing else: no key is its business."""


def threads() -> int:
    """2, or 1 where the cores are busy.

    llama.cpp's threads wait for each other by spinning: measured on two cores that others use, one thread made 20
    model tokens a second and two made 4; on free cores two are faster.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return 2 if cores - os.getloadavg()[0] >= 1.5 else 1


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `key` is made anew for each."""

    base_url: str
    key: str
    pid: int


class LocalServer:
    """Starts, restarts and stops the child process. Safe to use from many threads.

    Args:
        child: The file that runs in it.
        ready_s: How long it may take until it answers.
    """

    def __init__(self, child: Path = _CHILD, ready_s: float = READY_S) -> None:
        self._child = child
        self._ready_s = ready_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._running: Running | None = None
        self._weights: Path | None = None
        self._owner = os.getpid()

    def ensure(self, weights: Path) -> Running:
        """The running server; it is started if there is none, or if it has died. Takes about half a second then.

        Raises:
            ModelError: it doesn't start.
        """
        with self._lock:
            if self._owner != os.getpid():  # after a fork the process is our parent's
                self._process, self._running, self._owner = None, None, os.getpid()
            alive = self._process is not None and self._process.poll() is None
            if self._running is None or not alive or self._weights != weights:
                self._end()
                self._running, self._weights = self._start(weights), weights
            return self._running

    def settle(self, running: Running, seconds: float = 1.0) -> None:
        """After a broken connection: wait a little for the end of a dying process, so that the next call sees it."""
        process = self._process
        if process is not None and process.pid == running.pid and self._owner == os.getpid():
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)

    def stop(self) -> None:
        """End the child process, if there is one. A later `ensure` starts another."""
        with self._lock:
            if self._owner == os.getpid():
                self._end()

    def _start(self, weights: Path) -> Running:
        key = secrets.token_urlsafe(24)
        settings = {"model": str(weights), "key": key, "context": CONTEXT, "slots": SLOTS, "threads": threads()}
        with tempfile.TemporaryFile() as log:
            process = self._process = subprocess.Popen(
                [sys.executable, "-P", str(self._child)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={k: v for k, v in os.environ.items() if k in _KEPT_ENVIRONMENT},
                start_new_session=True,  # Ctrl-C is for us; the session decides when calls end
            )
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(settings).encode() + b"\n")
                process.stdin.flush()
                address = _ready(process.stdout, self._ready_s)
            except OSError as error:
                self._end()
                raise broken(f"{error}: {_tail(log)}") from error
            if address is None:
                self._end()
                raise broken(f"it ended (exit code {process.returncode}): {_tail(log)}")
        return Running(f"{address}/v1", key, process.pid)

    def _end(self) -> None:
        process, self._process, self._running = self._process, None, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what it never read
                    pipe.close()
        process.kill()  # it holds nothing that wants an orderly stop
        process.wait()


def _ready(out: IO[bytes], seconds: float) -> str | None:
    """The address of the ready line, or None at the end of the output. Raises TimeoutError."""
    data = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                continue
            piece = os.read(out.fileno(), 4096)
            if not piece:
                return None
            data += piece
            for line in data.split(b"\n")[:-1]:
                if line.startswith(b"READY http://127.0.0.1:"):
                    return line.removeprefix(b"READY ").decode().strip()
    raise TimeoutError(f"it wasn't ready within {seconds:g} s")


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read()[-4000:].decode("utf-8", "replace").split("\n")
    return " | ".join(line.strip() for line in lines if line.strip())[-300:] or "it said nothing"


def broken(what: str) -> ModelError:
    """The error of a server that doesn't start."""
    return ModelError(
        f"the server of the local model doesn't run: {what}",
        cause="connection",
        hint="`graphagent doctor` checks the local model",
    )


SERVER = LocalServer()
atexit.register(SERVER.stop)
