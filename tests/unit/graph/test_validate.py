"""Phases, silencing, plain data and hostile input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphagent.graph.diagnostics import Span
from graphagent.graph.validate import check_data, positions_of, validate, validate_text

GOLDEN = Path(__file__).parents[2] / "golden"
HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\n"


def codes(text: str) -> list[str]:
    return [item.code for item in validate_text(HEAD + text, "t.graph.yaml")[1]]


@pytest.mark.parametrize("path", sorted((GOLDEN / "valid").glob("*.graph.yaml")), ids=lambda path: path.stem)
def test_data_reads_back_as_an_equal_spec(path: Path) -> None:
    spec, _, document = validate_text(path.read_text(encoding="utf-8"), path.name)
    assert spec is not None
    data = json.loads(json.dumps(spec.data()))
    checked = check_data(data)
    again, found = checked.spec, checked.diagnostics
    if path.stem != "silenced.graph":
        # What a comment silences comes back: comments are no part of a spec.
        assert [item for item in found if item.severity == "error"] == []
        assert again == spec
        assert again is not None
        assert again.data() == data
    assert validate(spec, document) == []


def test_findings_in_data_stand_where_the_spans_say() -> None:
    data = {
        "apiVersion": "graphagent/v1", "kind": "Graph", "metadata": {"name": "t"}, "start": "a",
        "nodes": {"a": {"kind": "set", "next": "b"}},
    }  # fmt: skip
    call = Span("flow.py", 7, 1, 7, 20)
    checked = check_data(data, {"$.nodes.a": call})
    spec, found = checked.spec, checked.diagnostics
    assert spec is None
    assert [(item.code, item.span, item.path, item.fix) for item in found] == [("GA101", call, "$.nodes.a.next", None)]


def test_a_reason_is_needed_to_silence() -> None:
    graph = """channels: {{ a: {{ type: str, default: x }} }}
start: [l, r]
nodes:
  l: {{ kind: set, writes: {{ a: l }}, next: end }}
{comment}  r: {{ kind: set, writes: {{ a: r }}, next: end }}
"""
    assert codes(graph.format(comment="")) == ["GA406"]
    assert codes(graph.format(comment="  # graphagent: allow GA406\n")) == ["GA406"]
    assert codes(graph.format(comment="  # graphagent: allow GA407 other code\n")) == ["GA406"]
    assert codes(graph.format(comment="  # graphagent: allow GA406 they exclude each other\n")) == []
    assert codes(graph.format(comment="  # graphagent: allow GA406 they exclude each other\n  # more\n")) == []


def test_other_errors_are_never_silenced() -> None:
    assert codes("start: a\nnodes:\n  # graphagent: allow GA101 because\n  a: { kind: set, next: b }\n") == ["GA101"]


def test_one_mistake_gives_one_error() -> None:
    assert codes("channels: []\nstart: a\nnodes: { a: { kind: set, writes: { x: 1 }, next: end } }\n") == ["GA006"]
    assert codes("start: a\nnodes: { a: { kind: router, next: b }, b: { kind: nope, next: end } }\n") == ["GA001"]
    graph = "channels: { x: Nope }\nstart: a\nnodes: { a: { kind: set, writes: { x: '${ x.y + 1 }' }, next: end } }\n"
    assert codes(graph) == ["GA103", "GA306"]
    assert codes("start: a\nnodes: { a: { kind: set, next: 5 } }\n") == ["GA006"]


def test_all_errors_of_all_parts_come_at_once() -> None:
    graph = """inputs: { n: integr }
channels: { a: { type: str, defalt: x } }
start: one
nodes:
  one: { kind: set, writes: { b: 1 }, next: two }
  three: { kind: router, next: [{ when: "inputs.m > 1", to: end }, { to: end }] }
"""
    assert sorted(codes(graph)) == ["GA004", "GA101", "GA102", "GA103", "GA204"]


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe", b"\x00", "\ud800", "a: \ud800", "- " * 100_000, "{" * 5_000, "a: [" * 5_000, "? " * 1_000,
        "&a " * 1_000, "a: &a [*a]", "x" * (1 << 20 | 1), "'" + "a\n" * 1_000, "a: |\n" + " x\n" * 10,
        "%YAML 1.1\n---\na", "\u202e: x", "a: \x85b", HEAD + "nodes: []\nstart: {}\n",
        HEAD + "nodes: { a: ~ }\nstart: ~\n", "[]", "5", "null",
    ],
    ids=range(21),
)  # fmt: skip
def test_hostile_text_is_refused_without_an_exception(text: str | bytes) -> None:
    spec, found, _ = validate_text(text, "t.graph.yaml")
    assert spec is None
    assert found


def test_types_that_grow_are_refused() -> None:
    types = {"T0": {"a": "str"}} | {f"T{i}": {"a": f"T{i - 1}", "b": f"T{i - 1}"} for i in range(1, 30)}
    text = HEAD + f"types: {json.dumps(types)}\nstart: a\nnodes: {{ a: {{ kind: set, next: end }} }}\n"
    assert codes(text[len(HEAD) :])[:1] == ["GA006"]


def test_a_long_chain_of_types_is_refused() -> None:
    types = {f"T{i}": {"a": f"T{i + 1}"} for i in range(2_000)} | {"T2000": {"a": "str"}}
    assert "GA006" in codes(f"types: {json.dumps(types)}\nstart: a\nnodes: {{ a: {{ kind: set, next: end }} }}\n")


def test_a_type_is_checked_where_nothing_uses_it() -> None:
    graph = "start: a\nnodes: { a: { kind: code, python: 'm:f', returns: Nope, next: b } }\n"
    assert codes(graph) == ["GA103", "GA101"]


def test_positions_of_nodes() -> None:
    text = (
        HEAD + "start: a\nnodes:\n  a:\n    kind: code\n    python: m:f\n    next: b\n  b: { kind: set, next: end }\n"
    )
    spec, _, document = validate_text(text, "t.graph.yaml")
    assert spec is not None
    found = positions_of(spec, document)
    code = found["nodes", "a"]
    assert (code.file, code.line, code.column, code.end_column) == ("t.graph.yaml", 8, 5, 16)
    assert code.text[code.column - 1 : code.end_column - 1] == "python: m:f"
    assert (found["nodes", "b"].line, found["nodes", "b"].text) == (10, "  b: { kind: set, next: end }")
