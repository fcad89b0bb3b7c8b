"""Opening a Postgres store: its schema, what may read it, and which database it is."""

from __future__ import annotations

import secrets

from graphagent.errors import SchemaTooNew, StoreCorrupt, StoreUnavailable
from graphagent.faults import fault
from graphagent.ports import StoreState
from graphagent.stores.postgres_driver import Connection
from graphagent.stores.queries import migrations

SCHEMA = "graphagent"
"""The tables have a schema of their own, beside whatever else is in the database."""
MIN_READER = 1
OLDEST_SERVER = 150000
_LOCK = int.from_bytes(b"graphagt", "big") >> 1
"""The advisory lock that one migrating process holds."""


async def prepare(connection: Connection, name: str, created_by: str) -> None:
    """Check that the database holds a store of ours, and bring its schema to this release.

    Raises:
        StoreUnavailable: the server is too old, or the database doesn't hold every text.
        StoreCorrupt: the schema belongs to another program, or was changed.
        SchemaTooNew: a newer release has written it.
    """
    server, encoding = await connection.fetchrow(
        "select current_setting('server_version_num')::int, current_setting('server_encoding')"
    )
    if server < OLDEST_SERVER:
        raise StoreUnavailable(f"{name}: Postgres 15 or newer is needed, this is {server // 10000}")
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"{name}: the database has the encoding {encoding}", hint="create one with: encoding 'UTF8'"
        )
    if await _is_current(connection, name):
        return
    # Another process may be doing the same: one at a time, and looked at again inside.
    await connection.execute(f"select pg_advisory_lock({_LOCK})")
    try:
        if not await _is_current(connection, name):
            await _migrate(connection, created_by)
    finally:
        await connection.execute(f"select pg_advisory_unlock({_LOCK})")


async def inspect(connection: Connection, name: str) -> StoreState:
    """The state of a store, which isn't changed. Pages are the server's own matter: only versions are read.

    Raises:
        StoreCorrupt: the schema belongs to another program, or was changed.
        SchemaTooNew: a newer release has written it.
    """
    known = migrations("postgres")
    await _is_current(connection, name)
    if await _is_empty(connection, name):
        return StoreState(name, 0, len(known), MIN_READER, "", "", tuple(f"{m.version:04} {m.name}" for m in known))
    meta = dict(await connection.fetch("select key, value from meta"))
    applied = {row[0] for row in await connection.fetch("select version from migrations")}
    return StoreState(
        name, max(applied, default=0), len(known), int(meta["min_reader"]), meta.get("store_id", ""),
        meta.get("created_by", ""), tuple(f"{m.version:04} {m.name}" for m in known if m.version not in applied),
    )  # fmt: skip


async def _is_empty(connection: Connection, name: str) -> bool:
    """Whether nothing is in it yet. Raises StoreCorrupt if what is there isn't ours."""
    meta, others = await connection.fetchrow(
        "select to_regclass($1 || '.meta') is not null, (select count(*) from pg_class c join pg_namespace n "
        "on n.oid = c.relnamespace where n.nspname = $1 and c.relkind in ('r', 'p', 'v'))",
        SCHEMA,
    )
    if not meta and others:
        raise StoreCorrupt(
            f"{name}: its schema {SCHEMA!r} belongs to another program", hint="give the store another database"
        )
    return not meta


async def _is_current(connection: Connection, name: str) -> bool:
    """Whether the schema is this release's. Raises what `prepare` does."""
    if await _is_empty(connection, name):
        return False
    known = migrations("postgres")
    meta = dict(await connection.fetch("select key, value from meta"))
    if not meta.get("min_reader", "").isdecimal():
        raise StoreCorrupt(f"{name} is damaged: it doesn't say who can read it", hint="restore a backup")
    if int(meta["min_reader"]) > len(known):
        raise SchemaTooNew(
            f"{name} was written by a newer release (schema {meta.get('schema_version')}, this one knows {len(known)})",
            hint="upgrade graphagent, or use another store",
        )
    applied: dict[int, bytes] = dict(await connection.fetch("select version, checksum from migrations"))
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise StoreCorrupt(
                f"{name}: migration {migration.version} isn't the one of this release",
                hint="the database was written by a changed copy of graphagent; use that one, or another store",
            )
    return all(m.version in applied for m in known)


async def _migrate(connection: Connection, created_by: str) -> None:
    """Apply what is missing, each migration in a transaction that also records it."""
    done: set[int] = set()
    if await connection.fetchval("select to_regclass($1 || '.migrations') is not null", SCHEMA):
        done = {row[0] for row in await connection.fetch("select version from migrations")}
    for migration in migrations("postgres"):
        if migration.version in done:
            continue
        async with connection.transaction():
            if migration.version == 1 and not await connection.fetchval(
                "select to_regnamespace($1) is not null", SCHEMA
            ):
                await connection.execute(f"create schema {SCHEMA}")
            fault("migrate.before")
            await connection.execute(migration.text)
            row = (migration.version, migration.name, migration.checksum)
            await connection.execute("insert into migrations (version, name, checksum) values ($1, $2, $3)", *row)
            meta = {"schema_version": str(migration.version), "min_reader": str(MIN_READER)}
            if migration.version == 1:
                meta |= {"store_id": secrets.token_hex(16), "created_by": created_by}
            upsert = "insert into meta values ($1, $2) on conflict (key) do update set value = excluded.value"
            await connection.executemany(upsert, list(meta.items()))
            fault("migrate.after")
