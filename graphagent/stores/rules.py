"""What all stores agree on: prefixes of ids, the text of a listing, what a fork carries, which answer counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from graphagent.errors import Conflict, InterruptAnswered, InterruptExpired, StoreCorrupt
from graphagent.frozen import replace
from graphagent.ids import SessionId
from graphagent.snapshot import Carried, CheckpointRow, EffectRow, EffectState, InterruptRow, NewInput, SessionRow

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


def with_carried(
    own: Sequence[EffectRow], carried: Carried, found: Mapping[SessionId, Iterable[EffectRow]]
) -> list[EffectRow]:
    """The journal of a fork's carried superstep: its own rows, and those of its ancestors that it carries.

    Args:
        found: The rows of that superstep by the session that holds them.

    Raises:
        StoreCorrupt: a carried row isn't there any more.
    """
    rows: dict[tuple[str, int, int], EffectRow] = {}
    for source, keys in carried.sources:
        there = {row.key[1:]: row for row in found[source]}
        if missing := [key for key in keys if key not in there]:
            path, attempt, ordinal = missing[0]
            what = f"effect {ordinal} of attempt {attempt} of task {path!r}"
            raise StoreCorrupt(f"{what} (superstep {carried.superstep} of session {source}) is missing")
        rows |= {key: there[key] for key in keys}
    rows |= {row.key[1:]: row for row in own}
    return [rows[key] for key in sorted(rows)]


def supersedes(new: EffectRow, there: EffectRow) -> bool:
    """Whether a journal row takes the place of the one that is there. An outcome stays; without one the later try
    counts, and of one try the higher state."""
    if there.state >= EffectState.DONE:
        return False
    return new.state >= EffectState.DONE or (new.tries, new.state) > (there.tries, there.state)


def carries(row: SessionRow) -> Carried | None:
    """What a fork carries, as long as the journal of that superstep is kept."""
    carried = row.carried
    return None if carried is None or carried.superstep < row.floor_superstep else carried


def check_deletion(gone: Set[SessionId], family: Iterable[SessionRow]) -> None:
    """Refuse to delete sessions on which others of their family depend.

    Raises:
        Conflict: a fork reads what one of them wrote, or one of them called or was called by a session that stays.
    """
    for row in family:
        if row.session in gone:
            if row.caller is not None and row.caller not in gone:
                what = f"session {row.session} was called by {row.caller}"
                raise Conflict(what, hint=f"delete that one, with all that it called: {_delete(row.caller)}")
            continue
        read = sorted(gone & {entry.session for entry in row.lineage})
        if read:
            what = f"session {row.session} is a fork of {read[-1]} and shares its history"
            raise Conflict(what, hint=f"delete the fork too, or export it first: graphagent export {row.session}")
        if row.caller in gone:
            raise Conflict(f"session {row.session} was called by {row.caller}", hint="delete both")


def _delete(session: SessionId) -> str:
    return f"graphagent sessions delete {session}"


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
