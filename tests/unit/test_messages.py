from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphagent.messages import Price, Usage

usages = st.builds(
    Usage,
    *[st.integers(0, 10**6)] * 5,
    cost_micro=st.none() | st.integers(0, 10**9),
    estimated=st.booleans(),
)


@given(usages)
def test_data_and_back(usage: Usage) -> None:
    assert Usage.from_data(usage.data()) == usage


@given(usages, usages, usages)
def test_the_sum_doesnt_depend_on_grouping_and_has_a_neutral_element(a: Usage, b: Usage, c: Usage) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Usage() == a


def test_an_unknown_cost_makes_the_sum_unknown_and_never_zero() -> None:
    assert (Usage(cost_micro=5) + Usage(cost_micro=None)).cost_micro is None
    assert Usage.from_data({}).cost_micro is None


def test_cost_counts_cached_input_apart_and_rounds_up() -> None:
    usage = Usage(input_tokens=1000, output_tokens=10, cached_input_tokens=400)
    assert usage.priced(Price(input=2_000_000, output=8_000_000, cached_input=500_000)).cost_micro == 1200 + 200 + 80
    assert usage.priced(Price(input=2_000_000, output=8_000_000)).cost_micro == 2000 + 80
    assert Usage(input_tokens=1).priced(Price(input=1, output=1)).cost_micro == 1
    assert usage.priced(None).cost_micro is None


def test_total_is_what_goes_in_and_out() -> None:
    assert Usage(input_tokens=3, output_tokens=4, cached_input_tokens=2, reasoning_tokens=1).total_tokens == 7
