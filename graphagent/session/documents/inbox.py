"""The `inbox` document: what people are asked, of all sessions of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphagent.errors import NotFound
from graphagent.ids import SessionId
from graphagent.session.documents.common import graph_ref, interrupt_in
from graphagent.session.documents.forms import InboxDocument, InboxEntry
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """Which questions: those that are open, of all sessions and for anybody, unless something else is said.

    Attributes:
        closed: Also those that are answered, expired or cancelled.
        session: Only those of this session, and of all that it called.
        assignee: Only those for this person.
    """

    closed: bool = False
    session: SessionId | None = None
    assignee: str | None = None


async def inbox_document(host: Host, query: InboxQuery | None = None) -> InboxDocument:
    """The questions, oldest first."""
    query = query or InboxQuery()
    wanted = None if query.session is None else await _below(host, query.session)
    known: dict[SessionId, SessionRow] = {}
    out = []
    for row in await host.store.interrupts(None, status=None if query.closed else "open"):
        if wanted is not None and row.session not in wanted:
            continue
        try:
            part = await interrupt_in(host, row)
            if row.session not in known:
                known[row.session] = await host.store.session(row.session)
        except NotFound:
            continue  # its session was deleted just now, or the snapshot before a closed question was collected
        if query.assignee in (None, part.assignee):
            session = known[row.session]
            named = {name: getattr(part, name) for name in part.__dataclass_fields__}
            out.append(InboxEntry(**named, graph=graph_ref(session, host.settings.root), session_name=session.name))
    return InboxDocument(out, None)


async def _below(host: Host, session: SessionId) -> set[SessionId]:
    """A session and all that it called."""
    rows = [await host.store.session(session)]
    for row in rows:
        rows += await host.store.children(row.session)
    return {row.session for row in rows}
