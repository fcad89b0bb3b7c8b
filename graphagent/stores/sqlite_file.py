"""Opening a store's file: its settings, its schema, and what its errors mean."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path

import apsw

from graphagent.errors import GraphAgentError, SchemaTooNew, StoreCorrupt, StoreFull, StoreUnavailable
from graphagent.faults import fault
from graphagent.ports import StoreState
from graphagent.stores.queries import migrations
from graphagent.stores.rows import Damage

APPLICATION_ID = 0x67414753
"""Written into the file's header; what has another one isn't ours."""
MIN_READER = 1
BUSY_MS = 5000
_RESTORE = "restore a backup; a copy of the damaged file is worth keeping"


def connect(path: Path, *, vfs: str | None = None, synchronous: str = "full", reader: bool = False) -> apsw.Connection:
    """A connection with every setting that a session's safety depends on."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_MS)
        for pragma in ("foreign_keys=on", "trusted_schema=off", "cell_size_check=on"):
            connection.execute(f"pragma {pragma}")
        if reader:
            connection.execute("pragma query_only=on")
            return connection
        _is_empty(connection, path)  # a foreign database must not be changed, not even its mode
        mode = _use_log(connection)
        if mode != "wal":
            raise StoreUnavailable(f"{path}: its folder can't hold a write-ahead log (mode {mode!r})")
        connection.execute(f"pragma synchronous={synchronous}")
        if sys.platform == "darwin":
            connection.execute("pragma fullfsync=on")
            connection.execute("pragma checkpoint_fullfsync=on")
    except BaseException:
        connection.close(True)
        raise
    return connection


def _use_log(connection: apsw.Connection) -> str:
    """Switch to a write-ahead log. Returns the mode that the file is in then.

    SQLite doesn't wait for the lock that a new file's switch needs, since it holds another one already.
    """
    end = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            return str(next(connection.execute("pragma journal_mode=wal"))[0])
        except apsw.BusyError:
            if time.monotonic() > end:
                raise
            time.sleep(0.001)


def create_file(path: Path) -> None:
    """Create folder and file if they are missing, readable by nobody else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"{path}: {error.strerror}", hint="give the store a folder that this user may write, with --store"
        ) from error


def prepare(connection: apsw.Connection, path: Path, created_by: str) -> None:
    """Check that the file is a store of ours, and bring its schema to this release.

    Raises:
        StoreCorrupt: the file is damaged or belongs to another program.
        SchemaTooNew: a newer release has written it.
    """
    known = migrations("sqlite")
    if _is_current(connection, path, len(known)):
        return
    # Another process may be doing the same: exclusive, and looked at again inside.
    connection.execute("begin exclusive")
    try:
        if not _is_current(connection, path, len(known)):
            _migrate(connection, created_by)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def inspect(path: Path) -> StoreState:
    """The state of a file, which isn't changed. Integrity is checked page by page, but for indexes.

    Raises:
        StoreUnavailable: it can't be read.
        StoreCorrupt: it is so damaged that its versions can't be read, or it belongs to another program.
        SchemaTooNew: a newer release has written it.
    """
    try:
        connection = connect(path, reader=True)
        try:
            _is_current(connection, path, len(migrations("sqlite")))
            return _state(connection, path)
        finally:
            connection.close(True)
    except apsw.Error as error:
        raise explained(error, path) from error


def _state(connection: apsw.Connection, path: Path) -> StoreState:
    known = migrations("sqlite")
    if _pragma(connection, "schema_version") == 0:
        pending = tuple(f"{m.version:04} {m.name}" for m in known)
        return StoreState(str(path), 0, len(known), MIN_READER, "", "", pending)
    meta = dict(connection.execute("select key, value from meta"))
    applied = {version for (version,) in connection.execute("select version from migrations")}
    found = [str(line) for (line,) in connection.execute("pragma quick_check(20)")]
    return StoreState(
        str(path), max(applied, default=0), len(known), int(meta["min_reader"]), meta.get("store_id", ""),
        meta.get("created_by", ""), tuple(f"{m.version:04} {m.name}" for m in known if m.version not in applied),
        () if found == ["ok"] else tuple(found),
    )  # fmt: skip


def _pragma(connection: apsw.Connection, name: str) -> int:
    return int(next(connection.execute(f"pragma {name}"))[0])


def _is_empty(connection: apsw.Connection, path: Path) -> bool:
    """Whether nothing is in it yet. Raises StoreCorrupt if what is there isn't ours."""
    if _pragma(connection, "schema_version") == 0:
        return True
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreCorrupt(f"{path} is a database of another program", hint="give the store another path, with --store")
    return False


