"""Temporary files of uploads. Each is locked by its process, so one that nobody locks belongs to a dead one."""

from __future__ import annotations

import fcntl
import os
from typing import Final

from graphagent.artifacts.content import Meter
from graphagent.artifacts.folders import NEW, WRITTEN, folder, make_root, root_folder

FOLDER_NAME: Final = "uploads"


class Upload:
    """One temporary file that is being written. Its methods block."""

    def __init__(self, root: str, limit: int) -> None:
        self.meter = Meter(limit)
        make_root(root)
        self.name, self._descriptor = "", -1
        with root_folder(root) as top, folder(FOLDER_NAME, top, create=True) as uploads:
            while self._descriptor < 0:
                self._begin(uploads)
            self.folder = os.dup(uploads)

    def _begin(self, uploads: int) -> None:
        name = os.urandom(16).hex()
        descriptor = os.open(name, NEW, 0o600, dir_fd=uploads)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink == 0:  # it was swept before it was locked
            os.close(descriptor)
            return
        self.name, self._descriptor = name, descriptor

    def write(self, piece: bytes) -> None:
        """Add a piece. Raises OutputTooLarge, OSError."""
        self.meter.add(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def flush(self) -> None:
        """Return when all of it is on the disk."""
        os.fsync(self._descriptor)

    def close(self, *, keep: bool) -> None:
        """Let go of it. It is removed unless it was moved to where it belongs."""
        if not keep:
            os.unlink(self.name, dir_fd=self.folder)
        os.close(self._descriptor)
        os.close(self.folder)


def sweep(root: str) -> int:
    """Remove what dead processes left; how many files there were."""
    removed = 0
    try:
        with root_folder(root) as top, folder(FOLDER_NAME, top) as uploads:
            for name in os.listdir(uploads):
                removed += _sweep_one(name, uploads)
    except FileNotFoundError:
        pass
    return removed


def _sweep_one(name: str, uploads: int) -> bool:
    try:
        descriptor = os.open(name, WRITTEN, dir_fd=uploads)
    except OSError:  # gone, or a link: nothing of ours
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=uploads)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
