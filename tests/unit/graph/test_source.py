"""Trees with places, and the way from a character of a value back into the file."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphagent.graph.diagnostics import Span
from graphagent.graph.source import Document, Mapping, Node, Scalar, Sequence, document_of, parse_yaml
from tests.examples_count import examples

TEXT = """\
a: "x\\n \u00e9 ${ y }"
b: |
  foo
  b\u00e4r ${ z }
c: d \U0001f600 ${ w }
e: >-
  aa
  bb ${ v }

  cc ${ u }
    deep ${ t }
f: 'it''s ${ s }
  and ${ r }'
g: plain ${ q }
  more ${ p }
h: &x "lit \\u00e9\\t\\x41 ${ o } \\
   cont ${ n }"
i: [*x, 2]
"""


def at(document: Document, span: Span) -> str:
    """The text that a span covers, on one line."""
    assert span.line == span.end_line
    return re.split("\r\n|[\n\r\x85\u2028\u2029]", document.source.text)[span.line - 1][
        span.column - 1 : span.end_column - 1
    ]


def scalars(node: Node | None) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Sequence):
        return [found for item in node.items for found in scalars(item)]
    return [found for _, value in node.items.values() for found in scalars(value)] if isinstance(node, Mapping) else []


def test_every_expression_is_found_through_quoting_and_folding() -> None:
    document = parse_yaml(TEXT, "t.yaml")
    names = []
    for scalar in scalars(document.root):
        for match in re.finditer(r"\$\{ (\w) \}", scalar.text):
            assert at(document, document.locate(scalar, match.start(1), match.end(1))) == match[1]
            assert at(document, document.locate(scalar, match.start(), match.end())) == match[0]
            names.append(match[1])
    assert "".join(sorted(set(names))) == "nopqrstuvwyz"


WORDS = st.text("ab \n\t'\"\\:#-\u00e9\u4f60\U0001f600{}[],&*!|>%@`\u2028", max_size=30)


@given(WORDS, st.sampled_from(["|", ">", '"', "'", None]), st.integers(20, 60), st.booleans())
@example("a\n\n b", ">", 20, False)
@settings(max_examples=examples(300), deadline=None)
def test_a_mark_in_any_text_is_found_in_any_style(words: str, style: str | None, width: int, after: bool) -> None:
    value = f"{words}@MARK@" if after else f"@MARK@{words}"
    text = yaml.safe_dump({"k": value}, default_style=style, width=width, allow_unicode=True)
    document = parse_yaml(text, "t.yaml")
    assert document.data() == {"k": value}
    (scalar,) = scalars(document.root)
    start = value.index("@MARK@")
    assert at(document, document.locate(scalar, start, start + 6)) == "@MARK@"


@given(st.text(max_size=200))
@settings(max_examples=examples(300), deadline=None)
def test_any_text_gives_a_tree_or_a_finding(text: str) -> None:
    document = parse_yaml(text, "t.yaml")
    assert (
        document.root is not None or document.diagnostics or not text.strip("\ufeff \n\r\t\x85") or "#" in text or text
    )


def test_places_of_keys_and_values() -> None:
    document = parse_yaml("a:\n  b: [1, {c: d}]\n  e: f  # g\n", "t.yaml")
    assert document.span(("a", "b", 1, "c")) == Span("t.yaml", 2, 14, 2, 15)
    assert document.key_span(("a", "b", 1, "c")) == Span("t.yaml", 2, 11, 2, 12)
    assert document.span(("a", "b", 1)) == Span("t.yaml", 2, 10, 2, 16)
    assert document.span(("a",)) == Span("t.yaml", 2, 3, 3, 7)
    assert document.span(("a", "missing", "x")) == document.span(("a",))
    assert document.node(("a", "b", 5)) is None


def test_an_alias_stands_for_what_it_names() -> None:
    document = parse_yaml("a: &x { b: 1 }\nc: *x\nd: [*x]\n", "t.yaml")
    assert document.data() == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}
    assert document.span(("c", "b")).line == 1


def test_aliases_may_not_blow_the_file_up() -> None:
    lines = ["a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (found,) = parse_yaml("\n".join(lines), "t.yaml").diagnostics
    assert (found.code, found.span.line) == ("GA007", 5)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\na: 2", "GA003"), ("1: a", "GA006"), ("[a]: b", "GA006"), ("a: {{ b }}", "GA006"), ("<<: {}", "GA007"),
        ("a: !x b", "GA007"), ("a: b\n---\nc: d", "GA007"), ("a: *b", "GA002"), ("a: [", "GA002"), ("\x07", "GA002"),
        ("a: 1234567890123456789012", "GA006"), ("a: 1e999", "GA006"), ("[" * 65, "GA007"),
    ],
)  # fmt: skip
def test_what_yaml_allows_and_a_graph_does_not(text: str, code: str) -> None:
    assert [item.code for item in parse_yaml(text, "t.yaml").diagnostics] == [code]


@pytest.mark.parametrize(
    ("text", "place", "opened", "message"),
    [
        ("x: [", (1, 5), (1, 4), "`,` or `]` is expected in this list"),
        ("x: [\n", (2, 1), (1, 4), "`,` or `]` is expected in this list"),
        ("a: 1\nx: [1,\n  {", (3, 4), (3, 3), "`,` or `}` is expected in this mapping"),
        ("a: 1\nx: [1, 2", (2, 9), (2, 4), "`,` or `]` is expected in this list"),
        ("x: { a: 1,\ny: 2\n\n", (4, 1), (1, 4), "`,` or `}` is expected in this mapping"),
        ("x: 'abc", (1, 4), None, "this quote is never closed"),
    ],
)
def test_where_a_bracket_or_quote_that_is_never_closed_is_shown(
    text: str, place: tuple[int, int], opened: tuple[int, int] | None, message: str
) -> None:
    (found,) = parse_yaml(text, "t.yaml").diagnostics
    assert (found.span.line, found.span.column) == place
    assert [(note.span.line, note.span.column) for note in found.notes if note.span] == ([opened] if opened else [])
    assert found.message == f"YAML: {message}"


def test_depth_is_counted_through_aliases() -> None:
    deep = "[" * 40 + "1" + "]" * 40
    document = parse_yaml(f"a: &a {deep}\nb: {'[' * 30}*a{']' * 30}\n", "t.yaml")
    assert [item.code for item in document.diagnostics] == ["GA007"]


def test_bytes_and_a_byte_order_mark() -> None:
    assert parse_yaml("\ufeffa: \u00e9".encode(), "t.yaml").data() == {"a": "\u00e9"}
    (found,) = parse_yaml(b"a: \xff", "t.yaml").diagnostics
    assert found.code == "GA007"


def test_data_has_the_same_shape() -> None:
    data = {"a": {"b": [1, None, "x", {"c": True}]}}
    document = document_of(data, {"$.a": Span("f.py", 3, 1, 3, 9)})
    assert document.data() == data
    assert document.span(("a", "b", 3, "c")).line == 3
