"""Answers in their short and long forms, and whether they fit their questions."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.codec import encode, freeze
from graphagent.elicitation import Elicitation, asked_by
from graphagent.errors import InputInvalid, NodeError
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.validate import check_text
from graphagent.ids import InterruptId, SessionId
from graphagent.nodes.elicitation import question
from graphagent.session.answers import canonical
from graphagent.snapshot import InterruptRow

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: g }
start: a
nodes: { a: { kind: set, next: end } }
"""
SCHEMA = {
    "type": "object",
    "properties": {"size": {"type": "integer", "maximum": 50}, "note": {"type": "string"}},
    "required": ["size"],
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    checked = check_text(GRAPH, "g.graph.yaml")
    assert checked.spec is not None
    return compile_spec(checked.spec, lambda file: None)


def asked() -> InterruptRow:
    session = SessionId.of(b"s" * 16)
    data = freeze(question("shop.order", Elicitation.of("Which size?", SCHEMA)))
    return InterruptRow(
        InterruptId.derive(session, 1), session, 1, "a", "a", "elicitation", encode(data), opened_at=0, expires_at=None
    )


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ({"size": 3}, {"action": "accept", "value": {"size": 3}}),
        ({"value": {"size": 3}}, {"action": "accept", "value": {"size": 3}}),
        ({"action": "accept", "value": {"size": 3}}, {"action": "accept", "value": {"size": 3}}),
        (False, {"action": "decline"}),
        ("decline", {"action": "decline"}),
        ("cancel", {"action": "cancel"}),
        ({"action": "cancel", "note": "later"}, {"action": "cancel", "note": "later"}),
    ],
)
def test_what_a_server_asks_has_short_answers(plan: Plan, given: Any, full: dict[str, Any]) -> None:
    assert canonical(asked(), plan, given, "ann", None) == {**full, "by": "ann"}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"size": 51}, "$.value.size"),
        ({"size": "large"}, "$.value.size"),
        ({"note": "x"}, "$.value"),
        ({"size": 1, "colour": "red"}, "$.value.colour"),
        ({"action": "accept"}, "$.value"),
        ({"action": "accept", "value": 3}, "$.value"),
        ({"action": "decline", "value": {"size": 1}}, "$.value"),
        ({"action": "perhaps"}, "$.action"),
        ({"action": ["accept"]}, "$.action"),
        ({"action": "decline", "other": 1}, "$.other"),
        (True, "$"),
        (None, "$"),
        ([], "$"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(plan: Plan, given: Any, path: str) -> None:
    with pytest.raises(InputInvalid) as found:
        canonical(asked(), plan, given, None, None)
    assert found.value.path.startswith(path)


def test_a_question_is_known_by_all_of_its_words() -> None:
    one = Elicitation.of("x" * 5_000 + "a", SCHEMA)
    assert len(one.message) == 4_000
    assert one.digest != Elicitation.of("x" * 5_000 + "b", SCHEMA).digest
    assert one.digest != Elicitation.of("x" * 5_000 + "a", {**SCHEMA, "required": []}).digest
    assert asked_by(one.error("key")) == (one, "key")
    assert asked_by(NodeError("no", kind="tool_failed")) is None
