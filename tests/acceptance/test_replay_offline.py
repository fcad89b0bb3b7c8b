"""`replay --mode verify` of everything that ships, in a process that can reach nothing; and what a change shows."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from tests.acceptance.shop import ROOT, Shop
from tests.acceptance.test_examples import SERVERS, alone
from tests.acceptance.test_examples import play as play_run
from tests.acceptance.test_ready_made import RUNS, play

GRAPHS = ROOT / "graphs"


def offline(store: Path, *more: str) -> Any:
    """What `offline.py` prints."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.acceptance.offline", str(store), *more]
    done = subprocess.run(command, cwd=store.parent, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- everything that ships -----------------------------------------------------------------------------------------


def play_example(folder: Path, store: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example as its `expected.json` says, in a copy with the servers that it needs."""
    place = root / folder.name
    shutil.copytree(folder, place)
    monkeypatch.syspath_prepend(place)
    monkeypatch.chdir(place)
    script = place / "script.yaml"
    with SERVERS.get(folder.name, alone)(place, monkeypatch):
        for run in json.loads((folder / "expected.json").read_text(encoding="utf-8")):
            told = script.is_file()
            models = {"*": "scripted/recorded"} if told else None
            project = ga.Project(place, store=store, scripted=script if told else None, models=models)
            files = list(place.glob("*.graph.yaml"))
            named = [file for file in files if file.name == f"{folder.name}.graph.yaml"] or files
            graph = ga.load(named[0]) if files else importlib.import_module(next(place.glob("*.py")).stem).build()
            assert play_run(graph, run, folder, project).status == "done"
            project.close()


def play_ready_made(name: str, run: dict[str, Any] | None, store: str, root: Path) -> None:
    """Run a ready-made graph with its recorded answers: as its runs say, or on the texts that ship."""
    script = GRAPHS / f"{name}.script.yaml"
    if run is None:
        titles = sorted((GRAPHS / "texts").glob("*.txt"))
        run = {"inputs": {"texts": [{"title": t.stem, "text": t.read_text(encoding="utf-8")} for t in titles]}}
    project = ga.Project(root, store=store, models={"*": "scripted/recorded"}, scripted=script)
    assert play(name, run, project).status == "done"
    project.close()


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store with a session of every example and ready-made graph, and with a fork."""
    store = tmp_path / "sessions.db"
    before = set(sys.modules)
    for expected in sorted((ROOT / "examples").glob("*/expected.json")):
        play_example(expected.parent, str(store), tmp_path, monkeypatch)
    runs: list[Any] = [param.values for param in RUNS]
    for name, run in [*runs, ("summarize", None)]:
        play_ready_made(name, run, str(store), tmp_path)
    project = ga.Project(tmp_path, store=str(store))
    fork = project.session("@last").fork(-2)
    assert fork.resume().status == "done"
    project.close()
    yield store
    for name, module in list(sys.modules.items()):
        if name not in before and "/examples/" in (getattr(module, "__file__", None) or ""):
            del sys.modules[name]


def test_everything_that_ships_replays_with_the_world_blocked(recorded: Path) -> None:
    before = sorted(f.name for f in recorded.parent.iterdir())
    replays = offline(recorded)
    assert all(r["identical"] for r in replays), [r["first_difference"] for r in replays if not r["identical"]]
    assert all(r["supersteps"] for r in replays)
    assert {r["effects"]["external"] for r in replays} == {0}
    names = {r["graph"] for r in replays}
    folders = [file.parent for file in ROOT.glob("examples/*/expected.json")]
    files = [folder / f"{folder.name}.graph.yaml" for folder in folders] + list(GRAPHS.glob("*.graph.yaml"))
    shipped = {ga.load(file).name for file in files if file.is_file()}
    assert shipped <= {n.partition(".")[0] for n in names}, "each has a session"
    assert any("." in name for name in names), "no child session"
    assert sum(r["effects"]["replayed"] for r in replays) >= 10, "no journal was needed"
    assert sorted(f.name for f in recorded.parent.iterdir()) == before, "something was left behind"


def test_the_guard_refuses(tmp_path: Path) -> None:
    refused = offline(tmp_path / "sessions.db", "--try")
    assert set(refused) == {
        "connect", "bind", "resolve", "sendto", "popen", "system", "fork", "exec", "spawn", "write", "temporary",
        "open_tcp_stream", "asyncio_connect",
    }  # fmt: skip


# ---- something changed -----------------------------------------------------------------------------------------------

GRAPH = """
    inputs: { topic: str }
    outputs: { text: str, length: int }
    models: { writer: scripted/writer }
    channels: { text: { type: str, default: "" }, length: { type: int, default: 0 }, seen: { type: str, default: "" } }
    start: write
    nodes:
      write:
        kind: llm
        model: writer
        prompt: "Write about {{ topic }}."
        with: { topic: "${ inputs.topic }" }
        writes: { text: "${ out.text }" }
        next: measure
      measure: { kind: code, python: "shop_floor:measure", effects: pure, with: { text: "${ text }" }, writes: { length: "${ out }" }, next: look }
      look: { kind: code, python: "shop_floor:look", with: { length: "${ length }" }, writes: { seen: "${ out }" }, next: end }
"""
FLOOR = """
    def measure(text):
        return len(text)

    def look(length):
        return note("look")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path, GRAPH, FLOOR)
    (tmp_path / "script.yaml").write_text('turns: [{ text: "A bee." }]\n')
    code, run = made.run("-i", "topic=bees", "--scripted", "script.yaml")
    assert (code, run["outputs"]) == (0, {"text": "A bee.", "length": 6}), run["told"]
    return made


def difference(shop: Shop, *more: str) -> dict[str, Any]:
    """The first difference that `graphagent replay` reports."""
    code, replay = shop.do("replay", "@last", *more)
    assert code == 5, replay["told"]
    found: dict[str, Any] = replay["first_difference"]
    assert replay["effects"]["external"] == 0
    assert shop.calls() == {"look": 1}, "a replay calls nobody"
    return found


def test_nothing_changed(shop: Shop) -> None:
    code, replay = shop.do("replay", "@last")
    assert (code, replay["identical"], replay["first_difference"]) == (0, True, None)
    assert shop.calls() == {"look": 1}


def test_a_pure_function_changed(shop: Shop) -> None:
    shop.floor.write_text(shop.floor.read_text().replace("len(text)", "len(text) + 1"))
    found = difference(shop)
    assert (found["superstep"], found["node"], found["kind"]) == (2, "measure", "writes_changed")
    assert (found["expected"], found["actual"]) == ({"length": 6}, {"length": 7})
    assert found["diff"] == [{"json_path": "$.length", "expected": 6, "actual": 7}]
    assert found["digest"]["expected"] != found["digest"]["actual"]
    assert found["hint"]
    assert [r["first_difference"] for r in offline(shop.store)] == [found], "the same with the world blocked"


def test_a_prompt_changed(shop: Shop) -> None:
    other = shop.folder / "other.graph.yaml"
    other.write_text(shop.graph.read_text().replace("Write about", "Sing of"))
    found = difference(shop, "--graph", str(other))
    assert (found["superstep"], found["node"], found["kind"]) == (1, "write", "request_changed")
    (change,) = [d for d in found["diff"] if "content" in d["json_path"]]
    assert (change["expected"], change["actual"]) == ("Write about bees.", "Sing of bees.")
    assert [r["first_difference"] for r in offline(shop.store, str(other))] == [found], (
        "the same with the world blocked"
    )


def test_a_route_changed(shop: Shop) -> None:
    other = shop.folder / "other.graph.yaml"
    other.write_text(
        shop.graph.read_text().replace("next: look }", 'next: [{ when: "length > 6", to: look }, { to: end }] }')
    )
    found = difference(shop, "--graph", str(other))
    assert (found["superstep"], found["node"], found["kind"]) == (2, "measure", "route_changed")
    assert (found["expected"]["to"], found["actual"]["to"]) == (["look"], ["end"])


def test_a_call_more(shop: Shop) -> None:
    other = shop.folder / "other.graph.yaml"
    other.write_text(shop.graph.read_text().replace("effects: pure, ", ""))
    found = difference(shop, "--graph", str(other))
    assert (found["superstep"], found["node"], found["kind"]) == (2, "measure", "extra")
    assert found["expected"] is None


def test_a_call_less(shop: Shop) -> None:
    other = shop.folder / "other.graph.yaml"
    changed = shop.graph.read_text().replace('"shop_floor:look", with', '"shop_floor:look", effects: pure, with')
    other.write_text(changed)
    shop.floor.write_text(shop.floor.read_text().replace('return note("look")', 'return "look"'))
    found = difference(shop, "--graph", str(other))
    assert (found["superstep"], found["node"], found["kind"]) == (3, "look", "missing")
    assert found["actual"] is None
