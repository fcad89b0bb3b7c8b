"""The private folder of a server that a test starts, and the sweeping of those whose process is gone."""

from __future__ import annotations

import os
import shutil
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
