"""Values of the Postgres statements from the types of `snapshot`, and rows back. The rows are those of `rows`.

Lists of rows go as arrays, one for each column: a statement may not touch a row twice, so equal keys are folded first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from graphagent.codec import digest
from graphagent.ids import InterruptId, SessionId
from graphagent.snapshot import (
    Blob,
    CachedResult,
    CheckpointRow,
    Commit,
    EffectRow,
    EventBatch,
    InputRow,
    InterruptRow,
    InterruptStatus,
    NewInput,
    SessionEntry,
    SessionRow,
)
from graphagent.stores import rows
from graphagent.stores.rows import Row, pack, raw
from graphagent.stores.rules import supersedes

_CARRIED = 33
_SESSION = (
    "sid", "family", "plan", "graph", "seed", "mode", "origin", "origin_ckp", "lineage", "caller", "caller_superstep",
    "caller_path", "created_at", "graph_version", "graph_file", "seal", "name", "tags", "status", "reason", "epoch",
    "owner", "attempts", "commit_n", "commit_token", "head_ckp", "head_superstep", "head_digest", "event_n", "input_n",
    "taken_n", "run_n", "updated_at", "carried",
)  # fmt: skip
_CHECKPOINT = (
    "ckp", "_", "superstep", "kind", "parent", "ckp_plan", "manifest", "manifest_codec", "digest", "opened_at",
    "committed_at", "ckp_seal",
)  # fmt: skip
_EVENTS = ("_", "event_superstep", "_", "event_count", "event_codec", "event_body", "event_at", "event_seal")
_BLOB = ("blob_hash", "blob_codec", "blob_size", "blob_data")
_DELTA = ("delta_channel", "delta_superstep", "delta_codec", "delta_items", "delta_seal")
_EFFECT = (
    "superstep_", "path_", "attempt_", "ord_", "kind_", "name_", "class_", "state_", "request_hash_", "codec_",
    "request_", "outcome_", "cost_", "write_key_", "attempt_token_", "tries_", "fingerprint_", "started_at_",
    "ended_at_", "seal_",
)  # fmt: skip
_INTERRUPT = (
    "q_iid", "q_sid", "q_superstep", "q_path", "q_node", "q_kind", "q_codec", "q_question", "q_opened_at",
    "q_expires_at", "q_answer", "q_answered_by", "q_answered_at", "q_seal", "q_status",
)  # fmt: skip
_CACHE = ("cache_key", "cache_hash", "cache_codec", "cache_data", "cache_expires_at")
_INPUT = ("i_sid", "i_n", "i_kind", "i_message_id", "i_codec", "i_body", "i_principal", "i_at", "i_seal", "i_content")
_NO_CHECKPOINT: Mapping[str, Any] = dict.fromkeys(_CHECKPOINT)
_NO_EVENTS: Mapping[str, Any] = {**dict.fromkeys(_EVENTS), "event_count": 0}


def _columns(names: Sequence[str], found: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[i] for row in found] for i, name in enumerate(names)}


# ---- values ----------------------------------------------------------------------------------------------------------


def commit_values(c: Commit) -> dict[str, Any]:
    """The parameters of `commit`."""
    checkpoint, events = c.checkpoint, c.events
    asked, closed = _settled(c)
    return {
        "sid": raw(c.session), "epoch": c.epoch, "commit_n": c.commit_n, "token": c.token, "status": c.status,
        "reason": c.reason, "head_superstep": c.head_superstep, "taken_n": c.taken_n, "at": c.at, "release": c.release,
        **(_NO_CHECKPOINT if checkpoint is None else _checkpoint(c.session, checkpoint)),
        **(_NO_EVENTS if events is None else dict(zip(_EVENTS, rows.events_values(c.session, events, 0), strict=True))),
        **_blobs(c.blobs),
        **_columns(_DELTA, [rows.delta_values(c.session, d)[1:] for d in c.deltas]),
        **effects_values(c.session, c.effects),
        **_columns(_INTERRUPT, [rows.interrupt_values(q) for q in asked]),
        "closed_iid": [raw(interrupt) for interrupt, _ in closed], "closed_status": [status for _, status in closed],
        **_cached(c.cached),
    }  # fmt: skip


def _settled(c: Commit) -> tuple[list[InterruptRow], list[tuple[InterruptId, InterruptStatus]]]:
    """The questions of a commit, those that it closes too already closed, and the other ones that it closes."""
    asked = {row.interrupt: row for row in c.interrupts}
    closed = []
    for interrupt, status in c.closed:
        if interrupt not in asked:
            closed.append((interrupt, status))
        elif asked[interrupt].status == "open":
            asked[interrupt] = replace(asked[interrupt], status=status)
    return list(asked.values()), closed


def _checkpoint(session: SessionId, row: CheckpointRow) -> dict[str, Any]:
    # Its plan is always stored: whether it is the session's isn't known here.
    return dict(zip(_CHECKPOINT, rows.checkpoint_values(session, row, b""), strict=True))


def _blobs(blobs: Iterable[Blob]) -> dict[str, list[Any]]:
    unique = {blob.hash: blob for blob in blobs}
    return _columns(_BLOB, [rows.blob_values(b"", unique[hash])[1:] for hash in sorted(unique)])


def effects_values(session: SessionId, effects: Iterable[EffectRow]) -> dict[str, list[Any]]:
    """The arrays of journal rows."""
    folded: dict[Any, EffectRow] = {}
    for row in effects:
        there = folded.get(row.key)
        if there is None or supersedes(row, there):
            folded[row.key] = row
    return _columns(_EFFECT, [rows.effect_values(session, folded[key])[1:] for key in sorted(folded)])


def _cached(results: Iterable[CachedResult]) -> dict[str, list[Any]]:
    unique = {result.key: result for result in results}
    found = [unique[key] for key in sorted(unique)]
    return _columns(_CACHE, [(r.key, digest(r.data), *pack(r.data), r.expires_at) for r in found])


def session_values(
    row: SessionRow, genesis: CheckpointRow | None, blobs: Sequence[Blob], inputs: Sequence[NewInput], now: int
) -> dict[str, Any]:
    """The parameters of `insert_session`. Without a genesis it is a fork."""
    runs = sum(new.kind == "run" for new in inputs)
    checkpoint = _NO_CHECKPOINT if genesis is None else _checkpoint(row.session, genesis)
    first = row.input_n - len(inputs) + 1
    return {
        **checkpoint, "fork": genesis is None, **dict(zip(_SESSION, rows.session_values(row, runs), strict=True)),
        **_blobs(blobs), **inputs_values([(row.session, new) for new in inputs], now, first),
    }  # fmt: skip


def inputs_values(inputs: Sequence[tuple[SessionId, NewInput]], now: int, first: int = 0) -> dict[str, list[Any]]:
    """The arrays of inputs, numbered from `first`."""
    found = []
    for n, (session, new) in enumerate(inputs, first):
        sid, _, *rest = rows.input_values(session, new, 0, now)
        found.append((sid, n, *rest, content(new)))
    return _columns(_INPUT, found)


def input_values(session: SessionId, new: NewInput | None, now: int) -> dict[str, Any]:
    """The parameters of one input; all null if there is none."""
    names = ("kind", "message_id", "codec", "body", "principal", "at", "seal", "content")
    if new is None:
        return dict.fromkeys(names)
    return dict(zip(names, (*rows.input_values(session, new, 0, now)[2:], content(new)), strict=True))


def content(new: NewInput) -> bytes:
    """What two messages have in common that are the same message."""
    return sha256(new.kind.encode() + b"\0" + new.body).digest()


# ---- rows ------------------------------------------------------------------------------------------------------------


def session_row(r: Row) -> SessionRow:
    """An authority row."""
    return rows.session_row(r, _CARRIED)


def session_entry(r: Row) -> SessionEntry:
    """An authority row and the number of its open interrupts."""
    return rows.session_entry(r, _CARRIED)


def checkpoint_row(r: Row) -> CheckpointRow:
    """A row of `checkpoints`."""
    return rows.checkpoint_row((*r[:12], None))


def events_row(session: SessionId, r: Row) -> EventBatch:
    """A row of `events`."""
    return rows.events_row(session, r, sealed=0)


def input_row(r: Row) -> InputRow:
    """A row of `inputs`."""
    return rows.input_row(r[:10], sealed=0)


def interrupt_row(r: Row) -> InterruptRow:
    """A row of `interrupts`."""
    return rows.interrupt_row(r[:15])
