"""Settings of hooks: what is read, what is refused and why, and which functions stand at which node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from graphagent.errors import InputInvalid, NodeError
from graphagent.session.hooks import Hooks, HookSetting, HookSettings, read_hooks
from graphagent.session.settings import PROJECT_FILE, load_settings

POLICY = """
from graphagent import Allow

def screen(messages): return Allow()
def told(messages, context): return Allow()
def named(messages, *, strict=False): return Allow()
def many(messages, context, more): return Allow()
def none(): return Allow()
def keyword(*, messages): return Allow()
VALUE = 3
"""
GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: small }
start: a
nodes: { a: { kind: set, next: end } }
"""


def hooks(folder: Path, *before: Any) -> Hooks:
    (folder / "policy.py").write_text(POLICY)
    return Hooks(read_hooks({"before": before}), folder, ())


def test_what_a_file_says(tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).write_text("""
        [hooks]
        after = ["policy:check"]
        [[hooks.before]]
        function = "policy.deep:screen"
        nodes = ["support*/*", "*/writer"]
        timeout = "500ms"
        [[hooks.before]]
        function = "policy:screen"
        nodes = "hub.[a-c]?/ask"
    """)
    assert load_settings(tmp_path).hooks == HookSettings(
        (
            HookSetting("policy.deep:screen", ("support*/*", "*/writer"), 0.5),
            HookSetting("policy:screen", ("hub.[a-c]?/ask",), 30.0),
        ),
        (HookSetting("policy:check", ("*/*",), 30.0),),
    )
    given = load_settings(tmp_path, hooks={"after": ["other:check"]}).hooks
    assert given == HookSettings(after=(HookSetting("other:check"),)), "what code says stands in the file's place"


@pytest.mark.parametrize(
    ("line", "path", "said"),
    [
        ("hooks = 3", "$.hooks", "dict is expected"),
        ("hooks.befor = []", "$.hooks.befor", "known: before, after"),
        ('hooks.before = "policy:screen"', "$.hooks.before", "a list is expected"),
        ("hooks.before = [3]", "$.hooks.before[0]", "a table is expected"),
        ("hooks.after = [{ nodes = '*/*' }]", "$.hooks.after[0].function", "is missing"),
        ("hooks.after = [{ function = 'policy' }]", "$.hooks.after[0].function", "'policy' names no function"),
        ("hooks.after = ['a:b', { function = 'a:b', node = '*' }]", "$.hooks.after[1].node", "did you mean 'nodes'"),
        ("hooks.after = [{ function = 'a:b', nodes = [] }]", "$.hooks.after[0].nodes", "a pattern is expected"),
        ("hooks.after = [{ function = 'a:b', nodes = 'support' }]", "$.hooks.after[0].nodes", "`support/*`"),
        ("hooks.after = [{ function = 'a:b', nodes = 'a//c' }]", "$.hooks.after[0].nodes", "no pattern of nodes"),
        ("hooks.after = [{ function = 'a:b', nodes = 'a/[b' }]", "$.hooks.after[0].nodes", "no pattern of nodes"),
        ("hooks.after = [{ function = 'a:b', nodes = ['*/a', 3] }]", "$.hooks.after[0].nodes", "3 is no pattern"),
        ("hooks.after = [{ function = 'a:b', timeout = 3 }]", "$.hooks.after[0].timeout", "500ms, 10s or 2m"),
        ("hooks.after = [{ function = 'a:b', timeout = '0s' }]", "$.hooks.after[0].timeout", "'0s' is no duration"),
    ],
)
def test_a_wrong_setting_says_what_and_where(tmp_path: Path, line: str, path: str, said: str) -> None:
    (tmp_path / PROJECT_FILE).write_text(line + "\n")
    with pytest.raises(InputInvalid) as caught:
        load_settings(tmp_path)
    assert caught.value.path == f"{path} of {PROJECT_FILE}"
    assert said in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("patterns", "covered"),
    [
        ("*/*", {"clinic/desk", "clinic.nurse/ask", "shop/desk"}), ("clinic/*", {"clinic/desk"}),
        ("clinic*/*", {"clinic/desk", "clinic.nurse/ask"}), ("*/desk", {"clinic/desk", "shop/desk"}),
        (["shop/de?k", "clinic.*/[!b]*"], {"shop/desk", "clinic.nurse/ask"}), ("Clinic/*", set()),
    ],
)  # fmt: skip
def test_patterns(patterns: Any, covered: set[str]) -> None:
    (setting,) = read_hooks({"before": [{"function": "a:b", "nodes": patterns}]}).before
    places = ("clinic/desk", "clinic.nurse/ask", "shop/desk")
    assert {place for place in places if setting.covers(*place.split("/"))} == covered


def test_a_function_stands_once_at_a_node(tmp_path: Path) -> None:
    """The first entry that covers the node counts."""
    first = {"function": "policy:screen", "nodes": "a/*", "timeout": "1s"}
    found = hooks(tmp_path, first, "policy:told", "policy:screen")

    def at(graph: str) -> list[tuple[str, float]]:
        return [(hook.name, hook.timeout_s) for hook in found.of("before", graph, "n")]

    assert at("a") == [("policy:screen", 1.0), ("policy:told", 30.0)]
    assert at("b") == [("policy:told", 30.0), ("policy:screen", 30.0)]
    assert found.of("after", "a", "n") == ()


@pytest.mark.parametrize(
    ("name", "parameters"), [("screen", ["messages"]), ("told", ["messages", "context"]), ("named", ["messages"])]
)
def test_what_a_hook_takes(tmp_path: Path, name: str, parameters: list[str]) -> None:
    assert hooks(tmp_path).load(f"policy:{name}")[1] == parameters


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("policy:many", "takes (messages, context, more)"), ("policy:none", "takes ()"),
        ("policy:keyword", "takes (messages)"), ("policy:gone", "no function 'gone'"),
        ("policy:VALUE", "no function 'VALUE'"), ("nowhere:screen", "no module 'nowhere'"),
        ("json:loads", "a module of Python itself"), ("pytest:skip", "no module 'pytest' in the project"),
    ],
)  # fmt: skip
def test_a_function_that_is_no_hook_is_told_by_its_setting(tmp_path: Path, function: str, said: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        hooks(tmp_path, "policy:screen", function).check()
    assert caught.value.path == "$.hooks.before[1].function"
    assert said in caught.value.message
    assert caught.value.hint


def test_the_folder_of_a_graph_brings_no_hook(tmp_path: Path) -> None:
    """A module of that name beside the graph can't stand in for the operator's."""
    folder = tmp_path / "graphs"
    folder.mkdir()
    (folder / "policy.py").write_text(POLICY)
    found = Hooks(read_hooks({"before": ["policy:screen"]}), tmp_path, ())
    with pytest.raises(NodeError, match="no module 'policy'"):
        found.load("policy:screen")


def test_nothing_is_stored_where_a_hook_is_missing(tmp_path: Path) -> None:
    project = ga.Project(tmp_path, store="memory:", hooks={"before": ["policy:gone"]})
    graph = ga.loads(GRAPH)
    with pytest.raises(InputInvalid, match=r"\$\.hooks\.before\[0\]\.function: policy:gone: no module 'policy'"):
        graph.run(project=project)
    assert project.sessions().data()["sessions"] == []
