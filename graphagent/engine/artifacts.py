"""What the tasks of a session put and read of artifacts, and how that survives a crash.

Content is kept before anything refers to it. Its row is committed with the superstep; until then it stands in memory,
and in the journal beside the outcome of the call or task that put it, since what has an outcome doesn't run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphagent.codec import decode
from graphagent.errors import NodeError, NotFound, OutputTooLarge, StoreCorrupt, StoreFull, StoreUnavailable
from graphagent.frozen import dataclass
from graphagent.ids import ArtifactId, SessionId
from graphagent.ports import Artifacts, Content, Store, Stored
from graphagent.snapshot import NOTHING_SPENT, ArtifactRow, EffectRow

MOST_LETTERS = 255
"""Longer names and media types are cut off: they are labels."""


def _nothing(artifact: str) -> ArtifactRow | None:
    return None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The artifacts of one session's family.

    Attributes:
        limit: How long one may be, in bytes.
        reads: In a replay nothing is kept: it computes what was put.
        above: What the sessions that called this one have put in supersteps that are still open.
    """

    kept: Artifacts
    store: Store
    session: SessionId
    family: SessionId
    limit: int
    reads: bool = False
    above: Callable[[str], ArtifactRow | None] = _nothing

    async def put(self, content: Content, media_type: str, name: str | None, superstep: int) -> ArtifactRow:
        """Keep content; its row isn't stored by this.

        Raises:
            NodeError: it is too long, or there is no room.
        """
        try:
            if self.reads:
                stored = await self.kept.measure(content, self.limit)
            else:
                stored = await self.kept.put(self.family, content, self.limit)
        except OutputTooLarge as error:
            error.kind, error.hint = "invalid_output", "keep less, or raise `max_bytes` of the setting `artifacts`"
            raise
        except StoreFull as error:
            raise NodeError(error.message, kind="unavailable", cause="disk_full", hint=error.hint) from error
        except StoreUnavailable as error:
            raise _unavailable(error, "artifact_unavailable") from error
        id = ArtifactId.of(stored.hash[:16])
        label_or_none = None if name is None else label(name)
        return ArtifactRow(id, self.session, superstep, label_or_none, label(media_type), stored.size, stored.hash)

    async def row(self, artifact: str) -> ArtifactRow:
        """The row of an artifact of this family that is committed, or that a caller has put. Raises NodeError."""
        try:
            return self.above(artifact) or await self.store.artifact(self.family, ArtifactId(str(artifact)))
        except (NotFound, ValueError, TypeError) as error:
            raise NodeError(
                f"there is no artifact {str(artifact)[:80]!r} in this session", kind="invalid_input",
                cause="unknown_artifact", hint="give an id as it was told, art_...",
            ) from error  # fmt: skip

    async def read(self, row: ArtifactRow, offset: int, limit: int) -> bytes:
        """A part of an artifact. Raises NodeError."""
        try:
            return await self.kept.read(self.family, Stored(row.hash, row.size), offset, limit)
        except StoreCorrupt as error:
            if row.kept:
                raise _unavailable(error, "artifact_damaged") from error
            what = f"the bytes of artifact {row.artifact} were left out of the file that this session was imported from"
            hint = "export it again without --no-artifacts"
            raise NodeError(
                what, kind="unavailable", cause="artifact_left_out", retryable=False, hint=hint
            ) from error  # fmt: skip
        except StoreUnavailable as error:
            raise _unavailable(error, "artifact_unavailable") from error


def _unavailable(error: StoreCorrupt | StoreUnavailable, cause: str) -> NodeError:
    again = isinstance(error, StoreUnavailable)
    return NodeError(error.message, kind="unavailable", cause=cause, retryable=again, hint=error.hint)


def label(text: str) -> str:
    """A name as it can be stored anywhere: any text, but for zeros and halves of characters."""
    return text[:MOST_LETTERS].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def value_of(row: ArtifactRow) -> dict[str, Any]:
    """An artifact as a value of the language's type `Artifact`."""
    return {"id": str(row.artifact), "media_type": row.media_type, "size": row.size, "name": row.name}


def note(put: dict[ArtifactId, ArtifactRow], row: ArtifactRow) -> None:
    """Add a row to those that were put. Of equal bytes under several names one is kept, whoever came first."""
    there = put.get(row.artifact)
    if there is None or (row.media_type, row.name or "") < (there.media_type, there.name or ""):
        put[row.artifact] = row


def rows_data(rows: Iterable[ArtifactRow]) -> list[list[Any]]:
    """Rows as they stand in the journal."""
    return [[str(row.artifact), row.hash.hex(), row.size, row.media_type, row.name] for row in rows]


def rows_of(data: Iterable[Sequence[Any]], session: SessionId, superstep: int) -> list[ArtifactRow]:
    """The rows that the journal of a superstep names."""
    return [
        ArtifactRow(ArtifactId(id), session, superstep, name, media_type, size, bytes.fromhex(hash))
        for id, hash, size, media_type, name in data
    ]


def put_by(row: EffectRow, session: SessionId) -> list[ArtifactRow]:
    """What a call put that has an outcome."""
    cost = [] if row.cost is None else decode(row.cost)
    return rows_of(cost[len(NOTHING_SPENT)], session, row.superstep) if len(cost) > len(NOTHING_SPENT) else []


def left_by(left: Mapping[str, Any], session: SessionId, superstep: int) -> list[ArtifactRow]:
    """What a finished task put, of what its row in the journal says."""
    return rows_of(left.get("artifacts", ()), session, superstep)
