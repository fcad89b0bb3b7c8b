"""A disk whose syncs can be counted and made to fail: a VFS of apsw over the real one."""

from __future__ import annotations

import itertools

import apsw

_numbers = itertools.count()


class Disk(apsw.VFS):
    """`syncs` counts fsyncs of the write-ahead log, `folds` those of the main file, one for each time that the log is
    folded in. The next `failing` syncs of the log fail; `full` refuses all writes to it."""

    def __init__(self) -> None:
        self.name = f"disk-{next(_numbers)}"
        super().__init__(self.name, "", iVersion=2)
        self.syncs = 0
        self.folds = 0
        self.failing = 0
        self.full = False

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        self._is_main = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)

    def xSync(self, flags: int) -> None:
        if self._is_log:
            self._disk.syncs += 1
            if self._disk.failing:
                self._disk.failing -= 1
                raise _io_error()
        self._disk.folds += self._is_main
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._is_log and self._disk.full:
            raise apsw.FullError("no space")
        super().xWrite(data, offset)


def _io_error() -> apsw.IOError:
    error = apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
    assert isinstance(error, apsw.IOError)
    return error
