from __future__ import annotations

import pytest

from graphagent.graph.formatting.scalars import one_line, plain_reads_back, quoted
from graphagent.graph.formatting.tree import Leaf
from graphagent.graph.source import parse_yaml


@pytest.mark.parametrize(
    "text", ["a", "a b", "it's", "x < 2", "${ x }", "list[str]", "a{b", "漢字", "🐝", "a:b", "v1.2.3"]
)
def test_plain_in_a_block(text: str) -> None:
    assert plain_reads_back(text, flow=False)
    assert parse_yaml(f"k: {text}\n", "t").data() == {"k": text}


@pytest.mark.parametrize(
    "text",
    ["", " a", "a ", "a: b", "a #b", "#a", "- a", "[a", "{a", "'a", '"a', "*a", "&a", "!a", "|", ">", "%a", "@a", "`a",
     "yes", "No", "on", "y", "true", "null", "~", "1", "1.5", "1_000", "0o7", "0x1f", "007", "12:30", "2024-01-01",
     ".inf", "<<", "=", "a\nb", "a\tb", "\u00a0", "\u200b", "---", "? a", ": a", "a:", "9" * 30],
)  # fmt: skip
def test_quotes_are_needed(text: str) -> None:
    assert not plain_reads_back(text, flow=False)


@pytest.mark.parametrize("text", ["a,b", "list[str]", "${ x }", "a]", "{{ x }}", "x?", "a:b"])
def test_quotes_are_needed_in_brackets(text: str) -> None:
    assert not plain_reads_back(text, flow=True)


@pytest.mark.parametrize(
    ("leaf", "shown"),
    [
        (Leaf("'a'", "a", "'"), "a"),
        (Leaf('"a"', "a", '"'), "a"),
        (Leaf("'a: b'", "a: b", "'"), '"a: b"'),
        (Leaf("'a: \"b\"'", 'a: "b"', "'"), "'a: \"b\"'"),
        (Leaf("'a: \\d'", "a: \\d", "'"), "'a: \\d'"),
        (Leaf('"\\u6f22"', "漢", '"'), '"\\u6f22"'),
        (Leaf("True", "True"), "true"),
        (Leaf("~", "~"), "~"),
        (Leaf("*a", "*a", "*"), "*a"),
        (Leaf("|\n a\n", "a\n", "|"), None),
        (Leaf('"a\n b"', "a b", '"'), None),
    ],
)
def test_one_line(leaf: Leaf, shown: str | None) -> None:
    assert one_line(leaf, flow=False) == shown


def test_what_cant_be_seen_is_escaped() -> None:
    text = 'a"\\\n\t\x85\u2028\u200b🐝漢'
    assert quoted(text).isprintable()
    assert parse_yaml(f"k: {quoted(text)}\n", "t").data() == {"k": text}
