"""Exporting a session as one file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from graphagent.codec import digest
from graphagent.errors import Conflict, InputInvalid
from graphagent.session.archive import Archive, Exported, write_archive
from graphagent.session.documents.events import event_data
from graphagent.session.gathering import gather
from graphagent.session.reading import floor_of, read_events
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host

FORMS: Final = (".gasession", ".jsonl")
Write = Callable[[bytes], object]


async def export_session(host: Host, row: SessionRow) -> Archive:
    """A session with all that it called. Paths of graphs are those in the project; others are left out.

    Raises:
        Conflict: it is being written too quickly.
    """
    archive = await gather(host.store, row.session)
    root = host.settings.root
    copies = (
        replace(copy, row=replace(copy.row, graph_file=_inside(copy.row.graph_file, root))) for copy in archive.sessions
    )
    return replace(archive, sessions=tuple(copies))


def _inside(file: str | None, root: Path) -> str | None:
    if file is None or not Path(file).is_relative_to(root):
        return None
    return Path(file).relative_to(root).as_posix()


async def export_to(host: Host, row: SessionRow, file: Path, write: Write | None = None) -> Exported:
    """Write a session to a file, in the form that its name says.

    Args:
        write: Takes the bytes instead of the file.

    Raises:
        InputInvalid: the name says no form.
        Conflict: it can't be written, or the session is being written too quickly to be read.
    """
    if file.suffix not in FORMS:
        hint = f"{file.name}.gasession is the whole session; .jsonl are its events"
        raise InputInvalid("-o", f"{file.name!r} must end in {' or '.join(FORMS)}", hint=hint)
    if file.suffix == ".jsonl":
        data = await events_lines(host, row)
        done = Exported(len(data), digest(data))
    else:
        archive = await export_session(host, row)
        data = archive_bytes(archive)
        done = Exported(len(data), digest(data), len(archive.sessions), tuple(await secret_channels(host, archive)))
    await trio.to_thread.run_sync(write or partial(_write, file), data)
    return done


async def events_lines(host: Host, row: SessionRow) -> bytes:
    """The committed events of a session's line, one JSON object a line."""
    plan = await host.plan_of(row)
    events = await read_events(host.store, row, plan.graph, lo=await floor_of(host.store, row))
    lines = [json.dumps(event_data(event), ensure_ascii=False, separators=(",", ":")) for event in events]
    return "".join(f"{line}\n" for line in lines).encode()


async def secret_channels(host: Host, archive: Archive) -> list[str]:
    """The channels marked as secret whose values an archive holds."""
    found = set()
    for copy in archive.sessions:
        plan = await host.plan_of(copy.row)
        found |= {channel.name for channel in plan.graph.channels if channel.secret}
    return sorted(found)


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by nobody else; one that is there is replaced."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Conflict(f"{file} can't be written: {error.strerror}", hint="give another place with -o") from error


def archive_bytes(archive: Archive) -> bytes:
    """The whole file."""
    return b"".join(write_archive(archive))
