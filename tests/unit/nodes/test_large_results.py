from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.errors import NodeError
from graphagent.ids import ArtifactId
from graphagent.nodes.large_results import LEAST, MOST, ArtifactReader, as_text, names_one, piece

ID = ArtifactId.derive("a")
HEAD = re.compile(r"\[bytes (\d+) to (\d+); (the end|the next piece begins at offset (\d+))\]\n", re.DOTALL)


@given(st.text("aä€😀\n", max_size=60), st.integers(LEAST, 20))
def test_pieces_one_after_the_other_are_the_whole(text: str, limit: int) -> None:
    data, offset, parts = text.encode(), 0, []
    while True:
        part = data[offset : offset + limit]
        found = piece(part, offset, ends=len(part) < limit)
        head = HEAD.match(found)
        assert head is not None
        parts.append(found[head.end() :])
        assert int(head[1]) == offset
        assert data[offset : int(head[2])].decode() == parts[-1]
        if head[3] == "the end":
            break
        assert int(head[4]) > offset, "it goes on"
        offset = int(head[4])
    assert "".join(parts) == text


@given(st.text("aä€😀", min_size=1), st.integers(0, 50), st.integers(LEAST, 50))
def test_a_piece_that_begins_anywhere_is_text(text: str, offset: int, limit: int) -> None:
    data = text.encode()
    part = data[offset : offset + limit]
    head = HEAD.match(piece(part, offset, ends=len(part) < limit))
    assert head is not None
    assert data[int(head[1]) : int(head[2])].decode() in text


@pytest.mark.parametrize("data", [b"\x89PNG\r\n", b"\xff\xfe", b"ab\xc3("])
def test_what_is_no_text_is_not_read(data: bytes) -> None:
    with pytest.raises(NodeError, match="isn't text") as caught:
        piece(data, 0, ends=True)
    assert (caught.value.kind, caught.value.cause) == ("invalid_input", "not_text")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({"id": "a"}, {"id": "a", "offset": 0, "limit": 16_000}),
        ({"id": "a", "offset": 5, "limit": 10**9}, {"id": "a", "offset": 5, "limit": MOST}),
        ({"id": "a", "limit": 1}, {"id": "a", "offset": 0, "limit": LEAST}),
    ],
)
def test_arguments_are_filled_and_bounded(given: dict[str, Any], used: dict[str, Any]) -> None:
    assert ArtifactReader().check(given) == used


@pytest.mark.parametrize(
    "given",
    [
        {}, {"id": 7}, {"id": "a", "offset": -1}, {"id": "a", "limit": 0}, {"id": "a", "offset": "1"},
        {"id": "a", "offset": True}, {"id": "a", "limit": 1.5}, {"id": "a", "more": 1},
    ],
)  # fmt: skip
def test_wrong_arguments_are_told(given: dict[str, Any]) -> None:
    with pytest.raises(NodeError) as caught:
        ArtifactReader().check(given)
    assert (caught.value.kind, caught.value.cause) == ("invalid_input", "bad_arguments")
    assert "nothing was read" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (f"see {ID}.", True), (f'{{"id": "{ID}"}}', True), ("see art_museum", False), (f"see {ID[:-1]}", False),
        (None, False), ([{"type": "text", "text": ID}], True),
    ],
)  # fmt: skip
def test_a_conversation_that_names_one(content: Any, named: bool) -> None:
    assert names_one([{"role": "user", "content": "hello"}, {"role": "tool", "content": content}]) is named


def test_text_stays_and_all_else_is_json_whose_keys_are_in_order() -> None:
    assert as_text("ä") == "ä"
    assert as_text({"b": [1, None], "a": "ä"}) == '{"a": "ä", "b": [1, null]}'
