"""The lineage of forks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphagent.errors import ForkDepth
from graphagent.ids import SessionId
from graphagent.session.forking import DEPTH_LIMIT, lineage_at
from graphagent.snapshot import LineageEntry, SessionRow


def session(n: int) -> SessionId:
    return SessionId.of(n.to_bytes(16, "big"))


def line(depth: int) -> SessionRow:
    """A fork of a fork of ..., each one superstep behind its origin's fork point."""
    lineage = tuple(LineageEntry(session(i), i + 1, 2 * i) for i in range(depth))
    return replace(SessionRow(session(1000), session(0), b"p", "g", b"s"), lineage=lineage, head_superstep=depth + 3)


def test_a_fork_at_an_ancestors_snapshot_is_a_fork_of_the_ancestor() -> None:
    row = line(3)
    assert [e.session for e in lineage_at(row, 5, 9)] == [session(0), session(1), session(2), row.session]
    assert [(e.session, e.superstep) for e in lineage_at(row, 2, 9)] == [(session(0), 1), (session(1), 2)]
    assert lineage_at(row, 0, 0) == (LineageEntry(session(0), 0, 0),)


def test_too_many_forks_of_forks_are_refused_and_early_snapshots_arent() -> None:
    row = line(DEPTH_LIMIT)
    with pytest.raises(ForkDepth, match=f"fork of {DEPTH_LIMIT} forks already") as caught:
        lineage_at(row, DEPTH_LIMIT + 2, 0)
    assert str(session(0)) in str(caught.value.hint)
    assert len(lineage_at(row, 7, 0)) == 7
    assert len(lineage_at(line(DEPTH_LIMIT - 1), DEPTH_LIMIT + 1, 0)) == DEPTH_LIMIT
