from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.codec import digest, encode
from graphagent.ids import CheckpointId
from graphagent.snapshot import Binding, Blob, Carried, Past, Writer
from graphagent.stores.bodies import take_out
from graphagent.stores.packing import pack, unpack
from graphagent.stores.rows import (
    Damage,
    blob_data,
    blob_values,
    bound_value,
    effect_rows,
    effects_values,
    interrupt_row,
    interrupt_values,
    seal,
    session_row,
    session_values,
)
from tests.contract import store as contract


@given(st.binary(max_size=2000) | st.text(max_size=2000).map(lambda t: (t * 9).encode()))
def test_packing_gives_back_the_bytes(data: bytes) -> None:
    codec, stored = pack(data)
    assert unpack(codec, stored) == data
    assert len(stored) <= len(data)


@given(st.lists(st.none() | st.binary(max_size=1000), min_size=4, max_size=4))
def test_each_body_of_an_effect_is_packed_by_itself(bodies: list[bytes | None]) -> None:
    row = contract.effect_row(request=bodies[0], outcome=bodies[1], cost=bodies[2], fingerprint=bodies[3])
    assert effect_rows(effects_values(contract.session_row().session, [row])) == [row]


def test_what_a_task_left_costs_little_beside_what_its_call_gave() -> None:
    session, said = contract.session_row().session, bytes(range(256)) * 2
    left = contract.effect_row(ordinal=-1, kind="task", outcome=b'{"scope":' + said + b"}")
    rows = [left, contract.effect_row(outcome=said), contract.effect_row(superstep=1, outcome=said)]
    stored = effects_values(session, rows)
    assert len(stored[0][12]) < len(said) / 10
    assert effect_rows(stored) == rows
    assert effect_rows([stored[2], stored[1], stored[0]]) == [rows[2], rows[1], rows[0]]
    with pytest.raises(Damage, match="effect 0 of task"):
        effect_rows([stored[0], stored[2]])
    alone = effects_values(session, [left])
    assert effect_rows(alone) == [left]


def test_what_a_task_left_can_be_read_whichever_form_its_call_is_stored_in() -> None:
    """A call that is appended ahead of its barrier is stored whole. The commit may send it again with a reference in
    place of its message, which changes nothing, together with what the task left."""
    row = contract.session_row()
    said = encode({"value": [{"role": "user", "content": "hello " * 300}]})
    short = take_out(said, row.session, {})
    assert short != said
    call, left = contract.effect_row(outcome=said), contract.effect_row(ordinal=-1, kind="task", outcome=short + b" ")
    for first, second in ((said, short), (short, said)):
        appended = effects_values(row.session, [replace(call, outcome=first)])
        _, committed = effects_values(row.session, [replace(call, outcome=second), left])
        assert effect_rows([*appended, committed]) == [replace(call, outcome=first), left]


def test_an_answered_interrupt_is_read_back() -> None:
    row = contract.interrupt_row(contract.session_row(), status="answered", answer=b"x" * 999, answered_by="é")
    assert interrupt_row(interrupt_values(row)) == row


def test_a_seal_tells_bodies_and_their_absence_apart() -> None:
    assert len({seal((1,), None), seal((1,), b""), seal((1,), b"", b""), seal((1,), b"a"), seal(("1",), b"a")}) == 5
    assert seal((1,), b"ab", b"c") != seal((1,), b"a", b"bc")


def test_a_row_of_other_types_is_damage() -> None:
    values = list(effects_values(contract.session_row().session, [contract.effect_row()])[0])
    for column in range(len(values)):
        with pytest.raises(Damage):
            effect_rows([[*values[:column], 1.5, *values[column + 1 :]]])


def test_a_damaged_blob_inflates_to_no_more_than_its_size() -> None:
    data = b"a" * 1_000_000
    _, key, codec, _, stored = blob_values(b"f", Blob(digest(data), data))
    with pytest.raises(Damage):
        blob_data(key, (codec, 10, stored))
    assert blob_data(key, (codec, len(data), stored)) == data


def test_what_a_session_carries_is_under_its_seal() -> None:
    head, other = CheckpointId.derive("x"), contract.session_row(1).session
    carried = Carried(3, b"their seed", ((other, (("each[1]", 0, 2), ("node", 1, -1))),))
    past = Past((Writer(3, other, b"its seed"),), 2)
    some: list[dict[str, Any]] = [{}, {"carried": carried}, {"past": past}, {"carried": carried, "past": past}]
    for fields in some:
        row = contract.session_row(3, head=head, floor_superstep=7, **fields)
        *values, one, two, floor = session_values(row, 0)
        assert session_row([*values, 0, one, None, two, floor]) == row
        wrongs = [(w, two, floor) for w in _damaged(one)] + [(one, w, floor) for w in _damaged(two)]
        for wrong in wrongs:
            with pytest.raises(Damage):
                session_row([*values, 0, wrong[0], None, *wrong[1:]])


def _damaged(stored: bytes | None) -> list[bytes | None]:
    return [None, stored[:-1] + bytes([stored[-1] ^ 1])] if stored else [b"", b"x"]


def test_the_plan_that_a_session_was_bound_to_later_is_under_a_seal() -> None:
    row = contract.session_row(2, head=CheckpointId.derive("x"))
    *values, carried, past, floor = session_values(row, 0)
    bound = Binding(b"p" * 32, "2.0.0", "other.graph.yaml")
    stored = bound_value(row.session.raw, bound)
    found = session_row([*values, 0, carried, stored, past, floor])
    assert found == replace(row, plan=bound.plan, graph_version=bound.version, graph_file=bound.file)
    for wrong in (b"", stored[:-1] + bytes([stored[-1] ^ 1]), bound_value(contract.session_row(3).session.raw, bound)):
        with pytest.raises(Damage):
            session_row([*values, 0, carried, wrong, past, floor])
