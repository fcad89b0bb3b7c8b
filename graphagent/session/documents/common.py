"""Builders of the parts that need one row or record and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphagent.codec import decode, digest, encode, show_digest
from graphagent.engine.failures import record
from graphagent.engine.late import evidence_for
from graphagent.engine.spending import usage_data
from graphagent.graph.plan import GraphPlan
from graphagent.ids import RunId, SessionId, digest128, encode128
from graphagent.session.documents.part import maybe_time, time_text
from graphagent.session.documents.parts import (
    Error,
    Evidence,
    GraphRef,
    Head,
    Interrupt,
    Origin,
    Span,
    Usage,
    Value,
    ValueRef,
)
from graphagent.snapshot import UNSET, EffectState, InterruptRow, SessionRow, Spent
from graphagent.snapshot import Span as StoreSpan

if TYPE_CHECKING:
    from graphagent.session.host import Host

VALUE_LIMIT = 64 * 1024
"""A larger value, in bytes of its canonical form, stands as a reference."""
PREVIEW_CHARACTERS = 200


def usage_of(spent: Spent) -> Usage:
    """The usage of a sum."""
    return Usage(**usage_data(spent))


def graph_ref(row: SessionRow, root: Path) -> GraphRef:
    """The graph of a session; its file is relative to the project where it is inside."""
    return GraphRef(row.graph, row.graph_version, show_digest(row.plan), relative(row.graph_file, root))


def relative(file: str | None, root: Path) -> str | None:
    """A path relative to the project, with `/`; a path outside of it as it is."""
    if file is None:
        return None
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def head_of(row: SessionRow) -> Head:
    """The head that the authority row names."""
    assert row.head is not None
    return Head(row.head, row.head_superstep, show_digest(row.head_digest))


def origin_of(row: SessionRow) -> Origin | None:
    """Where a fork begins; None for a session that isn't one."""
    if row.origin is None or row.origin_checkpoint is None or row.forked_at is None:
        return None
    return Origin(row.origin, row.origin_checkpoint, row.forked_at)


def error_of(
    error: Mapping[str, Any], session: SessionId, superstep: int | None, graph: GraphPlan | None,
    task: str | None = None,
) -> Error:  # fmt: skip
    """The user's view of an error record. What a record lacks follows from its kind.

    Args:
        graph: Says where the node stands in the file, if that is known.
    """
    node, attempt = error.get("node"), error.get("attempt")
    full = {**record(error["kind"], error["message"], node=node, attempt=attempt or 0, source="graph"), **error}
    path = task or error.get("task") or node
    number = digest128(session, str(superstep), path or "", attempt or 0, full["fingerprint"])
    return Error(
        "err_" + encode128(number), full["kind"], full["cause"], full["class"], full["message"], full["hint"],
        full["retryable"], full["source"], node, superstep, path, attempt, span_of(graph, node),
    )  # fmt: skip


def span_of(graph: GraphPlan | None, node: str | None) -> Span | None:
    """Where a node stands in its file; None if this process hasn't read the file."""
    index = graph.node_index.get(node) if graph is not None and node is not None else None
    position = graph.nodes[index].position if graph is not None and index is not None else None
    if position is None:
        return None
    return Span(position.file, position.line, position.column, position.line, position.end_column)


def interrupt_part(row: InterruptRow, run: RunId, evidence: Evidence | None = None) -> Interrupt:
    """An interrupt; `run` is the one in which it was raised."""
    question = decode(row.question)
    options = question.get("options")
    return Interrupt(
        row.interrupt, row.session, run, row.node, row.path, row.superstep, row.status, row.kind,  # type: ignore[arg-type]
        question["prompt"], None if options is None else [str(o) for o in options], question.get("answer_schema") or {},
        question.get("payload"), question.get("assignee"), time_text(row.opened_at), maybe_time(row.expires_at),
        None if row.answer is None else decode(row.answer), row.answered_by, maybe_time(row.answered_at), evidence,
    )  # fmt: skip


async def interrupt_in(host: Host, row: InterruptRow) -> Interrupt:
    """An interrupt with its run: that of the snapshot which its superstep read."""
    from graphagent.session.reading import checkpoint_at

    session = await host.store.session(row.session)
    checkpoint = await checkpoint_at(host.store, session, row.superstep)
    return interrupt_part(row, RunId(decode(checkpoint.manifest)["run"][0]), await evidence_in(host, row))


async def evidence_in(host: Host, row: InterruptRow) -> Evidence | None:
    """What came in about the write in doubt that an open question is about."""
    if row.kind != "in_doubt" or row.status != "open":
        return None
    journal = await host.store.effects([StoreSpan(row.session, row.superstep, row.superstep + 1)])
    found = evidence_for(row.interrupt, row.session, journal)
    if found is None:
        return None
    ended = decode(found.outcome or b"")
    failed = found.state is EffectState.FAILED
    return Evidence(None if failed else ended, ended["message"] if failed else None, time_text(found.ended_at or 0))


def shown(value: Any, *, full: bool = False) -> Value:
    """A value, or a reference where its canonical form is over the limit. An unset one is null."""
    if value is UNSET:
        return Value(None)
    data = encode(value)
    if full or len(data) <= VALUE_LIMIT:
        return Value(value)
    return Value(value_ref=ValueRef(show_digest(digest(data)), len(data), data[: PREVIEW_CHARACTERS * 4].decode(
        errors="ignore")[:PREVIEW_CHARACTERS]))  # fmt: skip
