"""Workflows that exist in the world, written afresh: the same order of steps and the same results.

After what the examples of Argo Workflows (map-reduce, dag-diamond, conditionals, retries, exit-handlers, suspend) and
of the CNCF Serverless Workflow specification (fork, try-catch-retry, switch, for) do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from tests.acceptance.test_examples import order

HERE = Path(__file__).parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ga.Project]:
    monkeypatch.setenv("PORTED_FOLDER", str(tmp_path))
    made = ga.Project(tmp_path, store="memory:")
    yield made
    made.close()


def load(name: str) -> ga.Graph:
    graph = ga.load(HERE / f"{name}.graph.yaml")
    assert graph.diagnostics == []
    return graph


def checked(result: ga.Result, nodes: list[list[str]]) -> dict[str, Any]:
    """The outputs, when the nodes ran in this order and a replay finds no difference."""
    assert order(result.session) == nodes
    result.session.replay().check()
    return dict(result.outputs)


def test_map_reduce(project: ga.Project) -> None:
    graph = load("argo_map_reduce")
    result = graph.run(text="one two three four five six seven", project=project)
    assert checked(result, [["split"], ["map"], ["reduce"]]) == {"total": 7}
    assert checked(graph.run(text="", parts=3, project=project), [["split"], ["map"], ["reduce"]]) == {"total": 0}


def test_dag_diamond(project: ga.Project) -> None:
    result = load("argo_dag_diamond").run(project=project)
    assert checked(result, [["a"], ["b", "c"], ["d"]]) == {"said": ["A", "B", "C", "D"]}


def side(seed: str) -> str:
    return "heads" if hashlib.sha256(seed.encode()).digest()[0] % 2 else "tails"


def test_conditionals_take_every_way(project: ga.Project) -> None:
    graph, seen = load("argo_conditionals"), set()
    for n in range(20):
        seed = f"seed {n}"
        first, second = side(seed), side(f"{seed} again")
        nodes = [["flip_coin"], ["heads"]]
        said = "it was heads"
        if first == "tails":
            nodes = [["flip_coin"], ["flip_again"], [f"tails_then_{second}"]]
            said = f"it was tails then {second}"
        assert checked(graph.run(seed=seed, project=project), nodes) == {"said": said}
        seen.add(said)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("times", "said"), [(0, "call 1 succeeds"), (3, "call 4 succeeds"), (9, "gave up: call 4 fails")]
)
def test_retry(project: ga.Project, times: int, said: str) -> None:
    result = load("argo_retry").run(times=times, project=project)
    assert said in checked(result, [["flaky"], ["gave_up"]] if times > 3 else [["flaky"]])["said"].replace(
        "RuntimeError: ", ""
    )


@pytest.mark.parametrize(
    ("fails", "status", "last", "word"),
    [(False, "Succeeded", "celebrate", "hooray"), (True, "Failed", "cry", "boohoo")],
)
def test_the_exit_handler_runs_whatever_happened(
    project: ga.Project, fails: bool, status: str, last: str, word: str
) -> None:
    result = load("argo_exit_handler").run(fails=fails, project=project)
    outputs = checked(result, [["work"], ["notify"], [last]])
    assert outputs == {"status": status, "said": [f"the work has {status}", word]}


def test_suspend_goes_on_by_an_answer_and_after_its_time(project: ga.Project) -> None:
    result = load("argo_suspend").run(project=project)
    assert (result.status, order(result.session)) == ("waiting", [["build"], ["approve"]])
    result = result.session.answer(True)
    nodes = [["build"], ["approve"], ["approve"], ["delay"], ["delay"], ["release"]]
    assert checked(result, nodes) == {"log": ["built", "released"]}


@pytest.mark.parametrize("who", ["nurse", "doctor"])
def test_fork_ends_with_whoever_comes_first(project: ga.Project, who: str) -> None:
    result = load("cncf_fork").run(project=project)
    assert result.status == "waiting"
    result.session.send(f"{who}.came")
    result = result.session.resume()
    nodes = [["raise_alarm"], ["call_nurse", "call_doctor"], [f"call_{who}"], ["helped"]]
    assert checked(result, nodes) == {"who": who}


@pytest.mark.parametrize(
    ("times", "url", "outputs"),
    [
        (0, "https://x.example", {"status": 200, "caught": ""}),
        (2, "https://x.example", {"status": 200, "caught": ""}),
        (9, "https://x.example", {"status": 503, "caught": "code_failed"}),
        (0, "ftp://x.example", {"status": 503, "caught": "code_failed"}),
    ],
)
def test_try_catch_retry(project: ga.Project, times: int, url: str, outputs: dict[str, Any]) -> None:
    result = load("cncf_try_catch_retry").run(times=times, url=url, project=project)
    assert checked(result, [["try_block"], ["catch"]] if outputs["caught"] else [["try_block"]]) == outputs


@pytest.mark.parametrize(
    ("order_type", "nodes"),
    [
        ("electronic", ["validate_payment", "fulfil"]),
        ("physical", ["check_inventory", "package", "schedule"]),
        ("gift", ["log_warning", "notify_admin"]),
    ],
)
def test_switch(project: ga.Project, order_type: str, nodes: list[str]) -> None:
    result = load("cncf_switch").run(order_type=order_type, project=project)
    assert len(checked(result, [["process_order"], *([node] for node in nodes)])["done"]) == len(nodes)


def test_for_stops_at_the_first_pet_without_an_owner(project: ga.Project) -> None:
    pets = [{"name": "Rex", "owner": "Ann"}, {"name": "Tom", "owner": "Bob"}, {"name": "Stray", "owner": None}]
    result = load("cncf_for").run(pets=pets, project=project)
    nodes = [["more"], ["check_in"], ["more"], ["check_in"], ["more"]]
    assert checked(result, nodes) == {"checked": ["Rex of Ann", "Tom of Bob"], "stopped_at": 2}
