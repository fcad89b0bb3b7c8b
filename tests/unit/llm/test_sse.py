from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.errors import ModelError
from graphagent.llm.sse import MAX_EVENT, EventParser


def fed(data: bytes, cuts: list[int]) -> list[str]:
    parser = EventParser()
    places = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    return [e for a, b in pairwise(places) for e in parser.feed(data[a:b])]


@given(st.lists(st.integers(0, 90), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_dont_depend_on_where_the_bytes_are_cut_or_how_lines_end(cuts: list[int], newline: bytes) -> None:
    lines = [
        b": ping",
        "data: {«a»}".encode(),
        b"",
        b"event: x",
        b"id: 1",
        b"data:b",
        b"data: c",
        b"",
        b"",
        b"data: half",
    ]
    assert fed(newline.join(lines), cuts) == ["{«a»}", "b\nc"]


def test_an_error_field_counts_as_data() -> None:
    assert fed(b'error: {"code": 500}\n\n', []) == ['{"code": 500}']


def test_bad_utf8_is_replaced() -> None:
    assert fed(b"data: \xff\n\n", []) == ["\ufffd"]


@pytest.mark.parametrize("line", [b"x" * 1_000_000, b"data: " + b"x" * 1_000_000 + b"\n"])
def test_an_event_without_end_is_refused(line: bytes) -> None:
    parser = EventParser()
    for _ in range(MAX_EVENT // len(line)):
        assert parser.feed(line) == []
    with pytest.raises(ModelError, match="over 8 MiB") as caught:
        parser.feed(line)
    assert caught.value.cause == "server_error"
