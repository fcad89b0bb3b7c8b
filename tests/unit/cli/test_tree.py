from __future__ import annotations

import pytest

from graphagent.cli.story import StepView, Story
from graphagent.cli.terminal import columns
from graphagent.cli.tree import Frame, Line, Plain, money, tree
from graphagent.cli.turns import seconds
from graphagent.events import Event
from tests.unit.cli.plans import LOOKS, plan, played


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return played(plan(LOOKS), {"text": "hello"}).events


def text(lines: list[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


def told(events: list[Event]) -> Story:
    story = Story()
    for event in events:
        story.feed(event)
    return story


def test_committed_supersteps_are_one_line_each(events: list[Event]) -> None:
    head, *lines = text(tree(told(events), Frame("looks", 100, started_us=0, now_us=1_500_000)))
    assert head.startswith("⏸ looks  ses_")
    assert "superstep 3 · 1.5 s · " in head
    assert head.endswith(" tok")
    shown = [" ".join(line.split()) for line in lines]
    assert shown[0] == "├─ ✔ 0 0.0 s input"
    assert shown[1].startswith("├─ ✔ 1 0.")
    assert shown[1].endswith("s one, each ×2, child wrote said (2 writers)")  # noqa: RUF001
    assert shown[3].startswith("└─ ⏸ 3")
    assert shown[3].endswith("ask")


def test_an_open_superstep_shows_its_tasks_below(events: list[Event]) -> None:
    first = next(i for i, e in enumerate(events) if e.session != events[0].session and e.kind == "x.task.started")
    lines = text(tree(told(events[: first + 1]), Frame("looks", 100, now_us=events[first].time)))
    shown = "\n".join(lines)
    assert "└─ ● 1" in shown
    assert "● child ▸ ses_" in shown
    assert "superstep 1 · 1 running" in shown
    assert "│  └─ ● think" in shown or "   └─ ● think" in shown


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_frame_but_the_session_id(events: list[Event], width: int) -> None:
    for stop in range(1, len(events), 3):
        lines = text(
            tree(told(events[:stop]), Frame("looks", width, started_us=events[0].time, now_us=events[stop].time))
        )
        assert all(columns(line) <= max(width, 42) for line in lines if "▸" not in line), lines


def test_a_tall_tree_folds_its_oldest_supersteps() -> None:
    story = Story()
    story.feed(Event(None, "e", "s", None, 0, None, None, None, None, 0, "x.superstep.started",  # type: ignore[arg-type]
                     {"kind": "input", "due": []}))  # fmt: skip
    assert story.root is not None
    for number in range(50):
        story.root.steps[number] = StepView(number, status="done", wall_ms=100)
    lines = text(tree(story, Frame("g", 100, height=12)))
    assert len(lines) == 12
    assert lines[1].split() == ["├─", "✔", "0–39", "4.0", "s", "40", "supersteps"]  # noqa: RUF001
    assert lines[2].startswith("├─ ✔ 40")


def test_plain_lines_of_one_superstep(events: list[Event]) -> None:
    story = told(events)
    assert story.root is not None
    plain = Plain("looks")
    assert plain.committed(story, story.root, story.root.steps[0]) == []
    lines = plain.committed(story, story.root, story.root.steps[1])
    assert [line.split(" ")[:4] for line in lines] == [["superstep", "1", "+", n] for n in ("one", "each", "child")]
    assert lines[-1].endswith("wrote said (2 writers)")
    child = next(view for view in story.sessions.values() if view is not story.root)
    assert plain.committed(story, child, child.steps[1])[0].startswith(f"  {child.session} superstep 1 + think")


@pytest.mark.parametrize(
    ("ms", "shown"), [(0, "0.0 s"), (59_949, "59.9 s"), (61_000, "1 min 01 s"), (3_720_000, "1 h 02 min")]
)
def test_durations(ms: int, shown: str) -> None:
    assert seconds(ms) == shown


def test_money() -> None:
    assert (money(0.0041), money(12.5)) == ("$0.0041", "$12.50")
