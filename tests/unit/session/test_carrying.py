"""What a fork before a call leaves out of the journal."""

from __future__ import annotations

import pytest

from graphagent.session.carrying import Call, node_of
from graphagent.snapshot import TASK_ORDINAL, EffectRow, EffectState


def row(path: str, ordinal: int, attempt: int = 0, ended_at: int | None = 5) -> EffectRow:
    kind = "task" if ordinal == TASK_ORDINAL else "tool"
    return EffectRow(3, path, attempt, ordinal, kind, "x", "read", EffectState.DONE, ended_at=ended_at)


@pytest.mark.parametrize(
    ("path", "ordinal", "attempt", "gone"),
    [
        ("agent", 3, 0, False),
        ("agent", 4, 0, True),
        ("agent", 5, 0, True),
        ("agent", TASK_ORDINAL, 0, True),
        ("agent/2.0", 7, 0, False),
        ("agent/5.0", 0, 0, True),
        ("agent/5.1/2.0", 1, 0, True),
        ("agent", 0, 1, True),
        ("agent", TASK_ORDINAL, 1, True),
        ("other", 9, 0, False),
        ("other", TASK_ORDINAL, 0, False),
        ("agent[1]", 9, 0, False),
        ("agents", 9, 0, False),
    ],
)
def test_rows_around_a_call_of_a_task(path: str, ordinal: int, attempt: int, gone: bool) -> None:
    assert Call("agent", 0, 4, 1).undoes(row(path, ordinal, attempt)) is gone


@pytest.mark.parametrize(
    ("path", "ordinal", "gone"),
    [
        ("agent/4.0", 0, False),
        ("agent/4.0", 1, True),
        ("agent/4.0", 2, True),
        ("agent/4.1", 9, False),
        ("agent/4.0/2.0", 0, True),
        ("agent/4.0/0.0", 8, False),
        ("agent", 3, False),
        ("agent", 5, True),
        ("agent/3.0", 9, False),
        ("agent/5.0", 0, True),
    ],
)
def test_rows_around_a_call_in_a_scope(path: str, ordinal: int, gone: bool) -> None:
    """Branches of one scope don't depend on each other; what came behind the scope depends on all of them."""
    assert Call("agent/4.0", 0, 1, 1).undoes(row(path, ordinal)) is gone


def test_a_map_ends_behind_its_items_and_earlier_attempts_of_it_stay() -> None:
    call = Call("each[2]", 1, 0, started_at=100)
    assert call.undoes(row("each", TASK_ORDINAL, ended_at=200))
    assert call.undoes(row("each", TASK_ORDINAL, ended_at=None))
    assert not call.undoes(row("each", TASK_ORDINAL, ended_at=50))
    assert not call.undoes(row("each[1]", TASK_ORDINAL))
    assert not call.undoes(row("each[2]", TASK_ORDINAL, attempt=0))
    assert call.undoes(row("each[2]", TASK_ORDINAL, attempt=1))


def test_the_node_of_a_path() -> None:
    assert [node_of(p) for p in ("a", "a[3]", "a/4.0", "a[1]/2.0")] == ["a"] * 4
