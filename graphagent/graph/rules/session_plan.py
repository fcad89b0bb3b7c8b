"""A graph that a session can't go on with: `graphagent validate FILE --against SESSION`.

What: a channel whose type or reducer is another one than that under which the session keeps it, a node that is gone or
of another kind while the session waits at it, or an input that its run would have needed.
Why: a session is bound to its plan; to take it over, another graph has to have a place for all that it holds.
Example: `notes: list[str]` became `notes: str` while a session with notes waits for an answer.
Instead: keep `notes`, and declare `summary: str` beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphagent.graph.compatibility import Conflict
from graphagent.graph.diagnostics import Diagnostic, show_path
from graphagent.graph.document import Document

CODE = "GA606"
TITLE = "incompatible with a session's plan"


def findings(conflicts: Sequence[Conflict], document: Document) -> list[Diagnostic]:
    """The conflicts as findings about the document of the new plan."""
    return [
        Diagnostic(CODE, "error", c.message, document.key_span(c.path), show_path(c.path), help=c.help)
        for c in conflicts
    ]
