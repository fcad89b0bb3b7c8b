"""The turns of an agent as people see them. `UPDATE_GOLDEN=1` writes the files anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from graphagent import concurrency
from graphagent.cli.main import main
from graphagent.cli.render import Lines
from graphagent.cli.story import Story
from graphagent.cli.terminal import PLAIN, columns
from graphagent.cli.tree import Frame, tree
from graphagent.events import Event
from graphagent.llm.scripted import Turn
from graphagent.session.documents import history_document, run_document, show_document
from tests.unit.cli.screen import err, out, terminal
from tests.unit.session.stage import Stage
from tests.unit.session.test_core_events import FUNCTIONS, call, staged

GOLDEN = Path(__file__).parents[2] / "golden" / "turns"
TURNS = [
    Turn(tool_calls=(call("weather", city="Rome"), call("broken", x=1), call("other", q="hm")), reasoning="Hm."),
    Turn(tool_calls=(call("nope"),)),
    "It is sunny.",
]


def golden(name: str, text: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def still(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"ses_[0-9a-z]{6,}", "ses_0", text)
    return re.sub(r"\d+\.\d( ?)s\b", r"0.0\1s", text)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    stage, graph = staged(tmp_path_factory.mktemp("turns"), TURNS)
    concurrency.run_sync(stage.start, graph)
    return stage.seen


@pytest.mark.parametrize("width", [40, 100])
@pytest.mark.parametrize("ascii", [False, True], ids=["unicode", "ascii"])
def test_the_tree_shows_turns_and_calls(events: list[Event], width: int, ascii: bool) -> None:
    story = Story()
    for event in events:
        story.feed(event)
    lines = ["".join(piece for piece, _ in line) for line in tree(story, Frame("t", width))]
    assert all(columns(line) <= max(width, 42) for line in lines)
    text = still("\n".join(lines).translate(PLAIN if ascii else {}))
    assert not ascii or text.isascii()
    golden(f"tree-{width}{'-ascii' if ascii else ''}", text + "\n")


def test_an_open_superstep_shows_the_newest_turns(tmp_path: Path) -> None:
    """One call a turn: what goes on at the same time is drawn as it comes."""
    turns = [Turn(tool_calls=(call(name, **args),)) for name, args in (("nope", {}), ("broken", {"x": 1}))]
    stage, graph = staged(tmp_path, [*turns, Turn(tool_calls=(call("weather", city="Rome"),)), "It is sunny."])
    concurrency.run_sync(stage.start, graph)
    story = Story()
    for event in stage.seen[: next(i for i, e in enumerate(stage.seen) if e.data.get("turn") == 3)]:
        story.feed(event)
    lines = ["".join(piece for piece, _ in line) for line in tree(story, Frame("t", 60, height=20))]
    golden("open", still("\n".join(lines)) + "\n")


def test_plain_lines_show_turns_and_calls(events: list[Event]) -> None:
    screen = terminal()
    lines = Lines(screen, "t")
    for event in events:
        lines.feed(event)
    golden("lines", still(err(screen)))


def test_documents_carry_turns_and_calls(tmp_path: Path) -> None:
    async def run() -> None:
        stage, graph = staged(tmp_path, TURNS)
        outcome = await stage.start(graph)
        document = (await run_document(stage.host, outcome)).data()
        (agent,) = document["agents"]
        assert (agent["superstep"], agent["task"]) == (1, "a")
        assert [t["turn"] for t in agent["turns"]] == [0, 1, 2]
        assert [[(c["tool"], c["status"]) for c in t["calls"]] for t in agent["turns"]] == [
            [("weather", "ok"), ("broken", "error"), ("other", "ok")], [("nope", "error")], [],
        ]  # fmt: skip
        assert all(t["model"] == "m" and t["wall_ms"] >= 0 for t in agent["turns"])
        usage = document["usage"]
        assert sum(t["input_tokens"] + t["output_tokens"] for t in agent["turns"]) == (
            usage["input_tokens"] + usage["output_tokens"]
        )
        child = agent["turns"][0]["calls"][2]["child"]
        assert child == (await stage.store.children(outcome.row.session))[0].session
        shown = (await show_document(stage.host, outcome.row, 2)).data()
        assert shown["tasks"][0]["turns"] == agent["turns"]
        history = (await history_document(stage.host, outcome.row)).data()
        assert history["supersteps"][1]["tasks"][0]["turns"] == agent["turns"]

    concurrency.run_sync(run)


def test_an_agent_that_fails_shows_its_turns(tmp_path: Path) -> None:
    """Lines, and the document of the failed run, from the command line."""
    Stage(tmp_path, FUNCTIONS)
    (tmp_path / "t.graph.yaml").write_text(
        "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\nmodels: { m: scripted/m }\n"
        'tools: { broken: { python: "fns:broken", effects: read } }\nstart: a\nnodes:\n'
        "  a: { kind: agent, model: m, prompt: Go., tools: [broken], max_turns: 1, next: end }\n"
    )
    (tmp_path / "s.yaml").write_text("- tool_calls: [{name: broken, arguments: {x: 1}}]\n  reasoning: Hm.\n")
    screen = terminal()
    arguments = ["--project", str(tmp_path), "--store", "memory:", "--json", "run", str(tmp_path / "t.graph.yaml")]
    assert main([*arguments, "--scripted", str(tmp_path / "s.yaml")], screen) == 1
    assert "\n  turn 1 " in err(screen)
    assert '"agents":[{"superstep":1,"task":"a","turns":[{"turn":0,"model":"m"' in out(screen)
