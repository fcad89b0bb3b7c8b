"""A disk that loses power: a VFS of apsw that knows which writes were synced, and what may be left of the others."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512
_numbers = itertools.count()


@dataclass
class _Content:
    """One file. `synced` is None while its name isn't on the disk; `ghost` is what a deletion may leave behind."""

    synced: bytes | None
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Since the last sync: (offset, data) of writes, (size, None) of truncations."""
    ghost: bytes | None = None

    def sync(self) -> None:
        self.synced = self.left(random.Random(0), ["keep"])
        self.unsynced = []

    def left(self, chance: random.Random, fates: list[str]) -> bytes | None:
        """The content after a power cut, each unsynced change having one of these fates."""
        if self.synced is None and not self.unsynced:
            return self.ghost if "keep" not in fates or chance.random() < 0.5 else None
        data = bytearray(self.synced or b"")
        for at, written in self.unsynced:
            fate = chance.choice(fates)
            if fate == "forget":
                continue
            if written is None:
                del data[at:]
                _grow(data, at)
                continue
            for low, piece in [(at, written)] if fate == "keep" else _sectors(at, written):
                if fate == "keep" or chance.random() < 0.5:
                    _grow(data, low)
                    data[low : low + len(piece)] = piece
        return bytes(data)


def _grow(data: bytearray, size: int) -> None:
    """Fill a gap at the end with zeros, as a file system does."""
    data.extend(bytes(max(size - len(data), 0)))


def _sectors(at: int, data: bytes) -> list[tuple[int, bytes]]:
    """The pieces of a write by sector of the disk."""
    end, cuts = at + len(data), [at]
    cuts += range(at - at % SECTOR + SECTOR, end, SECTOR)
    return [(low, data[low - at : high - at]) for low, high in itertools.pairwise([*cuts, end])]


class PowerDisk(apsw.VFS):
    """Calls `before` with the number of each change and each sync of a file, just before that happens."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        self.name = f"power-{next(_numbers)}"
        super().__init__(self.name, "", iVersion=2)
        self.before = before
        self.changes = 0
        self.files: dict[str, _Content] = {}

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            return super().xOpen(name, flags)
        there = Path(path)
        if path not in self.files or (self.files[path].synced is None and not there.exists()):
            self.files[path] = _Content(there.read_bytes() if there.exists() else None)
        return _File(self, self.files[path], name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.step()
        super().xDelete(filename, syncdir)
        known = self.files.get(filename)
        if known is not None:
            known.ghost = None if syncdir else known.left(random.Random(0), ["keep"])
            known.synced, known.unsynced = None, []

    def sync_names(self) -> None:
        """The folder is synced: no deletion is undone any more."""
        for content in self.files.values():
            content.ghost = None

    def step(self) -> None:
        """Something is about to change."""
        self.before(self.changes)
        self.changes += 1

    def left(self, seed: int) -> dict[str, bytes]:
        """The files that are there if the power goes now, by name."""
        chance = random.Random(seed)
        fates = chance.choice([["forget"], ["keep"], ["keep", "forget"], ["keep", "forget", "tear"], ["tear"]])
        found = {Path(path).name: content.left(chance, fates) for path, content in sorted(self.files.items())}
        return {name: data for name, data in found.items() if data is not None}


class _File(apsw.VFSFile):
    def __init__(
        self, disk: PowerDisk, content: _Content, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("", name, flags)
        self._disk, self._content = disk, content

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.step()
        super().xWrite(data, offset)
        self._content.unsynced.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._disk.step()
        super().xTruncate(newsize)
        self._content.unsynced.append((newsize, None))

    def xSync(self, flags: int) -> None:
        self._disk.step()
        if self._content.synced is None:  # SQLite syncs the folder along with a new log
            self._disk.sync_names()
        self._content.sync()  # the real disk keeps its power
