"""Taking the bodies of messages out of rows that are stored together. Pure.

A conversation in a channel of reducer `messages` is stored anew whenever it grows. What of it was there before isn't
looked at again: its references are those of the head, and its bodies are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphagent.frozen import replace
from graphagent.ids import SessionId
from graphagent.snapshot import Blob, CheckpointRow, Commit, Delta, EffectRow, EventBatch, InputRow
from graphagent.stores import bodies
from graphagent.stores.bodies import SIGN, ambiguous, marked, shorten, take_out

FIELDS: Final = {CheckpointRow: "manifest", Delta: "items", EffectRow: "outcome", EventBatch: "body", InputRow: "body"}
"""Where a row may hold messages."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A value that the head names: the hash of its blob, its canonical bytes, the same with references, and those."""

    name: bytes
    data: bytes
    short: bytes
    hashes: frozenset[bytes]


class Taking:
    """What is taken out of the rows of one family that are stored together.

    Args:
        head: What the head holds before. A collection leaves that alone, and a commit on another head is refused; so
            the bodies to which it refers are there and needn't be sent.
    """

    def __init__(self, family: SessionId, head: Sequence[Conversation] = ()) -> None:
        self.family, self.head = family, list(head)
        self.bodies: dict[bytes, bytes] = {}

    def row(self, row: Any, name: str | None = None) -> Any:
        """A row as it is stored. What is added to a channel, and what a task left, isn't repeated by others."""
        name = name or FIELDS[type(row)]
        data = getattr(row, name)
        if data is None:
            return row
        once = isinstance(row, Delta | EffectRow | Blob)
        short = take_out(data, self.family, self.bodies, bodies.LEAST_BYTES if once else None)
        return row if short is data else replace(row, **{name: short})

    def rows(self, rows: Sequence[Any]) -> tuple[Any, ...]:
        """Rows of one kind."""
        return tuple(self.row(row) for row in rows)

    def blobs(self, blobs: Sequence[Blob]) -> list[Blob]:
        """These blobs, and all bodies so far; so it is asked last."""
        short = [self.row(blob, "data") for blob in blobs]
        return [*(Blob(name, body) for name, body in self.bodies.items()), *short]

    def commit(self, commit: Commit) -> Commit:
        """A commit as it is stored. A body that several commits hold comes with the first."""
        there = self.bodies.keys() | {name for kept in self.head for name in kept.hashes}
        blobs, grown = [], []
        manifest = b"" if commit.checkpoint is None else commit.checkpoint.manifest
        for blob in commit.blobs:
            is_value = b'"b","%s"' % blob.hash.hex().encode() in manifest
            kept = self._conversation(blob) if is_value else None
            if kept is not None:
                grown.append(kept)
                blobs.append(Blob(blob.hash, marked(kept.short, self.family)))
            else:
                blobs.append(self.row(blob, "data"))
        short = replace(
            commit,
            checkpoint=None if commit.checkpoint is None else self.row(commit.checkpoint),
            events=None if commit.events is None else self.row(commit.events),
            effects=self.rows(commit.effects),
            deltas=self.rows(commit.deltas),
        )
        new = [Blob(name, body) for name, body in self.bodies.items() if name not in there]
        if commit.checkpoint is not None:
            self.head = [kept for kept in (*self.head, *grown) if b'"%s"' % kept.name.hex().encode() in manifest]
        return replace(short, blobs=(*new, *blobs))

    def _conversation(self, blob: Blob) -> Conversation | None:
        """A value with references; None if it holds no large message."""
        for before in self.head:
            end = len(before.data)
            if before.data[:1] == b"[" and blob.data.startswith(before.data[:-1]) and blob.data[end - 1 : end] == b",":
                added = b"[" + blob.data[end:]
                if ambiguous(added):
                    break
                found: dict[bytes, bytes] = {}
                short = before.short[:-1] + b"," + (shorten(added, found, bodies.LEAST_REPEATED) or added)[1:]
                self.bodies |= found
                return Conversation(blob.hash, blob.data, short, before.hashes | found.keys())
        found = {}
        whole = shorten(blob.data, found, bodies.LEAST_REPEATED)
        if whole is None:
            return None
        self.bodies |= found
        return Conversation(blob.hash, blob.data, whole, frozenset(found))


def holds_bodies(commit: Commit) -> bool:
    """Whether a row of a commit may hold a body."""
    if commit.checkpoint is not None and SIGN in commit.checkpoint.manifest:
        return True
    if commit.events is not None and SIGN in commit.events.body:
        return True
    if not (commit.blobs or commit.deltas or commit.effects):
        return False
    datas = [blob.data for blob in commit.blobs]
    datas += [delta.items for delta in commit.deltas]
    datas += [effect.outcome for effect in commit.effects if effect.outcome is not None]
    return any(SIGN in data for data in datas)
