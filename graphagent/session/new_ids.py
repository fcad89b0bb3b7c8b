"""An archive under other ids: what derives from a session's id is derived anew, what a replay needs stays.

History keeps what it was run with: `Past` names the old session, and inputs that were taken keep their bodies. What
is still to come gets the new ids: children, questions, write keys, and inputs that nobody has taken yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from graphagent.codec import decode, encode
from graphagent.engine.call_ids import child_id, write_key
from graphagent.errors import Conflict
from graphagent.ids import CheckpointId, InterruptId, SessionId, digest128
from graphagent.session.archive import Archive
from graphagent.snapshot import CheckpointRow, EffectRow, InputRow, InterruptRow, Past, SessionCopy, SessionRow, Writer

ATTEMPTS = 64
ORDINALS = 256


def with_new_ids(archive: Archive, root: SessionId) -> Archive:
    """The archive with `root` as the id of its session, and with ids that follow from it.

    Raises:
        Conflict: a write has no outcome; under another key its peer would take it for another one.
    """
    ids: dict[SessionId, SessionId] = {archive.root: root}
    for row in _callers_first(archive):
        ids[row.session] = _child(row, ids) if row.session != archive.root else root
    new = _NewIds({str(old): str(to) for old, to in ids.items()}, ids, root)
    return replace(archive, root=root, sessions=tuple(new.copy(copy) for copy in archive.sessions))


def moved_interrupt(row: InterruptRow, old: SessionId, new: SessionId) -> InterruptRow:
    """The same question of another session: its id derives from the same place there."""
    return replace(row, interrupt=_interrupt(row, old, new), session=new)


def _callers_first(archive: Archive) -> list[SessionRow]:
    rows = [copy.row for copy in archive.sessions if copy.row.session == archive.root]
    for row in rows:
        rows += [copy.row for copy in archive.sessions if copy.row.caller == row.session]
    return rows


def _child(row: SessionRow, ids: Mapping[SessionId, SessionId]) -> SessionId:
    caller, superstep, path = row.caller, row.caller_superstep, row.caller_path
    assert caller is not None
    if superstep is not None and path is not None:
        for attempt in range(ATTEMPTS):
            if child_id(caller, superstep, path, attempt) == row.session:
                return child_id(ids[caller], superstep, path, attempt)
    return SessionId.of(digest128(ids[caller], "import", row.session))


def _interrupt(row: InterruptRow, old: SessionId, new: SessionId) -> InterruptId:
    place = (row.superstep, row.path)
    for attempt in range(ATTEMPTS):
        for ordinal in range(ORDINALS if attempt < 4 else 8):
            if InterruptId.derive(old, *place, attempt, ordinal) == row.interrupt:
                return InterruptId.derive(new, *place, attempt, ordinal)
            for tries in range(1, 4) if row.kind == "in_doubt" else ():
                if InterruptId.derive(old, *place, attempt, ordinal, "in_doubt", tries) == row.interrupt:
                    return InterruptId.derive(new, *place, attempt, ordinal, "in_doubt", tries)
    return InterruptId.derive(new, "import", row.interrupt)


@dataclass(frozen=True, slots=True)
class _NewIds:
    """Maps rows. `texts` has every new id by the old one as they stand in bodies; interrupts are added as they come."""

    texts: dict[str, str]
    ids: Mapping[SessionId, SessionId]
    root: SessionId

    def copy(self, copy: SessionCopy) -> SessionCopy:
        """All rows of a session."""
        old, new = copy.row.session, self.ids[copy.row.session]
        interrupts = tuple(sorted((moved_interrupt(i, old, new) for i in copy.interrupts), key=lambda i: i.interrupt))
        checkpoints = {c.checkpoint: _checkpoint(c, new) for c in copy.checkpoints}
        texts = dict(self.texts)
        for before in copy.interrupts:
            texts[before.interrupt] = _interrupt(before, old, new)
        rows = tuple(
            replace(checkpoints[c.checkpoint], parent=_mapped(c.parent, checkpoints)) for c in copy.checkpoints
        )
        inputs = tuple(i if i.taken_by is not None else _input(i, texts) for i in copy.inputs)
        effects = tuple(_effect(e, old, new, copy.effects) for e in copy.effects)
        artifacts = tuple(replace(row, session=new) for row in copy.artifacts)
        return SessionCopy(
            self.row(copy.row, checkpoints), rows, copy.deltas, effects, copy.events, inputs, interrupts, artifacts
        )

    def row(self, row: SessionRow, checkpoints: Mapping[CheckpointId, CheckpointRow]) -> SessionRow:
        """The authority row, which remembers as which session its history was run."""
        past = row.past or Past()
        head = row.head_superstep
        writers = [w for w in past.writers if w.until <= head]
        if not writers or writers[-1].until < head:
            writers.append(Writer(head, row.session, row.seed_at(max(head - 1, 0))))
        ahead = [replace(w, session=self.ids[row.session]) for w in past.writers if w.until > head]
        assert row.head is not None
        return replace(
            row, session=self.ids[row.session], family=self.root, past=replace(past, writers=(*writers, *ahead)),
            head=_mapped(row.head, checkpoints), caller=None if row.caller is None else self.ids[row.caller],
        )  # fmt: skip


def _checkpoint(row: CheckpointRow, session: SessionId) -> CheckpointRow:
    rest = sha256(session.encode() + row.checkpoint.encode()).digest()
    return replace(row, checkpoint=CheckpointId.timed(row.committed_at, rest))


def _mapped(checkpoint: CheckpointId | None, checkpoints: Mapping[CheckpointId, CheckpointRow]) -> CheckpointId | None:
    """The new id; a parent that was collected keeps its old one."""
    if checkpoint is None or checkpoint not in checkpoints:
        return checkpoint
    return checkpoints[checkpoint].checkpoint


def _effect(row: EffectRow, old: SessionId, new: SessionId, journal: Sequence[EffectRow]) -> EffectRow:
    if row.effect_class == "write" and row.outcome is None:
        what = f"the write {row.name!r} of task {row.path!r} has no outcome"
        raise Conflict(what, hint="import it where its id is free, without --new-ids, or settle the write first")
    if row.write_key is None:
        return row
    task = row.path.partition("/")[0]  # its branches share the task's keys
    for occurrence in range(min(len(journal), ORDINALS)):
        if write_key(old, row.superstep, task, row.name, row.request_hash, occurrence) == row.write_key:
            key = write_key(new, row.superstep, task, row.name, row.request_hash, occurrence)
            return replace(row, write_key=key)
    return replace(row, write_key=None)  # of a session before this one, so no call of this one has it


def _input(row: InputRow, texts: Mapping[str, str]) -> InputRow:
    """An input that isn't taken yet: the ids that it names are the new ones."""
    message_id = row.message_id
    for old, to in texts.items():
        message_id = message_id.replace(old, to)
    return replace(row, body=encode(_renamed(decode(row.body), row.kind, texts)), message_id=message_id)


def _renamed(body: Any, kind: str, texts: Mapping[str, str]) -> Any:
    """The body with new ids where the engine puts them; what people said stays."""
    if kind not in ("answer", "timer", "child"):
        return body
    return {k: texts.get(v, v) if k in ("interrupt", "child") and isinstance(v, str) else v for k, v in body.items()}
