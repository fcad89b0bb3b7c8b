"""The `sessions` document."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphagent.session.documents.common import error_of, graph_ref, head_of, origin_of, usage_of
from graphagent.session.documents.forms import SessionEntry, SessionsDocument
from graphagent.session.documents.page import states_of
from graphagent.session.documents.part import time_text
from graphagent.session.reading import last_error
from graphagent.snapshot import SessionEntry as Listed
from graphagent.snapshot import SessionQuery

if TYPE_CHECKING:
    from graphagent.session.host import Host


async def sessions_document(host: Host, query: SessionQuery) -> SessionsDocument:
    """The sessions that a query finds, newest update first; `next` is the `before_us` of the next page."""
    found = await host.store.sessions(replace(query, limit=query.limit + 1))
    shown = found[: query.limit]
    entries = [await session_entry(host, listed) for listed in shown]
    more = len(found) > query.limit and shown
    return SessionsDocument(entries, str(shown[-1].row.updated_at) if more else None)


async def session_entry(host: Host, listed: Listed) -> SessionEntry:
    """A session as it stands in a listing."""
    row = listed.row
    assert row.head is not None
    state = (await states_of(host, row, [await host.store.checkpoint(row.head)]))[0]
    record = await last_error(host.store, row) if row.status == "failed" else None
    error = None
    if record is not None:
        error = error_of(record, row.session, record.get("superstep", row.head_superstep), state.graph)
    return SessionEntry(
        row.session, row.name, graph_ref(row, host.settings.root), row.status, row.reason, list(row.tags),
        origin_of(row), row.caller, listed.runs, row.head_superstep, head_of(row), listed.interrupts,
        usage_of(state.control.spent), time_text(row.created_at), time_text(row.updated_at), error,
    )  # fmt: skip
