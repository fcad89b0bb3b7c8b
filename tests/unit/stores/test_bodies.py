"""Bodies of messages that were taken out of a row come back as they were, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.codec import digest, encode
from graphagent.errors import StoreCorrupt
from graphagent.ids import SessionId
from graphagent.stores import bodies
from graphagent.stores.bodies import MARK, family_of, fits, hashes_in, put_back, take_out

FAMILY = SessionId.of(bytes(range(16)))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TRICKY = st.sampled_from(['{"\\u0000":["', "\0", '"', "\\", '{"role":"user"}', "\x00m1", "a" * 2000])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | TRICKY, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Messages, and what looks much like one."""
    message: dict[str, Any] = {"role": draw(st.sampled_from(["user", "assistant", "tool", "sage"]))}
    message["content"] = draw(TEXT | TRICKY | ANY)
    for key in draw(st.sets(st.sampled_from(["id", "name", "idle", "a", "tool_calls", "\0"]))):
        message[key] = draw(TEXT | TRICKY | ANY)
    return message


ROWS = st.lists(messages() | ANY, max_size=6) | st.dictionaries(TEXT, st.lists(messages(), max_size=3), max_size=3)


@given(row=ROWS, least=st.sampled_from([1, 64, 1024]))
def test_a_row_comes_back_as_it_was(row: Any, least: int) -> None:
    data, found = encode(row), dict[bytes, bytes]()
    short = take_out(data, FAMILY, found, least)
    assert put_back(short, found) == data
    assert sorted(hashes_in(short)) == sorted(found)
    assert all(digest(body) == name and len(body) >= least for name, body in found.items())
    assert (short == data) == (not found)
    assert fits(digest(data), short)
    assert family_of([short]) == (FAMILY if found else None)


def test_a_body_is_the_same_whatever_the_id() -> None:
    said = {"role": "user", "content": "x" * 2000}
    found: dict[bytes, bytes] = {}
    short = take_out(encode([said, {"id": "msg_1", **said}, {"id": "msg_2", **said, "name": "n"}]), FAMILY, found)
    assert len(found) == 2
    assert len(short) < 400
    assert digest(encode(said)) in found


def test_small_bodies_stay_unless_the_row_is_long() -> None:
    said = [{"role": "user", "content": "x" * 300}]
    found: dict[bytes, bytes] = {}
    assert take_out(encode(said), FAMILY, found) == encode(said)
    assert take_out(encode(said * 100), FAMILY, found).startswith(MARK)
    assert list(found) == [digest(encode(said[0]))]


def test_a_changed_row_with_references_is_seen() -> None:
    found: dict[bytes, bytes] = {}
    data = encode([{"role": "user", "content": "x" * 2000}])
    short = take_out(data, FAMILY, found)
    assert not fits(digest(data), short[:-1] + b" ")
    with pytest.raises(StoreCorrupt):
        take_out(short, FAMILY, found)
    assert bodies.hashes_in(data) == []
