"""What all stores agree on: prefixes of ids, the text of a listing, which answer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphagent.errors import InterruptAnswered, InterruptExpired
from graphagent.ids import SessionId
from graphagent.snapshot import CheckpointRow, InterruptRow, NewInput, SessionRow

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_TOP = (1 << 128) - 1
_LOWER = {c: c + 32 for c in range(65, 91)}


def id_bounds(prefix: str) -> tuple[bytes, bytes] | None:
    """The first and the last stored id of a session whose text starts with `prefix`; None if there can't be one."""
    head = SessionId.prefix + "_"
    if head.startswith(prefix):
        rest = ""
    elif prefix.startswith(head):
        rest = prefix[len(head) :]
    else:
        return None
    free = 5 * (26 - len(rest))
    if free < 0 or any(c not in _LETTERS for c in rest):
        return None
    low = 0
    for c in rest:
        low = low << 5 | _LETTERS.index(c)
    low <<= free
    if low > _TOP:
        return None
    return low.to_bytes(16, "big"), min(low + (1 << free) - 1, _TOP).to_bytes(16, "big")


def fold(text: str) -> str:
    """Lower case of the 26 ASCII letters, as `lower()` of SQLite does it."""
    return text.translate(_LOWER)


def with_inputs(row: SessionRow, genesis: CheckpointRow | None, inputs: Sequence[NewInput]) -> SessionRow:
    """A new authority row that counts its first inputs, and whose head is the genesis unless it names one."""
    head, snapshot, digest = row.head, row.head_superstep, row.head_digest
    if head is None and genesis is not None:
        head, snapshot, digest = genesis.checkpoint, genesis.snapshot, genesis.digest
    return replace(
        row, head=head, head_superstep=snapshot, head_digest=digest, input_n=row.input_n + len(inputs)
    )  # fmt: skip


def settle(row: InterruptRow, given: bytes, by: str | None, now: int) -> InterruptRow:
    """The answered row; `row` itself if it has this answer already."""
    if row.status == "answered":
        if row.answer == given:
            return row
        who = f" by {row.answered_by}" if row.answered_by else ""
        raise InterruptAnswered(f"interrupt {row.interrupt} was answered{who}, and not with this answer")
    if row.status != "open" or (row.expires_at is not None and row.expires_at <= now):
        what = "expired" if row.status == "open" else row.status
        raise InterruptExpired(f"interrupt {row.interrupt} is {what}")
    return InterruptRow(
        row.interrupt, row.session, row.superstep, row.path, row.node, row.kind, row.question, "answered",
        row.opened_at, row.expires_at, given, by, now,
    )  # fmt: skip
