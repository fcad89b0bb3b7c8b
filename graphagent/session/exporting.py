"""Exporting a session as one file."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import trio

from graphagent.codec import digest
from graphagent.errors import Conflict, InputInvalid
from graphagent.ports import Artifacts, Stored
from graphagent.session.archive import Archive, ArchiveWriter, Exported
from graphagent.session.documents.events import event_data
from graphagent.session.gathering import gather
from graphagent.session.reading import floor_of, read_events
from graphagent.session.redaction import Redaction, Rule, redacted, redaction_of
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host

FORMS: Final = (".gasession", ".jsonl")
PIECE: Final = 1 << 20
Write = Callable[[bytes], object]


async def export_session(
    host: Host, row: SessionRow, *, artifacts: bool = True, redact: Sequence[Rule] = ()
) -> Archive:
    """A session with all that it called. Paths of graphs are those in the project; others are left out.

    Args:
        artifacts: False leaves the content of artifacts out; their rows say so.
        redact: What is taken out, wherever it stands. Then the session can't be imported, and artifacts are left out.

    Raises:
        Conflict: it is being written too quickly.
    """
    archive = await gather(host.store, row.session)
    root = host.settings.root
    copies = (
        replace(
            copy, row=replace(copy.row, graph_file=_inside(copy.row.graph_file, root)),
            artifacts=tuple(replace(a, kept=a.kept and artifacts) for a in copy.artifacts),
        ) for copy in archive.sessions
    )  # fmt: skip
    archive = replace(archive, sessions=tuple(copies))
    return redacted(archive, await _redaction(host, archive, redact)) if redact else archive


async def _redaction(host: Host, archive: Archive, rules: Sequence[Rule]) -> Redaction:
    """What rules find in a session. Raises InputInvalid."""
    plans = {}
    for copy in archive.sessions:
        for hash in {copy.row.plan, *(checkpoint.plan for checkpoint in copy.checkpoints)}:
            plans[hash] = await host.plan_at(copy.row, hash)
    return redaction_of(host, archive, rules, plans)


def _inside(file: str | None, root: Path) -> str | None:
    if file is None or not Path(file).is_relative_to(root):
        return None
    return Path(file).relative_to(root).as_posix()


async def export_to(
    host: Host, row: SessionRow, file: Path, write: Write | None = None, *, artifacts: bool = True,
    redact: Sequence[Rule] = (),
) -> Exported:  # fmt: skip
    """Write a session to a file, in the form that its name says.

    Args:
        write: Takes the bytes, piece by piece, instead of the file.
        artifacts: False leaves the content of artifacts out.
        redact: What is taken out, wherever it stands.

    Raises:
        InputInvalid: the name says no form, or a rule names no channel.
        Conflict: it can't be written, or the session is being written too quickly to be read.
        StoreCorrupt: the content of an artifact is missing or damaged.
    """
    if file.suffix not in FORMS:
        hint = f"{file.name}.gasession is the whole session; .jsonl are its events"
        raise InputInvalid("-o", f"{file.name!r} must end in {' or '.join(FORMS)}", hint=hint)
    if file.suffix == ".jsonl":
        data = await events_lines(host, row, redact)
        await _write_all(file, _one(data), write)
        return Exported(len(data), digest(data), redacted=tuple(map(str, redact)))
    archive = await export_session(host, row, artifacts=artifacts, redact=redact)
    writer = ArchiveWriter(archive)
    await _write_all(file, archive_pieces(writer, host.artifacts), write)
    secret = tuple(await secret_channels(host, archive, redact))
    count = sum(row.kept for row in archive.artifacts.values())
    return Exported(writer.size, writer.digest, len(archive.sessions), secret, count, archive.redacted)


async def archive_pieces(writer: ArchiveWriter, kept: Artifacts) -> AsyncIterator[bytes]:
    """The whole file, piece by piece; artifacts are read as they are written."""
    archive = writer.archive
    for piece in writer.head():
        yield piece
    family = next(copy.row.family for copy in archive.sessions if copy.row.session == archive.root)
    for hash, row in sorted(archive.artifacts.items()):
        for at in range(0, max(row.size, 1), PIECE) if row.kept else ():
            part = await kept.read(family, Stored(hash, row.size), at, PIECE)
            for piece in writer.content([part], row.size if at == 0 else None):
                yield piece
    yield writer.end()


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def events_lines(host: Host, row: SessionRow, redact: Sequence[Rule] = ()) -> bytes:
    """The committed events of a session's line, one JSON object a line."""
    redaction = await _redaction(host, await gather(host.store, row.session), redact) if redact else Redaction()
    plan = await host.plan_of(row)
    events = await read_events(host.store, row, plan.graph, lo=await floor_of(host.store, row))
    found = (redaction.tree(event_data(event)) if redact else event_data(event) for event in events)
    lines = [json.dumps(data, ensure_ascii=False, separators=(",", ":")) for data in found]
    return "".join(f"{line}\n" for line in lines).encode()


async def secret_channels(host: Host, archive: Archive, redact: Sequence[Rule] = ()) -> list[str]:
    """The channels marked as secret whose values an archive holds."""
    if any(rule.kind == "secrets" for rule in redact):
        return []
    gone = {rule.what for rule in redact if rule.kind == "channel"}
    found = set()
    for copy in archive.sessions:
        plan = await host.plan_of(copy.row)
        found |= {channel.name for channel in plan.graph.channels if channel.secret}
    return sorted(found - gone)


async def _write_all(file: Path, pieces: AsyncIterator[bytes], write: Write | None) -> None:
    """Write a file whole or not at all, readable by nobody else; one that is there is replaced."""
    if write is not None:
        async for piece in pieces:
            await trio.to_thread.run_sync(write, piece)
        return
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            async for piece in pieces:
                await trio.to_thread.run_sync(opened.write, piece)
            await trio.to_thread.run_sync(_flush, opened)
        part.replace(file)
    except OSError as error:
        raise Conflict(f"{file} can't be written: {error.strerror}", hint="give another place with -o") from error
    finally:
        part.unlink(missing_ok=True)


def _flush(opened: IO[bytes]) -> None:
    opened.flush()
    os.fsync(opened.fileno())


def archive_bytes(archive: Archive, contents: Iterable[bytes] = ()) -> bytes:
    """The whole file. `contents` are those of its artifacts, by hash."""
    writer = ArchiveWriter(archive)
    parts = [*writer.head(), *(piece for data in contents for piece in writer.content([data], len(data)))]
    return b"".join([*parts, writer.end()])