def _is_current(connection: apsw.Connection, path: Path, newest: int) -> bool:
    """Whether the schema is this release's. Raises what `prepare` does."""
    if _is_empty(connection, path):
        return False
    meta = dict(connection.execute("select key, value from meta"))
    if not meta.get("min_reader", "").isdecimal():
        raise StoreCorrupt(f"{path} is damaged: it doesn't say who can read it", hint=_RESTORE)
    if int(meta["min_reader"]) > newest:
        raise SchemaTooNew(
            f"{path} was written by a newer release (schema {meta.get('schema_version')}, this one knows {newest})",
            hint="upgrade graphagent, or use another store",
        )
    applied: dict[int, bytes] = dict(connection.execute("select version, checksum from migrations"))
    for migration in migrations("sqlite"):
        if migration.version in applied and applied[migration.version] != migration.checksum:
            raise StoreCorrupt(
                f"{path}: migration {migration.version} isn't the one of this release",
                hint="the file was written by a changed copy of graphagent; use that one, or another store",
            )
    return all(m.version in applied for m in migrations("sqlite"))


def _migrate(connection: apsw.Connection, created_by: str) -> None:
    fresh = _pragma(connection, "schema_version") == 0
    done: set[int] = set() if fresh else {v for (v,) in connection.execute("select version from migrations")}
    for migration in migrations("sqlite"):
        if migration.version not in done:
            fault("migrate.before")
            connection.execute(migration.text)
            row = (migration.version, migration.name, migration.checksum, time.time_ns() // 1000)
            connection.execute("insert into migrations values (?, ?, ?, ?)", row)
            fault("migrate.after")
    meta = {"schema_version": str(len(migrations("sqlite"))), "min_reader": str(MIN_READER)}
    if fresh:
        connection.execute(f"pragma application_id={APPLICATION_ID}")
        meta |= {"store_id": secrets.token_hex(16), "created_by": created_by}
    connection.executemany("insert or replace into meta values (?, ?)", list(meta.items()))


def explained(error: Exception, path: Path) -> Exception:
    """What a reader of the error must know, for what SQLite, a row or a lock file raised."""
    if isinstance(error, Damage):
        return StoreCorrupt(f"{path}: {error}", checkpoint=error.checkpoint, hint=error.hint or _RESTORE)
    if isinstance(error, GraphAgentError) or not isinstance(error, (apsw.Error, OSError, UnicodeDecodeError)):
        return error
    # A statement that doesn't fit the schema, or text that isn't text: the schema or a row was changed under us.
    if isinstance(error, (apsw.CorruptError, apsw.SQLError, apsw.FormatError, UnicodeDecodeError)):
        return StoreCorrupt(f"{path} is damaged: {error}", hint=_RESTORE)
    if isinstance(error, apsw.NotADBError):
        return StoreCorrupt(f"{path} is not a database: {error}", hint="give the store another path, or " + _RESTORE)
    if isinstance(error, apsw.FullError):
        return StoreFull(f"{path}: the disk is full", hint="free some space; nothing is lost")
    if isinstance(error, apsw.BusyError):
        return StoreUnavailable(f"{path} is locked by another process", hint="try again when it has finished")
    if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, OSError)):
        hint = "this user must be able to write the file and its folder"
        return StoreUnavailable(f"{path} can't be opened or written: {error}", hint=hint)
    if isinstance(error, apsw.IOError):
        return StoreUnavailable(f"{path}: the disk failed: {error}", hint="look at the system's log")
    return StoreUnavailable(f"{path}: {error}")
