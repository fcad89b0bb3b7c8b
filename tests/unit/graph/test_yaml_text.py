"""What is written as YAML is read back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphagent.graph.source import parse_yaml
from graphagent.graph.yaml_text import yaml_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["yes", "on", "~", "null", "True", "007", "1e3", "1_000", "0o7", "0x1F", "12:30", "2024-01-01", ".inf", "-", "? a",
     "a: b", "#x", " x", "x ", "\nx", "x\n", "x\n\n", "a\n b\n  c", "a \nb", "${ a['b'] }", "a\tb", "'", '"', "|", ">",
     "=", "<<", "!x", "&x", "*x", "%x", "@x", "`x", "\x85", "\u2028", "\ufeff", "\U0001f600", "\x00", "", "9" * 30]
)  # fmt: skip
SCALAR = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
DATA = st.recursive(
    SCALAR | FLOAT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(TEXT, DATA, max_size=4))
@example({"on": {"text": "a\nb", "list": [[], {}, [[1]], [{"x": "a\nb"}]]}})
@example({"": " \n a", "x" * 200: "y " * 200})
def test_data_is_read_back(data: dict[str, Any]) -> None:
    document = parse_yaml(yaml_text(data), "t.yaml")
    assert document.diagnostics == []
    found = document.data()
    assert found == data
    assert repr(found) == repr(data)  # 1 and 1.0 and True are equal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("${ out }", "k: ${ out }\n"), ("verdict == 'accept'", "k: verdict == 'accept'\n"), ("yes", 'k: "yes"\n'),
        ("${ {'a': 1} }", "k: \"${ {'a': 1} }\"\n"), ("one\ntwo\n", "k: |\n  one\n  two\n"), ("1e3", "k: '1e3'\n"),
        (["a", "b"], "k:\n  - a\n  - b\n"), ([], "k: []\n"), ("word " * 60 + ".", "k: " + "word " * 60 + ".\n"),
        (1e22, "k: 1e+22\n"), (None, "k: null\n"), ("Größe", "k: Größe\n"),
    ],
)  # fmt: skip
def test_it_reads_well(value: Any, text: str) -> None:
    assert yaml_text({"k": value}) == text


def test_keys_need_no_quotes() -> None:
    assert yaml_text({"on": {"yes": 1, "1": 2}}) == "on:\n  yes: 1\n  '1': 2\n"


def test_marks_that_turn_text_around_are_written_as_escapes() -> None:
    data = {"a\u202e": ["x\u2066y", "\u202a\n", "\ufeff"]}
    assert parse_yaml(yaml_text(data), "t.yaml").data() == data
