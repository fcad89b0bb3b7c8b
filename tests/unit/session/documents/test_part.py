from __future__ import annotations

from graphagent.ids import InterruptId, SessionId
from graphagent.session.documents.part import maybe_time, milliseconds, time_text
from graphagent.session.documents.parts import AnswerCause, RouteCause, StartCause, Token, Value


def test_times_are_rfc_3339_with_milliseconds() -> None:
    assert time_text(0) == "1970-01-01T00:00:00.000Z"
    assert time_text(1_795_330_800_213_999) == "2026-11-22T07:00:00.213Z"
    assert maybe_time(None) is None
    assert milliseconds(1_000, 2_999) == 1
    assert milliseconds(5_000, 1_000) == 0


def test_reserved_names_have_no_underscore_in_the_document() -> None:
    assert Token("a", ["b"]).data() == {"node": "a", "from": ["b"]}
    assert RouteCause("b").data() == {"type": "route", "from": "b"}
    assert StartCause().data() == {"type": "start"}


def test_null_is_a_value_and_unset_is_none() -> None:
    assert Value(None).data() == {"value": None}
    assert Value().data() == {}
    assert Value([]).data() == {"value": []}


def test_ids_become_plain_text() -> None:
    interrupt = InterruptId.derive("x")
    data = AnswerCause(interrupt).data()
    assert type(data["interrupt"]) is str
    assert data["interrupt"] == interrupt
    session = SessionId.of(bytes(16))
    assert type(Token("a", [session]).data()["from"][0]) is str
