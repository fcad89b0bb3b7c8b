"""What every server needs that a test starts: a private folder, swept when its process is gone, a port, and an end that
comes with its parent's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWNER = "owner"


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
