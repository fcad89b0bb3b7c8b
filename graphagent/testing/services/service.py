"""What every server needs that a test starts: a private folder, swept when its process is gone, a port, a start that is
waited for, and an end that comes with its parent's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from graphagent.errors import GraphAgentError

_OWNER = "owner"


class Service(ABC):
    """A server on 127.0.0.1 while its block runs, in a private folder that goes with it.

    It needs `name`, which begins the folder's, and `ready_within_s`.
    """

    name: str
    ready_within_s: float

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = stack.enter_context(service_folder(self.name))
            stack.callback(self.stop)
            self.prepare()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.folder / "log"

    @abstractmethod
    def prepare(self) -> None:
        """Start it for the first time, in `folder`."""

    @abstractmethod
    def stop(self) -> None:
        """End it at once; nothing if it doesn't run."""

    def await_ready(self, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
        """Return when `ready` says so. Raises GraphAgentError with the end of the log if the process ends before."""
        deadline = time.monotonic() + self.ready_within_s
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise GraphAgentError(f"{self.name} doesn't start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.01)


@contextmanager
def service_folder(name: str) -> Iterator[Path]:
    """A fresh temporary folder, removed afterwards. Folders that a killed process has left are removed first."""
    prefix = f"graphagent-{name}-"
    sweep(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        (folder / _OWNER).write_text(f"{os.getpid()} {_started(os.getpid())}")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(prefix: str) -> None:
    """Remove the folders of this name and user whose recorded process is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            ours = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid()
            pid, _, started = (folder / _OWNER).read_text().partition(" ") if ours else ("", "", "")
        except OSError:
            continue  # another process made it just now, or is removing it
        if pid.isdecimal() and _started(int(pid)) != started:
            shutil.rmtree(folder, ignore_errors=True)


def _started(pid: int) -> str:
    """What tells a process from a later one of the same number; empty if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self").exists():
            return ""
        return _alive(pid)
    return stat.rpartition(")")[2].split()[19]


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"


_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """For `preexec_fn`, after a change of user, which would clear it: this signal comes when the parent dies."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
