"""Rows of SQLite and Postgres from and to the types of `snapshot`. What is unpacked has been verified.

SQLite gives a batch of events and an input their numbers before it seals them. Postgres gives them in the statement
that stores them: there `sealed` is 0, and what shows a changed number is that numbers have no gap.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, wraps
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar, get_args

from graphagent.ids import ArtifactId, CheckpointId, Id, InterruptId, SessionId, WorkerId
from graphagent.snapshot import (
    TASK_ORDINAL,
    ArtifactRow,
    Binding,
    Blob,
    Carried,
    CheckpointRow,
    Delta,
    EffectClass,
    EffectRow,
    EffectState,
    EventBatch,
    InputRow,
    InterruptRow,
    InterruptStatus,
    LineageEntry,
    NewInput,
    Past,
    SessionEntry,
    SessionRow,
    Status,
    SuperstepKind,
    Writer,
)
from graphagent.stores.bodies import fits, may_hold_bodies
from graphagent.stores.packing import pack, unpack

Row = Sequence[Any]
T = TypeVar("T")
P = ParamSpec("P")
I = TypeVar("I", bound=Id)  # noqa: E741

_KINDS: tuple[SuperstepKind, ...] = ("genesis", "superstep", "input", "timer", "edit")
_CLASSES: tuple[EffectClass, ...] = ("pure", "read", "write")
_STATUSES = frozenset(get_args(Status))
_INTERRUPT_STATUSES = frozenset(get_args(InterruptStatus))
_LINEAGE = struct.Struct(">16sqq")
_FIXED = 15
"""How many columns of a session never change; the seal is the one after them."""
_REPEATS = 8
"""In the codec of a task row: its bodies are packed against the outcome of the task's first call."""
OPEN_N = 33
"""The column of a session that counts the journal rows of its open superstep."""
CARRIED = 34
"""The column of a session that names the rows which it carries, in SQLite; under the seal, where it isn't null. Behind
it stand the plan that the session was bound to after its birth, what it was before its import (under the seal, where it
isn't null), and its floor."""


