from __future__ import annotations

from graphagent.cli.frames import brief, failed_node, frame
from tests.unit.cli.plans import plan

GRAPH = """
channels: { n: { type: int, default: 0 } }
start: write
nodes:
  write:
    kind: code
    python: nodes:write
    retry: { max: 3 }
    next: end
"""
TRACE = [{"file": "nodes.py", "line": 14, "function": "write", "text": 'return notes[0]["title"]'}]


def test_the_place_in_the_yaml_then_the_authors_own_code() -> None:
    error = {"kind": "code_failed", "message": "KeyError: 'title'", "node": "write", "attempt": 2, "trace": TRACE}
    node = failed_node(plan(GRAPH), "write")
    assert frame(error, 3, node, {"notes": [1, 2], "topic": "bees"}) == [
        "failed at superstep 3: node `write` raised KeyError: 'title' (attempt 3 of 3)",
        "  --> t.graph.yaml:10:5",
        "   |",
        "10 |     python: nodes:write",
        "   |     ^^^^^^^^^^^^^^^^^^^",
        '  nodes.py:14 in write   return notes[0]["title"]',
        '  inputs: notes = list of 2, topic = "bees"',
    ]


def test_an_error_of_a_model_has_no_attempts() -> None:
    error = {"kind": "unavailable", "message": "can't reach it", "node": "write", "attempt": 0, "source": "model"}
    assert frame(error, 1, failed_node(plan(GRAPH), "write"), {})[0] == (
        "failed at superstep 1: node `write`: can't reach it [unavailable]"
    )


def test_an_error_without_a_node() -> None:
    assert failed_node(plan(GRAPH), None) is None
    assert frame({"kind": "limit", "message": "too much", "node": None}, 2, None, {}) == [
        "failed at superstep 2: too much"
    ]


def test_a_message_steers_no_terminal() -> None:
    lines = frame({"kind": "raised", "message": "\x1b[2J", "node": None}, 0, None, {})
    assert "\x1b" not in "".join(lines)


def test_values_in_a_few_words() -> None:
    assert [brief(v) for v in ([1], {"a": 1, "b": 2}, None, "x" * 99)] == [
        "list of 1",
        "{a, b}",
        "null",
        '"' + "x" * 58 + "…",
    ]
