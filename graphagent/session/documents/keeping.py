"""Documents about whole sessions and stores: exported, imported, labelled, deleted, checked, verified, collected."""

from __future__ import annotations

from collections.abc import Sequence

from graphagent.codec import show_digest
from graphagent.ids import SessionId
from graphagent.ports import Store, StoreState
from graphagent.session.archive import Exported
from graphagent.session.documents.common import head_of
from graphagent.session.documents.forms import (
    CollectDocument,
    Damaged,
    DeletedDocument,
    ExportDocument,
    ImportDocument,
    LabelsDocument,
    StoreDocument,
    VerifyDocument,
)
from graphagent.session.retention import Collected
from graphagent.session.verifying import Verified
from graphagent.snapshot import SessionRow


def export_document(session: SessionId, file: str, done: Exported) -> ExportDocument:
    """A session that was written to a file."""
    digest = show_digest(done.digest)
    return ExportDocument(
        session, file, done.size, digest, done.sessions, list(done.secret_channels), done.artifacts, list(done.redacted)
    )


async def import_document(store: Store, row: SessionRow, file: str) -> ImportDocument:
    """A session that was read from a file."""
    sessions = [other.session for other in await store.family(row.family)]
    return ImportDocument(row.session, file, row.status, head_of(row), sessions)


def labels_document(row: SessionRow) -> LabelsDocument:
    """The name and the tags of a session."""
    return LabelsDocument(row.session, row.name, list(row.tags))


def deleted_document(sessions: Sequence[SessionId]) -> DeletedDocument:
    """The sessions that were deleted."""
    return DeletedDocument(list(sessions))


def store_document(state: StoreState, applied: Sequence[str] = ()) -> StoreDocument:
    """Versions and state of a store."""
    problems = [Damaged(None, None, None, text) for text in state.problems]
    return StoreDocument(
        state.name, not state.pending and not problems, state.schema, state.newest, state.min_reader, state.store_id,
        state.created_by, list(state.pending), list(applied), problems,
    )  # fmt: skip


def verify_document(store: Store, found: Verified) -> VerifyDocument:
    """What was read of a store, and what of it is damaged."""
    problems = [Damaged(p.session, p.superstep, p.checkpoint, p.what) for p in found.problems]
    return VerifyDocument(
        store.name, not problems, found.sessions, found.checkpoints, found.blobs, found.artifacts, problems
    )


def collect_document(store: Store, found: Collected, *, dry_run: bool) -> CollectDocument:
    """What a collection removed, or would remove."""
    return CollectDocument(
        store.name,
        dry_run,
        found.deleted,
        found.trimmed,
        found.checkpoints,
        found.blobs,
        found.artifacts,
        found.strays,
        found.skipped,
    )
