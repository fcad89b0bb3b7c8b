"""Which workers of this host are alive: each holds an OS lock on `<store>.worker-<id>` while its process lives.

The system releases the lock when the process dies, however it dies, so whoever can take it knows that its
worker is gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from graphagent.errors import SessionBusy
from graphagent.ids import WorkerId

_TRIES = 50


class WorkerLocks:
    """The locks that one store object holds, and its view of others'."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[WorkerId, int] = {}

    def path(self, worker: WorkerId) -> Path:
        return self._database.with_name(f"{self._database.name}.worker-{worker}")

    def hold(self, worker: WorkerId) -> None:
        """Be alive as `worker` until `release`, or until this process dies. Raises SessionBusy if another is."""
        if worker in self._held:
            return
        path = self.path(worker)
        for _ in range(_TRIES):
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever swept the file between open and lock has left us a lock on a file without a name.
                if _same_file(fd, path):
                    os.ftruncate(fd, 0)
                    os.write(fd, b"%d\n" % os.getpid())
                    self._held[worker] = fd
                    return
            except BlockingIOError:
                time.sleep(0.001)  # a sweeper holds it for a moment
            finally:
                if worker not in self._held:
                    os.close(fd)
        raise SessionBusy(f"worker {worker} is alive elsewhere", hint="give each store object a worker of its own")

    def living(self, worker: WorkerId) -> str | None:
        """The process id of a living worker; None if it is dead, and then its file is gone too."""
        return str(os.getpid()) if worker in self._held else _living(self.path(worker))

    def sweep(self) -> None:
        """Remove the files of dead workers."""
        prefix = f"{self._database.name}.worker-"
        with os.scandir(self._database.parent) as entries:
            found = [entry.name for entry in entries if entry.name.startswith(prefix)]
        for name in found:
            _living(self._database.with_name(name))

    def release(self) -> None:
        """Let go of all locks, and remove their files."""
        for worker, fd in self._held.items():
            if _same_file(fd, self.path(worker)):
                self.path(worker).unlink()
            os.close(fd)
        self._held.clear()


def _same_file(fd: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)


def _living(path: Path) -> str | None:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(fd, 32).decode(errors="replace").strip() or "unknown"
    else:
        if _same_file(fd, path):
            with suppress(FileNotFoundError):
                path.unlink()
        return None
    finally:
        os.close(fd)
