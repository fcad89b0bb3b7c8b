from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphagent.ids import SessionId
from graphagent.stores.rules import fold, id_bounds


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 30))
def test_the_bounds_of_a_prefix_hold_exactly_the_ids_that_start_with_it(one: bytes, other: bytes, length: int) -> None:
    prefix = SessionId.of(one)[:length]
    bounds = id_bounds(prefix)
    assert bounds is not None
    assert bounds[0] <= one <= bounds[1]
    assert (bounds[0] <= other <= bounds[1]) is SessionId.of(other).startswith(prefix)


@given(st.text(max_size=40))
def test_no_text_confuses_the_bounds(text: str) -> None:
    bounds = id_bounds(text)
    assert bounds is None or bounds[0] <= bounds[1]


def test_folding_is_of_ascii_only() -> None:
    assert fold("ÄBC-Ünï") == "Äbc-Ünï"
