"""Every JSON document, built once: command line, HTTP, Python and studio show the same fields.

Builders take a `Host` and an authority row, read the store and return a frozen document; `document.data()` is
plain data, `str(document)` a table. All are awaited from trio. Nothing is owned and nothing is written.
"""

from __future__ import annotations

from graphagent.session.documents.common import error_of, graph_ref, interrupt_in, interrupt_part
from graphagent.session.documents.diff import diff_document
from graphagent.session.documents.fork import fork_document
from graphagent.session.documents.forms import DOCUMENTS
from graphagent.session.documents.history import history_document
from graphagent.session.documents.inbox import InboxQuery, inbox_document
from graphagent.session.documents.prompts import prompts_document
from graphagent.session.documents.replay import replay_document
from graphagent.session.documents.run import run_document
from graphagent.session.documents.sessions import sessions_document
from graphagent.session.documents.show import channel_document, last_snapshot_of, show_document
from graphagent.session.documents.tools import tools_document
from graphagent.session.documents.validate import (
    CheckedFile,
    answer_document,
    diagnostic_parts,
    error_document,
    exception_part,
    sent_document,
    validate_document,
)

__all__ = [
    "DOCUMENTS",
    "CheckedFile",
    "InboxQuery",
    "answer_document",
    "channel_document",
    "diagnostic_parts",
    "diff_document",
    "error_document",
    "error_of",
    "exception_part",
    "fork_document",
    "graph_ref",
    "history_document",
    "inbox_document",
    "interrupt_in",
    "interrupt_part",
    "last_snapshot_of",
    "prompts_document",
    "replay_document",
    "run_document",
    "sent_document",
    "sessions_document",
    "show_document",
    "tools_document",
    "validate_document",
]  # fmt: skip
