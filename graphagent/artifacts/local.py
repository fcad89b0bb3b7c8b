"""Artifacts in a folder: `<root>/<family>/aa/<sha256>`, each a whole file under the hash of its bytes.

A file is written under a name of its own, made durable, and then renamed to where it belongs. Whoever renames holds a
shared lock on `<root>/lock`, whoever removes an exclusive one: a removal can't hit what was just put.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import trio

from graphagent.artifacts import uploads
from graphagent.artifacts.content import PIECE, measure, pieces
from graphagent.artifacts.folders import FILE, folder, root_folder
from graphagent.errors import StoreCorrupt, StoreFull, StoreUnavailable
from graphagent.faults import fault
from graphagent.ids import SessionId
from graphagent.ports import Content, Stored

T = TypeVar("T")
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
LOCK: Final = "lock"


class LocalArtifacts:
    """A `ports.Artifacts` in a folder, which is made at the first upload."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = str(root.absolute())
        self._whole: dict[tuple[SessionId, bytes], tuple[int, int, int]] = {}
        """Files that were read whole and are what their names say: inode, time and size as they were then."""
        self._swept = False

    # ---- putting -----------------------------------------------------------------------------------------------

    async def put(self, family: SessionId, content: Content, limit: int) -> Stored:
        if not self._swept:
            self._swept = True
            await self.sweep()
        upload = await self._run(uploads.Upload, self._root, limit)
        kept = False
        try:
            async with aclosing(pieces(content)) as parts:
                async for piece in parts:
                    await self._run(upload.write, piece)
            with trio.CancelScope(shield=True):
                stored = await self._run(self._finish, upload, family)
            kept = True
        finally:
            with trio.CancelScope(shield=True), suppress(OSError):
                await trio.to_thread.run_sync(partial(upload.close, keep=kept))
        return stored

    async def measure(self, content: Content, limit: int) -> Stored:
        return await measure(content, limit)

    def _finish(self, upload: uploads.Upload, family: SessionId) -> Stored:
        fault("artifact.write")
        upload.flush()
        stored = upload.meter.stored()
        name = stored.hash.hex()
        with self._family(family, fcntl.LOCK_SH, create=True) as own:
            os.utime(upload.name, dir_fd=upload.folder, follow_symlinks=False)
            with folder(name[:2], own, create=True) as place:
                os.rename(upload.name, name, src_dir_fd=upload.folder, dst_dir_fd=place)
                os.fsync(place)
        fault("artifact.rename")
        return stored

    # ---- reading -----------------------------------------------------------------------------------------------

    async def read(self, family: SessionId, stored: Stored, offset: int, limit: int) -> bytes:
        return await self._run(self._read, family, stored, offset, limit)

    async def verify(self, family: SessionId, stored: Stored) -> None:
        self._whole.pop((family, stored.hash), None)
        await self._run(self._read, family, stored, 0, 0)

    def _read(self, family: SessionId, stored: Stored, offset: int, limit: int) -> bytes:
        key = family, stored.hash
        with self._file(family, stored) as descriptor:
            found = os.fstat(descriptor)
            seen = found.st_ino, found.st_mtime_ns, found.st_size
            if self._whole.get(key) != seen:
                if not stat.S_ISREG(found.st_mode) or found.st_size != stored.size:
                    raise self._corrupt(family, stored, "aren't what was put")
                if _hash_of(descriptor) != stored.hash:
                    raise self._corrupt(family, stored, "are damaged")
                self._whole[key] = seen
            return _read_at(descriptor, offset, min(limit, stored.size - offset))

    @contextmanager
    def _file(self, family: SessionId, stored: Stored) -> Iterator[int]:
        name = stored.hash.hex()
        try:
            with root_folder(self._root) as root, folder(family, root) as own, folder(name[:2], own) as place:
                descriptor = os.open(name, FILE, dir_fd=place)
        except FileNotFoundError as error:
            raise self._corrupt(family, stored, "are missing") from error
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            raise self._corrupt(family, stored, "stand behind a link") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _corrupt(self, family: SessionId, stored: Stored, what: str) -> StoreCorrupt:
        self._whole.pop((family, stored.hash), None)
        hint = "restore a backup of this folder; `graphagent export --no-artifacts` goes without it"
        return StoreCorrupt(f"{self.name}: the bytes {stored.hash.hex()} of family {family} {what}", hint=hint)

    # ---- keeping -----------------------------------------------------------------------------------------------

    async def families(self) -> list[SessionId]:
        return await self._run(self._families)

    def _families(self) -> list[SessionId]:
        found = []
        with suppress(FileNotFoundError), root_folder(self._root) as root:
            for name in os.listdir(root):
                with suppress(ValueError):
                    found.append(SessionId(name))
        return sorted(found)

    async def kept(self, family: SessionId) -> dict[bytes, int]:
        return await self._run(self._kept, family)

    def _kept(self, family: SessionId) -> dict[bytes, int]:
        found = {}
        with suppress(FileNotFoundError, NotADirectoryError), self._family(family, fcntl.LOCK_SH) as own:
            for short in os.listdir(own):
                with suppress(OSError), folder(short, own) as place:
                    for name in os.listdir(place):
                        if len(name) == 64 and name.startswith(short):
                            at = os.stat(name, dir_fd=place, follow_symlinks=False).st_mtime_ns // 1000
                            found[bytes.fromhex(name)] = at
        return found

    async def touch(self, family: SessionId, hashes: Sequence[bytes]) -> None:
        await self._run(self._touch, family, hashes)

    def _touch(self, family: SessionId, hashes: Sequence[bytes]) -> None:
        with suppress(FileNotFoundError), self._family(family, fcntl.LOCK_SH) as own:
            for name in (hash.hex() for hash in hashes):
                with suppress(FileNotFoundError), folder(name[:2], own) as place:
                    os.utime(name, dir_fd=place, follow_symlinks=False)

    async def remove(self, family: SessionId, hash: bytes, before_us: int) -> bool:
        return await self._run(self._remove, family, hash, before_us)

    def _remove(self, family: SessionId, hash: bytes, before_us: int) -> bool:
        name = hash.hex()
        try:
            with root_folder(self._root) as root, self._family(family, fcntl.LOCK_EX) as own:
                with folder(name[:2], own) as place:
                    if os.stat(name, dir_fd=place, follow_symlinks=False).st_mtime_ns // 1000 >= before_us:
                        return False
                    fault("artifact.remove")
                    os.unlink(name, dir_fd=place)
                with suppress(OSError):  # what isn't empty stays
                    os.rmdir(name[:2], dir_fd=own)
                    os.rmdir(family, dir_fd=root)
        except FileNotFoundError:
            pass
        self._whole.pop((family, hash), None)
        return True

    async def sweep(self) -> int:
        return await self._run(uploads.sweep, self._root)

    @contextmanager
    def _family(self, family: SessionId, lock: int, *, create: bool = False) -> Iterator[int]:
        """The family's folder, held with a lock until the end of the block."""
        with root_folder(self._root) as root, _locked(root, lock), folder(family, root, create=create) as own:
            yield own

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        """Do what blocks in a thread."""
        try:
            return await trio.to_thread.run_sync(work, *args)
        except OSError as error:
            if error.errno in NO_SPACE:
                hint = "make room; nothing is left of what was being put"
                raise StoreFull(f"{self.name}: {error.strerror}", hint=hint) from error
            hint = "look at the folder and its permissions; the setting `artifacts` names another one"
            raise StoreUnavailable(f"{self.name}: {error.strerror or error}", hint=hint) from error


@contextmanager
def _locked(root: int, lock: int) -> Iterator[None]:
    """Hold the lock of a root; a file and not the folder, since network file systems lock only what can be written."""
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
    try:
        fcntl.flock(descriptor, lock)
        yield
    finally:
        os.close(descriptor)


def _hash_of(descriptor: int) -> bytes:
    found, at = hashlib.sha256(), 0
    while piece := os.pread(descriptor, PIECE, at):
        found.update(piece)
        at += len(piece)
    return found.digest()


def _read_at(descriptor: int, offset: int, limit: int) -> bytes:
    parts, left = [], limit
    while left > 0 and (piece := os.pread(descriptor, min(left, PIECE), offset)):
        parts.append(piece)
        offset, left = offset + len(piece), left - len(piece)
    return b"".join(parts)
