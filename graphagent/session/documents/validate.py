"""The `validate`, `answer`, `sent` and `error` documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphagent.codec import show_digest
from graphagent.errors import Conflict, GraphAgentError, GraphInvalid, NodeError, StoreUnavailable
from graphagent.graph import diagnostics as graph_diagnostics
from graphagent.graph.plan import Plan
from graphagent.ids import SessionId, digest128, encode128
from graphagent.session.documents.forms import (
    AnswerDocument,
    Counts,
    Diagnostic,
    Edit,
    ErrorDocument,
    Fix,
    Note,
    SentDocument,
    ValidatedFile,
    ValidateDocument,
)
from graphagent.session.documents.part import time_text
from graphagent.session.documents.parts import Error, Interrupt, Span
from graphagent.snapshot import InputRow


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file whose findings are known. `text` is what the findings point into, `plan` None if it has errors.

    `others` are the texts of the files that it imports, by the names in findings. `graph` is its name as far as it
    could be read, `nodes` and `channels` count those that were read.
    """

    file: str
    text: str
    graph: str | None = None
    plan: Plan | None = None
    nodes: int = 0
    channels: int = 0
    others: Mapping[str, str] = field(default_factory=dict)


def validate_document(
    files: Sequence[CheckedFile], diagnostics: Sequence[graph_diagnostics.Diagnostic], *, strict: bool = False
) -> ValidateDocument:
    """All findings in order of place.

    Args:
        strict: Warnings fail too.
    """
    found = sorted(diagnostics, key=graph_diagnostics.place)
    failing = {d.span.file for d in found if strict or d.severity == "error"}
    errors = sum(d.severity == "error" for d in found)
    texts = {name: text for f in files for name, text in f.others.items()} | {f.file: f.text for f in files}
    rows = [
        ValidatedFile(
            f.file, f.file not in failing, f.plan.name if f.plan is not None else f.graph,
            show_digest(f.plan.hash) if f.plan is not None else None,
            sum(len(g.nodes) for g in f.plan.graphs.values()) if f.plan is not None else f.nodes,
            sum(len(g.channels) for g in f.plan.graphs.values()) if f.plan is not None else f.channels,
        )
        for f in files
    ]  # fmt: skip
    return ValidateDocument(not failing, rows, diagnostic_parts(found, texts), Counts(errors, len(found) - errors))


def diagnostic_parts(diagnostics: Sequence[graph_diagnostics.Diagnostic], texts: Mapping[str, str]) -> list[Diagnostic]:
    """Findings with their frames; `texts` are the files by name."""
    return [diagnostic_part(d, texts.get(d.span.file)) for d in diagnostics]


def diagnostic_part(found: graph_diagnostics.Diagnostic, text: str | None) -> Diagnostic:
    """One finding with its frame."""
    fix = None
    if found.fix is not None:
        fix = Fix(found.fix.title, [Edit(_span(e.span), e.text) for e in found.fix.edits])
    notes = [Note(n.message, None if n.span is None else _span(n.span)) for n in found.notes]
    return Diagnostic(
        found.code, found.severity, found.message, found.span.file, _span(found.span), found.path, found.label, notes,
        found.help, graph_diagnostics.frame(found, text), fix,
    )  # fmt: skip


def _span(span: graph_diagnostics.Span) -> Span:
    return Span(span.file, span.line, span.column, span.end_line, span.end_column)


def answer_document(interrupt: Interrupt) -> AnswerDocument:
    """The receipt of an answer."""
    return AnswerDocument(interrupt)


def sent_document(session: SessionId, event: str, accepted: InputRow) -> SentDocument:
    """The receipt of an event."""
    return SentDocument(session, event, time_text(accepted.accepted_at))


def error_document(error: BaseException, texts: Mapping[str, str] | None = None) -> ErrorDocument:
    """Why nothing was started.

    Args:
        texts: The files that findings point into, by name, for their frames.
    """
    found = error.diagnostics if isinstance(error, GraphInvalid) else []
    return ErrorDocument(exception_part(error), diagnostic_parts(found, texts or {}))


def exception_part(error: BaseException) -> Error:
    """An exception as an error. One that isn't ours is of kind `internal`; its text is for the log, not for a user."""
    ours = isinstance(error, GraphAgentError)
    kind, message = "internal", f"{type(error).__name__}: {error}"
    if isinstance(error, GraphAgentError):
        kind, message = error.kind if isinstance(error, NodeError) else error.code, error.message
    if isinstance(error, GraphInvalid):
        message = graph_diagnostics.summary(error.diagnostics) if error.diagnostics else error.message
    retryable = isinstance(error, Conflict | StoreUnavailable) or (isinstance(error, NodeError) and error.retryable)
    return Error(
        "err_" + encode128(digest128(kind, message)), kind, getattr(error, "cause", None), _class(retryable, ours),
        message, getattr(error, "hint", None), retryable, "engine", None, None, None, None, None,
    )  # fmt: skip


def _class(retryable: bool, ours: bool) -> str:
    if not ours:
        return "bug"
    return "retryable" if retryable else "terminal"