class Damage(Exception):
    """A row isn't what was written. `checkpoint` is the one that can't be read, if it is one."""

    def __init__(self, what: str, *, checkpoint: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.checkpoint = checkpoint
        self.hint = hint


def _verified(unpack_row: Callable[P, T]) -> Callable[P, T]:
    """A flipped bit may make a number of what was text: that is damage too, and not an error of ours."""

    @wraps(unpack_row)
    def verified(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return unpack_row(*args, **kwargs)
        except (TypeError, ValueError, LookupError, struct.error, zlib.error) as error:
            raise Damage(f"a stored row can't be read ({unpack_row.__name__}: {error})") from error

    return verified


@lru_cache(maxsize=8192)
def raw(id: Id) -> bytes:
    """The 16 bytes of an id; a session's few ids come again with every commit."""
    return id.raw


def raw_or_none(id: Id | None) -> bytes | None:
    return None if id is None else raw(id)


def _id_or_none(kind: type[I], value: bytes | None) -> I | None:
    return None if value is None else kind.of(value)


def seal(plain: tuple[Any, ...], *bodies: bytes | None) -> bytes:
    """8 bytes that change when a column does. `ascii` of ints, text, bytes and None is the same everywhere."""
    h = sha256(ascii((plain, [None if b is None else len(b) for b in bodies])).encode())
    for body in bodies:
        if body:
            h.update(body)
    return h.digest()[:8]


# ---- sessions --------------------------------------------------------------------------------------------------------


def session_values(row: SessionRow, run_n: int) -> tuple[Any, ...]:
    """All columns of a new authority row."""
    lineage = b"".join(_LINEAGE.pack(raw(e.session), e.superstep, e.events) for e in row.lineage)
    fixed = (
        raw(row.session), raw(row.family), row.plan, row.graph, row.seed, row.mode, raw_or_none(row.origin),
        raw_or_none(row.origin_checkpoint), lineage, raw_or_none(row.caller), row.caller_superstep, row.caller_path,
        row.created_at, row.graph_version, row.graph_file,
    )  # fmt: skip
    carried = None if row.carried is None else _carried_bytes(row.carried)
    past = None if row.past is None else _past_bytes(row.past)
    return (
        *fixed, _session_seal(fixed, carried, past), row.name, json.dumps(row.tags), row.status, row.reason, row.epoch,
        raw_or_none(row.owner), row.attempts, row.commit_n, row.commit_token, raw_or_none(row.head),
        row.head_superstep, row.head_digest, row.event_n, row.input_n, row.taken_n, run_n, row.updated_at, carried,
        past, row.floor_superstep,
    )  # fmt: skip


@_verified
def session_row(r: Row, carried: int = CARRIED) -> SessionRow:
    """An authority row."""
    session = SessionId.of(r[0])
    if _session_seal(tuple(r[:_FIXED]), r[carried], r[carried + 2]) != r[_FIXED] or r[18] not in _STATUSES:
        raise Damage(f"the row of session {session} is damaged")
    lineage = tuple(LineageEntry(SessionId.of(s), k, n) for s, k, n in _LINEAGE.iter_unpack(r[8]))
    tags = tuple(json.loads(r[17]))
    bound = Binding(r[2], r[13], r[14]) if r[carried + 1] is None else _bound(r[0], r[carried + 1])
    return SessionRow(
        session=session, family=SessionId.of(r[1]), plan=bound.plan, graph=r[3], seed=r[4], mode=r[5],
        origin=_id_or_none(SessionId, r[6]), origin_checkpoint=_id_or_none(CheckpointId, r[7]), lineage=lineage,
        caller=_id_or_none(SessionId, r[9]), caller_superstep=r[10], caller_path=r[11], created_at=r[12],
        graph_version=bound.version, graph_file=bound.file, name=r[16], tags=tags, status=r[18], reason=r[19],
        epoch=r[20],
        owner=_id_or_none(WorkerId, r[21]), attempts=r[22], commit_n=r[23], commit_token=r[24],
        head=CheckpointId.of(r[25]), head_superstep=r[26], head_digest=r[27], event_n=r[28], input_n=r[29],
        taken_n=r[30], updated_at=r[32], carried=None if r[carried] is None else _carried(r[carried]),
        past=None if r[carried + 2] is None else _past(r[carried + 2]), floor_superstep=r[carried + 3],
    )  # fmt: skip


def bound_value(session: bytes, bound: Binding) -> bytes:
    """The column `bound`: 8 bytes of seal, then zlib of JSON."""
    body = zlib.compress(json.dumps([bound.plan.hex(), bound.version, bound.file]).encode())
    return seal((session,), body) + body


def _bound(session: bytes, data: bytes) -> Binding:
    if seal((session,), data[8:]) != data[:8]:
        raise Damage(f"the row of session {SessionId.of(session)} is damaged")
    plan, version, file = json.loads(zlib.decompress(data[8:]))
    return Binding(bytes.fromhex(plan), version, file)


def _session_seal(fixed: tuple[Any, ...], carried: bytes | None, past: bytes | None) -> bytes:
    if past is not None:
        return seal(fixed, carried, past)
    return seal(fixed) if carried is None else seal(fixed, carried)


def _past_bytes(past: Past) -> bytes:
    writers = [[w.until, w.session, w.seed.hex(), w.shift] for w in past.writers]
    return zlib.compress(json.dumps([past.forked_at, past.inputs, writers], separators=(",", ":")).encode())


def _past(data: bytes) -> Past:
    forked_at, inputs, writers = json.loads(zlib.decompress(data))
    named = tuple(Writer(n, SessionId(s), bytes.fromhex(seed), shift) for n, s, seed, shift in writers)
    return Past(named, forked_at, inputs)


def _carried_bytes(carried: Carried) -> bytes:
    data = [carried.superstep, carried.seed.hex(), carried.sources]
    return zlib.compress(json.dumps(data, separators=(",", ":")).encode())


def _carried(data: bytes) -> Carried:
    superstep, seed, sources = json.loads(zlib.decompress(data))
    named = tuple((SessionId(source), tuple((p, a, o) for p, a, o in keys)) for source, keys in sources)
    return Carried(superstep, bytes.fromhex(seed), named)


def session_entry(r: Row, carried: int = CARRIED) -> SessionEntry:
    """An authority row and the number of its open interrupts."""
    return SessionEntry(session_row(r, carried), runs=r[31], interrupts=r[-1])


# ---- history ---------------------------------------------------------------------------------------------------------


def checkpoint_values(session: SessionId, row: CheckpointRow, plan: bytes) -> tuple[Any, ...]:
    """A row of `checkpoints`; `plan` is the session's, which isn't repeated."""
    codec, manifest = pack(row.manifest)
    own = None if row.plan == plan else row.plan
    head = (raw(row.checkpoint), raw(session), row.superstep, _KINDS.index(row.kind), raw_or_none(row.parent), own)
    tail = (codec, row.digest, row.opened_at, row.committed_at)
    return (*head, manifest, *tail, seal(head + tail, manifest))


@_verified
def checkpoint_row(r: Row) -> CheckpointRow:
    """A row of `checkpoints` with the session's plan as its last column."""
    ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened, committed, check, session_plan = r
    plain = (ckp, sid, superstep, kind, parent, plan, codec, digest, opened, committed)
    plan = session_plan if plan is None else plan
    if seal(plain, manifest) != check or plan is None:
        name = CheckpointId.of(ckp)
        raise Damage(
            f"checkpoint {name} (superstep {superstep} of session {SessionId.of(sid)}) is damaged", checkpoint=name
        )
    return CheckpointRow(
        checkpoint=CheckpointId.of(ckp), superstep=superstep, kind=_KINDS[kind],
        parent=_id_or_none(CheckpointId, parent), plan=plan, manifest=unpack(codec, manifest), digest=digest,
        opened_at=opened, committed_at=committed,
    )  # fmt: skip


def blob_values(family: bytes, blob: Blob) -> tuple[Any, ...]:
    codec, data = pack(blob.data)
    return (family, blob.hash, codec, len(blob.data), data)


@_verified
def blob_data(hash: bytes, r: Row) -> bytes:
    """The bytes of a blob, compared with its hash."""
    codec, size, data = r
    try:
        # The size bounds what damaged bytes can inflate to.
        plain = unpack(codec, data, size + 1)
    except zlib.error:
        plain = b""
    if len(plain) != size or not fits(hash, plain):
        raise Damage(f"blob {hash.hex()} is damaged")
    return plain


def delta_values(session: SessionId, row: Delta) -> tuple[Any, ...]:
    codec, items = pack(row.items)
    head = (raw(session), row.channel, row.superstep, codec)
    return (*head, items, seal(head, items))


@_verified
def delta_row(session: SessionId, r: Row) -> Delta:
    channel, superstep, codec, items, check = r
    if seal((raw(session), channel, superstep, codec), items) != check:
        raise Damage(f"what superstep {superstep} of session {session} added to channel {channel!r} is damaged")
    return Delta(channel, superstep, unpack(codec, items))


def events_values(session: SessionId, row: EventBatch, first: int) -> tuple[Any, ...]:
    codec, body = pack(row.body)
    head = (raw(session), row.superstep, first, row.count, codec)
    return (*head, body, row.at, seal((*head, row.at), body))


@_verified
def events_row(session: SessionId, r: Row, sealed: int | None = None) -> EventBatch:
    superstep, first, count, codec, body, at, check = r
    if seal((raw(session), superstep, first if sealed is None else sealed, count, codec, at), body) != check:
        raise Damage(f"events from number {first} (superstep {superstep} of session {session}) are damaged")
    return EventBatch(superstep, count, unpack(codec, body), at, first)


def _pack_all(*bodies: bytes | None, like: bytes = b"") -> tuple[int, list[bytes | None]]:
    codec, out = 0, []
    for bit, body in enumerate(bodies):
        if body is not None:
            short, body = pack(body, like)
            codec |= short << bit
        out.append(body)
    return codec, out


def _unpack_bit(codec: int, bit: int, body: bytes | None, like: bytes = b"") -> bytes | None:
    return None if body is None else unpack(codec >> bit & 1, body, like=like)


def effects_values(session: SessionId, rows: Sequence[EffectRow]) -> list[tuple[Any, ...]]:
    """Rows of `effects` that are stored together.

    What a task left mostly repeats what its first call gave, whose outcome never changes; so it is packed against that.
    Not against one that may hold messages: it may be there already in another form, whole where this has references.
    """
    firsts = {r.key: r.outcome for r in rows if r.ordinal == 0 and r.state is EffectState.DONE} if len(rows) > 1 else {}
    return [_effect_values(session, row, _like(firsts, row) if _task_row(row) else None) for row in rows]


def _like(firsts: Mapping[tuple[int, str, int, int], bytes | None], row: EffectRow) -> bytes | None:
    first = firsts.get(_first_call(row.key))
    return None if first is None or may_hold_bodies(first) else first


def _task_row(row: EffectRow) -> bool:
    return row.ordinal == TASK_ORDINAL and row.state is EffectState.DONE


def _first_call(key: tuple[int, str, int, int]) -> tuple[int, str, int, int]:
    return (*key[:3], 0)


def _effect_values(session: SessionId, row: EffectRow, first: bytes | None) -> tuple[Any, ...]:
    codec, bodies = _pack_all(row.request, row.outcome, row.cost, like=first or b"")
    if first and codec:
        codec |= _REPEATS
    head = (
        raw(session), row.superstep, row.path, row.attempt, row.ordinal, row.kind, row.name,
        _CLASSES.index(row.effect_class), int(row.state), row.request_hash, codec,
    )  # fmt: skip
    tail = (row.write_key, row.attempt_token, row.tries, row.fingerprint, row.started_at, row.ended_at)
    return (*head, *bodies, *tail, seal(head + tail, *bodies))


@_verified
def effect_rows(found: Iterable[Row]) -> list[EffectRow]:
    """Rows of `effects`, with all of each superstep."""
    rows = list(found)
    alone = {row.key: row for row in [_effect_row(r) for r in rows if not r[10] & _REPEATS]}
    out = []
    for r in rows:
        row = alone.get(tuple(r[1:5]))
        if row is None:
            first = alone.get(_first_call(tuple(r[1:5])))
            if first is None or first.outcome is None:
                raise Damage(f"effect 0 of task {r[2]!r} (superstep {r[1]} of session {SessionId.of(r[0])}) is missing")
            row = _effect_row(r, first.outcome)
        out.append(row)
    return out


def _effect_row(r: Row, first: bytes = b"") -> EffectRow:
    codec, request, outcome, cost = r[10:14]
    if seal((*r[:11], *r[14:20]), request, outcome, cost) != r[20]:
        raise Damage(f"effect {r[4]} of task {r[2]!r} (superstep {r[1]} of session {SessionId.of(r[0])}) is damaged")
    return EffectRow(
        superstep=r[1], path=r[2], attempt=r[3], ordinal=r[4], kind=r[5], name=r[6], effect_class=_CLASSES[r[7]],
        state=EffectState(r[8]), request_hash=r[9], request=_unpack_bit(codec, 0, request, first),
        outcome=_unpack_bit(codec, 1, outcome, first), write_key=r[14], attempt_token=r[15], tries=r[16],
        cost=_unpack_bit(codec, 2, cost, first), fingerprint=r[17], started_at=r[18], ended_at=r[19],
    )  # fmt: skip


# ---- artifacts -------------------------------------------------------------------------------------------------------


def artifact_values(family: bytes, row: ArtifactRow) -> tuple[Any, ...]:
    plain = (raw(row.artifact), raw(row.session), row.superstep, row.name, row.media_type, row.size, row.hash,
             int(row.kept))  # fmt: skip
    return (family, *plain, seal(plain))


@_verified
def artifact_row(r: Row) -> ArtifactRow:
    """A row of `artifacts`."""
    family, aid, sid, superstep, name, media_type, size, hash, kept, check = r
    if seal((aid, sid, superstep, name, media_type, size, hash, kept)) != check:
        raise Damage(f"the row of artifact {ArtifactId.of(aid)} of family {SessionId.of(family)} is damaged")
    return ArtifactRow(ArtifactId.of(aid), SessionId.of(sid), superstep, name, media_type, size, hash, bool(kept))


# ---- inputs and interrupts -------------------------------------------------------------------------------------------


def input_values(session: SessionId, new: NewInput, n: int, at: int) -> tuple[Any, ...]:
    codec, body = pack(new.body)
    head = (raw(session), n, new.kind, new.message_id, codec)
    tail = (new.principal, at)
    return (*head, body, *tail, seal(head + tail, body))


@_verified
def input_row(r: Row, sealed: int | None = None) -> InputRow:
    sid, n, kind, message_id, codec, body, principal, accepted_at, check, taken_by = r
    if seal((sid, n if sealed is None else sealed, kind, message_id, codec, principal, accepted_at), body) != check:
        raise Damage(f"input {n} of session {SessionId.of(sid)} is damaged")
    return InputRow(kind, message_id, unpack(codec, body), principal, n, accepted_at, taken_by)


def interrupt_values(row: InterruptRow) -> tuple[Any, ...]:
    codec, (question, answer) = _pack_all(row.question, row.answer)
    head = (raw(row.interrupt), raw(row.session), row.superstep, row.path, row.node, row.kind, codec)
    times = (row.opened_at, row.expires_at)
    answered = (row.answered_by, row.answered_at)
    check = seal(head + times + answered, question, answer)
    return (*head, question, *times, answer, *answered, check, row.status)


@_verified
def interrupt_row(r: Row) -> InterruptRow:
    iid, sid, superstep, path, node, kind, codec, question, opened, expires, answer, by, at, check, status = r
    plain = (iid, sid, superstep, path, node, kind, codec, opened, expires, by, at)
    if seal(plain, question, answer) != check or status not in _INTERRUPT_STATUSES:
        raise Damage(f"interrupt {InterruptId.of(iid)} of session {SessionId.of(sid)} is damaged")
    return InterruptRow(
        interrupt=InterruptId.of(iid), session=SessionId.of(sid), superstep=superstep, path=path, node=node,
        kind=kind, question=unpack(codec & 1, question), status=status, opened_at=opened, expires_at=expires,
        answer=_unpack_bit(codec, 1, answer), answered_by=by, answered_at=at,
    )  # fmt: skip
