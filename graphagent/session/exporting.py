"""Exporting a session as one file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from graphagent.errors import Conflict
from graphagent.session.archive import Archive, write_archive
from graphagent.session.gathering import gather
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


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


async def secret_channels(host: Host, archive: Archive) -> list[str]:
    """The channels marked as secret whose values an archive holds."""
    found = set()
    for copy in archive.sessions:
        plan = await host.plan_of(copy.row)
        found |= {channel.name for channel in plan.graph.channels if channel.secret}
    return sorted(found)


async def write_file(file: Path, pieces: Iterable[bytes]) -> None:
    """Write a file whole or not at all, readable by nobody else; one that is there is replaced.

    Raises:
        Conflict: it can't be written.
    """
    await trio.to_thread.run_sync(_write, file, pieces)


def _write(file: Path, pieces: Iterable[bytes]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            for piece in pieces:
                opened.write(piece)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Conflict(f"{file} can't be written: {error.strerror}", hint="give another place with -o") from error


def archive_bytes(archive: Archive) -> bytes:
    """The whole file."""
    return b"".join(write_archive(archive))
