"""Which workers of this host are alive: each holds an OS lock on `<store>.worker-<id>` while its process lives, and
the one server of the file on `<store>.server`.

The system releases the lock when the process dies, however it dies, so whoever can take it knows that its
worker is gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from graphagent.errors import Conflict, SessionBusy
from graphagent.ids import WorkerId

_TRIES = 50


class WorkerLocks:
    """The locks that one store object holds, and its view of others'."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[WorkerId, int] = {}
        self._server: int | None = None

    def path(self, worker: WorkerId) -> Path:
        return self._database.with_name(f"{self._database.name}.worker-{worker}")

    def hold(self, worker: WorkerId) -> None:
        """Be alive as `worker` until `release`, or until this process dies. Raises SessionBusy if another is."""
        if worker not in self._held:
            found = _take(self.path(worker))
            if found is None:
                hint = "give each store object a worker of its own"
                raise SessionBusy(f"worker {worker} is alive elsewhere", hint=hint)
            self._held[worker] = found

    def serve(self) -> None:
        """Be the one server of the file. Raises Conflict if there is another."""
        path = self._database.with_name(f"{self._database.name}.server")
        if self._server is None:
            self._server = _take(path)
            if self._server is None:
                pid = _living(path) or "unknown"
                hint = "one process serves a file of SQLite: stop that one, or keep sessions in Postgres"
                raise Conflict(f"{self._database} is served by process {pid}", hint=hint)

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
        if self._server is not None:
            self._database.with_name(f"{self._database.name}.server").unlink(missing_ok=True)
            os.close(self._server)
            self._server = None


def _take(path: Path) -> int | None:
    """A locked descriptor of the file, which holds this process's id; None if another process has it."""
    for _ in range(_TRIES):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        taken = False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever swept the file between open and lock has left us a lock on a file without a name.
            if _same_file(fd, path):
                os.ftruncate(fd, 0)
                os.write(fd, b"%d\n" % os.getpid())
                taken = True
                return fd
        except BlockingIOError:
            time.sleep(0.001)  # a sweeper holds it for a moment
        finally:
            if not taken:
                os.close(fd)
    return None


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
