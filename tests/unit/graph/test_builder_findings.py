"""What is wrong with a graph that was built, shown at the call that wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphagent.graph.builder import GraphBuilder, X, channel, end, route
from graphagent.graph.diagnostics import Diagnostic, render

HERE = "tests/unit/graph/test_builder_findings.py"


def function(x: int) -> int:
    return x


def findings(g: GraphBuilder) -> list[Diagnostic]:
    return g.checked().diagnostics


def lines(g: GraphBuilder) -> list[tuple[str, str]]:
    """(code, the line that it points to)."""
    checked = g.checked()
    texts = {name: text.splitlines() for name, text in checked.texts.items()}
    return [(item.code, texts[item.span.file][item.span.line - 1].strip()) for item in checked.diagnostics]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])


def test_the_frame_shows_the_call() -> None:
    g = GraphBuilder("frame")
    g.channels(answer=str)
    g.start("a")
    g.set("a", writes={"answr": 1}).next(end)
    checked = g.checked()
    line = (
        Path(__file__).read_text(encoding="utf-8").splitlines().index('    g.set("a", writes={"answr": 1}).next(end)')
    )
    assert (
        render(checked.diagnostics, checked.texts)
        == f"""\
error[GA102]: unknown channel `answr`
  --> {HERE}:{line + 1}:5
   |
{line + 1} |     g.set("a", writes={{"answr": 1}}).next(end)
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not declared under `channels`
   |
help: did you mean `answer`?

