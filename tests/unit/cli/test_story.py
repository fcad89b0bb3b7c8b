from __future__ import annotations

import pytest

from graphagent.cli.story import Story
from tests.unit.cli.plans import LOOKS, Played, plan, played


@pytest.fixture(scope="module")
def run() -> Played:
    return played(plan(LOOKS), {"text": "hello"})


def test_the_first_session_is_the_root_and_a_child_hangs_under_its_task(run: Played) -> None:
    story = Story()
    for event in run.events:
        story.feed(event)
        if event.kind == "RunStarted" and event.session != run.run["session"]:
            break
    assert story.root is not None
    assert story.root.session == run.run["session"]
    step = story.root.open
    assert step is not None
    assert step.tasks["child"].child == event.session
    assert story.sessions[event.session].caller == story.root.session


def test_what_runs_while_it_runs(run: Played) -> None:
    story, most, texts = Story(), 0, set()
    for event in run.events:
        view = story.feed(event)
        if view is story.root:
            most = max(most, view.running)
            if view.open is not None and "one" in view.open.tasks:
                texts.add(view.open.tasks["one"].text)
    assert most >= 3
    assert max(texts, key=len) == "echo: hello"


def test_committed_supersteps(run: Played) -> None:
    story = Story()
    for event in run.events:
        story.feed(event)
    assert story.root is not None
    steps = story.root.steps
    assert [(s.number, s.kind, s.status) for s in steps.values()][:2] == [
        (0, "input", "done"),
        (1, "superstep", "done"),
    ]
    assert list(steps[1].tasks) == ["one", "each", "child"]
    assert list(steps[1].tasks["each"].items) == ["each[0]", "each[1]"]
    assert steps[1].changes == [("said", 2)]
    assert steps[3].tasks["ask"].status == "waiting"
    assert (story.root.status, story.root.open) == ("waiting", None)
    usage = run.run["usage"]
    assert story.tokens == usage["input_tokens"] + usage["output_tokens"]
    assert story.cost == 0.0


def test_tasks_that_were_not_seen_live_come_from_the_journal(run: Played) -> None:
    story = Story()
    for event in run.events:
        if event.task != "one" or event.seq is not None:
            story.feed(event)
    assert story.root is not None
    assert story.root.steps[1].tasks["one"].status == "replayed"
    assert story.root.steps[1].tasks["each"].status == "done"


def test_a_failure_keeps_the_open_superstep() -> None:
    found = played(plan('channels: { n: { type: int, default: 0 } }\nstart: a\nnodes:\n'
                        '  a: { kind: set, writes: { n: "${ 1 // n }" }, next: end }\n'), {})  # fmt: skip
    story = Story()
    for event in found.events:
        story.feed(event)
    assert story.root is not None
    assert (story.root.status, story.root.steps[1].status) == ("failed", "failed")
    assert story.root.steps[1].tasks["a"].status == "failed"
    assert "zero" in story.root.steps[1].tasks["a"].note
