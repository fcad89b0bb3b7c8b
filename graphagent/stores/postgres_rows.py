"""Values of the Postgres statements from the types of `snapshot`, and rows back. The rows are those of `rows`.

Lists of rows go as arrays, one for each column: a statement may not touch a row twice, so equal keys are folded first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from graphagent.codec import digest
from graphagent.ids import InterruptId, SessionId
from graphagent.snapshot import (
    ArtifactRow,
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
    SessionCopy,
    SessionEntry,
    SessionRow,
)
from graphagent.stores import rows
from graphagent.stores.packing import pack
from graphagent.stores.rows import Row, raw
from graphagent.stores.rules import supersedes

_CARRIED = 33
_SESSION = (
    "sid", "family", "plan", "graph", "seed", "mode", "origin", "origin_ckp", "lineage", "caller", "caller_superstep",
    "caller_path", "created_at", "graph_version", "graph_file", "seal", "name", "tags", "status", "reason", "epoch",
    "owner", "attempts", "commit_n", "commit_token", "head_ckp", "head_superstep", "head_digest", "event_n", "input_n",
    "taken_n", "run_n", "updated_at", "carried", "past", "floor_superstep",
)  # fmt: skip
_CHECKPOINT = (
    "ckp", "superstep", "kind", "parent", "ckp_plan", "manifest", "manifest_codec", "digest", "opened_at",
    "committed_at", "ckp_seal",
)  # fmt: skip
_EVENTS = (
    "event_superstep", "event_before", "event_count", "event_codec", "event_body", "event_at", "event_seal",
)  # fmt: skip
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
_ARTIFACT = (
    "a_aid", "a_sid", "a_superstep", "a_name", "a_media_type", "a_size", "a_hash", "a_kept", "a_seal",
)  # fmt: skip
_CACHE = ("cache_key", "cache_hash", "cache_codec", "cache_data", "cache_expires_at")
_INPUT = ("i_sid", "i_n", "i_kind", "i_message_id", "i_codec", "i_body", "i_principal", "i_at", "i_seal", "i_content")


def _columns(names: Sequence[str], found: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[i] for row in found] for i, name in enumerate(names)}


# ---- values ----------------------------------------------------------------------------------------------------------


def commit_values(commits: Sequence[Commit]) -> tuple[str, dict[str, Any]]:
    """The name of the `commit` statement that these need, and its parameters. They are of one session, each one behind
    the other."""
    first, last = commits[0], commits[-1]
    checkpoints = [c.checkpoint for c in commits if c.checkpoint is not None]
    head, head_digest = (raw(checkpoints[-1].checkpoint), checkpoints[-1].digest) if checkpoints else (None, None)
    values = {
        "sid": raw(first.session), "epoch": first.epoch, "commit_n": first.commit_n, "commits": len(commits),
        "token": last.token, "status": last.status, "reason": last.reason, "head_superstep": last.head_superstep,
        "head_ckp": head, "head_digest": head_digest, "at": last.at, "release": last.release,
        "taken_n": max([c.taken_n for c in commits]), "bound": _bound(commits),
        "event_total": sum([c.events.count for c in commits if c.events is not None]),
    }  # fmt: skip
    if len(commits) > 1 or last.checkpoint is None or last.events is None:
        rows_of_each = {**_columns(_EVENTS, _events(commits)), **_checkpoints(first.session, checkpoints)}
        return "commit_all", {**values, **rows_of_each, **_bodies(commits), **_rest(commits)}
    name = "commit"
    values |= _superstep(first.session, last.checkpoint, last.events)
    if last.blobs or last.deltas or last.effects:
        name += "_bodies"
        values |= _bodies(commits)
    if last.takes or last.interrupts or last.closed or last.cached or last.artifacts:
        name += "_rest"
        values |= _rest(commits)
    return name, values


def _superstep(session: SessionId, row: CheckpointRow, batch: EventBatch) -> dict[str, Any]:
    """Without what the authority row has of it too."""
    _, _, *head, _, opened_at, committed_at, seal = rows.checkpoint_values(session, row, b"")
    *_, codec, body, at, event_seal = rows.events_values(session, batch, 0)
    names = ("superstep", "kind", "parent", "ckp_plan", "manifest", "manifest_codec", "opened_at", "committed_at",
             "ckp_seal", "event_codec", "event_body", "event_at", "event_seal")  # fmt: skip
    values = (*head, opened_at, committed_at, seal, codec, body, at, event_seal)
    return dict(zip(names, values, strict=True))


def _bodies(commits: Sequence[Commit]) -> dict[str, Any]:
    return {
        **_blobs(blob for c in commits for blob in c.blobs),
        **_columns(_DELTA, [rows.delta_values(c.session, d)[1:] for c in commits for d in c.deltas]),
        **effects_values(commits[0].session, (row for c in commits for row in c.effects)),
    }


def _rest(commits: Sequence[Commit]) -> dict[str, Any]:
    asked, closed = _settled(commits)
    return {
        "taken_up_to": [c.taken_n for c in commits], "taken_by": [c.head_superstep for c in commits],
        **_columns(_INTERRUPT, [rows.interrupt_values(q) for q in asked]),
        "closed_iid": [raw(interrupt) for interrupt, _ in closed], "closed_status": [status for _, status in closed],
        **_cached(result for c in commits for result in c.cached),
        **_artifacts(row for c in commits for row in c.artifacts),
    }  # fmt: skip


def _bound(commits: Sequence[Commit]) -> bytes | None:
    """The plan to which one of them binds the session; None if they leave it as it is."""
    found = [c.bound for c in commits if c.bound is not None]
    return rows.bound_value(raw(commits[0].session), found[-1]) if found else None


def _events(commits: Sequence[Commit]) -> list[tuple[Any, ...]]:
    """The batches, each with the number of events before it."""
    found, before = [], 0
    for c in commits:
        if c.events is not None:
            _, superstep, _, *rest = rows.events_values(c.session, c.events, 0)
            found.append((superstep, before, *rest))
            before += c.events.count
    return found


def _settled(commits: Sequence[Commit]) -> tuple[list[InterruptRow], list[tuple[InterruptId, InterruptStatus]]]:
    """The questions that are asked, those that are closed too already closed, and the other ones that are closed."""
    asked: dict[InterruptId, InterruptRow] = {}
    closed: dict[InterruptId, InterruptStatus] = {}
    for c in commits:
        for row in c.interrupts:
            if row.interrupt not in asked or asked[row.interrupt].status == "open":
                asked[row.interrupt] = row
        for interrupt, status in c.closed:
            if interrupt not in asked:
                closed.setdefault(interrupt, status)
            elif asked[interrupt].status == "open":
                asked[interrupt] = replace(asked[interrupt], status=status)
    return list(asked.values()), [(i, status) for i, status in closed.items() if i not in asked]


def _checkpoints(session: SessionId, found: Sequence[CheckpointRow]) -> dict[str, list[Any]]:
    # Their plans are always stored: whether they are the session's isn't known here.
    values = []
    for row in found:
        ckp, _, *rest = rows.checkpoint_values(session, row, b"")
        values.append((ckp, *rest))
    return _columns(_CHECKPOINT, values)


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
    return _columns(_EFFECT, [v[1:] for v in rows.effects_values(session, [folded[key] for key in sorted(folded)])])


def _cached(results: Iterable[CachedResult]) -> dict[str, list[Any]]:
    unique = {result.key: result for result in results}
    found = [unique[key] for key in sorted(unique)]
    return _columns(_CACHE, [(r.key, digest(r.data), *pack(r.data), r.expires_at) for r in found])


def _artifacts(artifacts: Iterable[ArtifactRow]) -> dict[str, list[Any]]:
    unique: dict[Any, ArtifactRow] = {}
    for row in artifacts:
        unique.setdefault(row.artifact, row)
    return _columns(_ARTIFACT, [rows.artifact_values(b"", unique[id])[1:] for id in sorted(unique)])


def session_values(
    row: SessionRow, genesis: CheckpointRow | None, blobs: Sequence[Blob], inputs: Sequence[NewInput], now: int
) -> dict[str, Any]:
    """The parameters of `insert_session`. Without a genesis it is a fork."""
    runs = sum(new.kind == "run" for new in inputs)
    first = row.input_n - len(inputs) + 1
    return {
        "fork": genesis is None,
        **_checkpoints(row.session, [] if genesis is None else [genesis]),
        **dict(zip(_SESSION, rows.session_values(row, runs), strict=True)),
        **_blobs(blobs), **inputs_values([(row.session, new) for new in inputs], now, first),
    }  # fmt: skip


def adopt_values(copy: SessionCopy, blobs: Sequence[Blob]) -> dict[str, Any]:
    """The parameters of `insert_session` and `adopt` for a whole session; its inputs are stored by `adopt`."""
    session = copy.row.session
    runs = sum(new.kind == "run" for new in copy.inputs if new.n > 0)
    events = []
    for batch in copy.events:
        _, superstep, _, *rest = rows.events_values(session, batch, 0)
        events.append((superstep, batch.first, *rest))
    inputs = []
    for new in copy.inputs:
        sid, _, *stored = rows.input_values(session, new, 0, new.accepted_at)
        inputs.append((sid, new.n, *stored, content(new), new.taken_by))
    return {
        "fork": False,
        **_checkpoints(session, copy.checkpoints),
        **dict(zip(_SESSION, rows.session_values(replace(copy.row, owner=None), runs), strict=True)),
        **_blobs(blobs),
        **_columns(_EVENTS, events),
        **_columns(_DELTA, [rows.delta_values(session, d)[1:] for d in copy.deltas]),
        **effects_values(session, copy.effects),
        **_columns(_INTERRUPT, [rows.interrupt_values(q) for q in copy.interrupts]),
        **_columns((*_INPUT, "i_taken_by"), inputs),
        **_artifacts(copy.artifacts),
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