1 error in 1 file.  graphagent explain GA102"""
    )


def test_each_call_has_its_own_place() -> None:
    g = GraphBuilder("Places")
    g.channels(n=int)
    g.channels(m="nope")
    g.start("missing")
    g.set("a", writes={"n": "${ 1 + }"}).next(
        route("b", when="n > 'x'"),
        route("nowhere"),
    )
    assert lines(g) == [
        ("GA006", 'g = GraphBuilder("Places")'),
        ("GA103", 'g.channels(m="nope")'),
        ("GA101", 'g.start("missing")'),
        ("GA201", 'g.set("a", writes={"n": "${ 1 + }"}).next('),
        ("GA101", 'route("b", when="n > \'x\'"),'),
        ("GA205", 'route("b", when="n > \'x\'"),'),
        ("GA101", 'route("nowhere"),'),
    ]  # fmt: skip


class Callable:
    def method(self) -> int:
        return 1

    def __call__(self) -> int:
        return 1


def inner() -> Any:
    def local() -> int:
        return 1

    return local


alias = function
shadowed = lambda: 1  # noqa: E731


@pytest.mark.parametrize(
    "python", [lambda: 1, inner(), Callable().method, Callable(), shadowed, 5, None],
    ids=["lambda", "local", "method", "object", "named lambda", "number", "none"],
)  # fmt: skip
def test_a_function_without_a_name_to_import_it_by_is_refused(python: Any) -> None:
    g = GraphBuilder("nameless")
    g.channels(n=int)
    g.start("a")
    g.code("a", python=python, writes={"n": X("out")}).next(end)
    assert lines(g) == [("GA512", 'g.code("a", python=python, writes={"n": X("out")}).next(end)')]
    assert findings(g)[0].help is not None


def test_a_function_is_named_by_its_module() -> None:
    g = GraphBuilder("named", inputs={"x": int})
    g.start("a")
    g.code("a", python=alias, with_={"x": X("inputs.x")}).next(end)
    assert findings(g) == []
    assert g.nodes["a"].data()["python"] == "tests.unit.graph.test_builder_findings:function"


def test_what_is_written_twice_shows_both_places() -> None:
    g = GraphBuilder("twice")
    g.start("a")
    g.start("b")
    g.channels(n=int)
    g.channels(n=str)
    g.set("a").next("b")
    first = g.set("b")
    g.set("b", writes={"n": "never read"}).next("a")
    first.next(end)
    first.next("a")
    found = [item for item in findings(g) if item.code == "GA003"]
    assert [item.message for item in found] == [f"`{name}` is written twice" for name in ("start", "n", "b", "next")]
    for item in found:
        assert item.notes[0].span is not None
        assert item.notes[0].span.line < item.span.line
    assert [item.code for item in findings(g)] == ["GA003"] * 4


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), b"x", float("nan"), 1 << 63, {1: 2}, "\ud800", [{"x": 1j}]],
    ids=["set", "object", "bytes", "nan", "big", "key", "surrogate", "nested"],
)  # fmt: skip
def test_values_that_are_no_plain_data_are_refused(value: Any) -> None:
    g = GraphBuilder("values")
    g.channels(n="any")
    g.start("a")
    g.set("a", writes={"n": value}).next(end)
    assert [item.code for item in findings(g)] == ["GA006"]
    assert findings(g)[0].path.startswith("$.nodes.a.writes.n")


def test_types_that_nobody_knows_are_refused_once() -> None:
    g = GraphBuilder("types", inputs={"a": bytes, "b": (int, "x")}, outputs={"c": 5})
    g.channels(c=channel(set[int]), d=(int, 3))
    g.start("a")
    g.set("a", writes={"c": X("inputs.a")}).next(end)
    assert sorted((item.code, item.path) for item in findings(g)) == [
        ("GA006", "$.channels.c.type"),
        ("GA006", "$.channels.d"),
        ("GA006", "$.inputs.a"),
        ("GA006", "$.outputs.c"),
        ("GA303", "$.inputs.b"),
    ]


def test_a_type_has_the_name_of_its_class_only() -> None:
    from pydantic import BaseModel

    class Doc(BaseModel):
        text: str

    g = GraphBuilder("names")
    g.types(Doc=Doc, Paper=Doc)
    g.types(Doc={"text": str})
    g.start("a")
    g.set("a").next(end)
    assert [(item.code, item.path) for item in findings(g)] == [("GA006", "$.types.Paper"), ("GA003", "$.types.Doc")]


def test_unknown_keywords_are_findings_too() -> None:
    g = GraphBuilder("keywords")
    g.start("a")
    g.code("a", python=function, efects="pure").next(end)  # type: ignore[call-arg]
    g.human("b", prompt="Go?").next(end)  # type: ignore[call-arg]
    assert [(item.code, item.help) for item in findings(g)][:1] == [("GA004", "did you mean `effects`?")]
    assert "the key `mode` is missing" in [item.message for item in findings(g)]


def test_a_map_needs_one_node_to_run() -> None:
    g = GraphBuilder("map", inputs={"xs": list[int]})
    g.start("each")
    with g.map("each", over="inputs.xs") as m:
        pass
    m.next(end)
    assert [item.message for item in findings(g)] == ["the key `do` is missing"]
    m.do.code(python=function, with_={"x": X("item")})
    assert findings(g) == []
    m.do.code(python=function, with_={"x": X("index")})
    assert [item.message for item in findings(g)] == ["`do` is written twice"]


def test_positions_are_those_of_the_calls() -> None:
    g = GraphBuilder("positions", inputs={"x": int})
    g.start("a")
    g.code("a", python=function,
           with_={"x": X("inputs.x")}).next(end)  # fmt: skip
    position = g.checked().positions["nodes", "a"]
    assert position.text == '    g.code("a", python=function,'
    assert (position.file, position.column, position.end_column) == (HERE, 5, len(position.text) + 1)


def test_findings_in_a_sub_graph() -> None:
    g = GraphBuilder("outer")
    g.start("run")
    g.graph("run", graph="inner").next(end)
    sub = g.subgraph("inner", inputs={"x": (int, 1)})
    sub.channels(n=int)
    sub.start("a")
    sub.set("a", writes={"m": 1}).next(end)
    assert lines(g) == [("GA102", 'sub.set("a", writes={"m": 1}).next(end)')]
    g.subgraph("inner").start("b")
    assert ("GA003", 'g.subgraph("inner").start("b")') in lines(g)
