from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphagent.cli.given import (
    RECORDED,
    check_models,
    read_edits,
    read_inputs,
    read_limits,
    read_models,
    read_until,
)
from graphagent.errors import InputInvalid
from graphagent.session.settings import load_settings
from tests.unit.cli.plans import TYPED, plan

PLAN = plan(TYPED)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("s=5", "5"),
        ('s="q"', '"q"'),
        ("s=", ""),
        ("s=a=b", "a=b"),
        ("s=@@x", "@x"),
        ("n=5", 5),
        ("n=five", "five"),
        ("f=3", 3),
        ("b=true", True),
        ('l=["x"]', ["x"]),
        ("o=null", None),
        ("o=5", "5"),
        ("o=x", "x"),
        ("k=1", "1"),
        ("a=5", 5),
        ("a=word", "word"),
        ("unknown=5", "5"),
    ],
)
def test_an_input_is_read_by_its_type(word: str, value: Any) -> None:
    (found,) = read_inputs(PLAN.graph, [word], None).values()
    assert found == value
    assert type(found) is type(value)


def test_inputs_of_files_and_documents(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text('{"s": "from the file", "n": 1}')
    assert read_inputs(PLAN.graph, ["n=2"], f"@{file}") == {"s": "from the file", "n": 2}
    assert read_inputs(PLAN.graph, [f"s=@{file}"], None) == {"s": file.read_text()}


@pytest.mark.parametrize(
    ("words", "document", "told"),
    [
        (["s"], None, "'s' isn't NAME=VALUE"),
        (["=x"], None, "isn't NAME=VALUE"),
        ([], "[1]", "a JSON object is expected"),
        ([], "{", "not JSON"),
        (["s=@/none/there"], None, "can't read"),
    ],
)
def test_inputs_that_cant_be_read(words: list[str], document: str | None, told: str) -> None:
    with pytest.raises(InputInvalid, match=told):
        read_inputs(PLAN.graph, words, document)


def test_edits_are_json_or_text() -> None:
    assert read_edits(PLAN.graph, ['c="a"', "xs=[1, 2]"]) == {"c": "a", "xs": [1, 2]}
    assert read_edits(PLAN.graph, ["c=word"]) == {"c": "word"}
    assert read_edits(PLAN.graph, ["c=5"]) == {"c": "5"}


def test_models_by_name_and_for_all() -> None:
    assert read_models(["main=openai/x", "local/smollm2"]) == {"main": "openai/x", "*": "local/smollm2"}
    assert read_models(["a/b@http://h:1/v1?x=y"]) == {"*": "a/b@http://h:1/v1?x=y"}
    for word in ("gpt", "main=gpt", "main=/x"):
        with pytest.raises(InputInvalid, match="isn't provider/model"):
            read_models([word])


def test_names_that_the_graph_doesnt_have(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    check_models(PLAN, {"*": "a/b", "main": "a/b"}, settings)
    with pytest.raises(InputInvalid) as wrong:
        check_models(PLAN, {"mian": "a/b"}, settings)
    assert wrong.value.hint == "did you mean 'main'?"
    with pytest.raises(InputInvalid) as wrong:
        read_until(["zzz"], PLAN.graph)
    assert wrong.value.hint == "nodes are: a, bee"


def test_recorded_answers_are_for_scripted_models(tmp_path: Path) -> None:
    assert read_models(["scripted", "main=scripted"]) == {"*": RECORDED, "main": RECORDED}
    script = tmp_path / "said.yaml"
    for models in ({"main": "local/smollm2"}, {"*": "local/smollm2"}):
        with pytest.raises(InputInvalid, match="no model of the graph is scripted: main is ") as caught:
            check_models(PLAN, models, load_settings(tmp_path, models=models, scripted=script))
        assert caught.value.hint == "add --model scripted"
    for models in ({"*": RECORDED}, {"main": "scripted/said"}):
        check_models(PLAN, models, load_settings(tmp_path, models=models, scripted=script))


def test_where_to_stop() -> None:
    assert read_until(["bee", "3"], PLAN.graph) == (frozenset({"bee"}), 3)
    assert read_limits(None, None) == {}
    assert read_limits(7, 0.05, 9, "1.5h") == {"supersteps": 7, "cost_usd": 0.05, "tokens": 9, "wall": "1.5h"}
    with pytest.raises(InputInvalid, match="'soon' is no duration"):
        read_limits(None, timeout="soon")
