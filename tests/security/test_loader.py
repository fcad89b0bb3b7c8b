"""Files that would fill the memory, crash a parser, or be read as something else than what people see."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphagent.graph.diagnostics import render
from graphagent.graph.source import parse_yaml
from graphagent.graph.validate import check_text
from tests.security.measure import best_of, peak_mib, refused_in_time


def laughs(levels: int, width: int, flow: bool = True) -> str:
    """Each line names the one before several times."""
    lines = ["a0: &a0 [lol]"]
    for level in range(1, levels):
        items = [f"*a{level - 1}"] * width
        lines.append(
            f"a{level}: &a{level} " + (f"[{', '.join(items)}]" if flow else "".join(f"\n- {i}" for i in items))
        )
    return "\n".join(lines)


ATTACKS: dict[str, tuple[str | bytes, str]] = {
    "billion laughs": (laughs(10, 9), "GA007"),
    "billion laughs in block style": (laughs(10, 9, flow=False), "GA007"),
    "quadratic": ("a: &a " + "x" * 40_000 + "\nb: [" + "*a, " * 40_000 + "]", "GA007"),
    "many aliases of a list": ("a: &a [1, 2, 3]\nb: [" + "*a, " * 30_000 + "]", "GA007"),
    "aliases of objects": ("a: &a { b: 1 }\n" + "".join(f"c{i}: *a\n" for i in range(9_000)), "GA007"),
    "merge keys": ("a: &a { b: 1 }\nc: { <<: *a }", "GA007"),
    "merge of a list": ("a: &a { b: 1 }\nc: { <<: [*a, *a, *a] }", "GA007"),
    "merge in block style": ("a: &a { b: 1 }\nc:\n  <<: *a\n  d: 1", "GA007"),
    "anchor in itself": ("a: &a [*a]", "GA007"),
    "anchor in its own value": ("a: &a { b: *a }", "GA007"),
    "alias of nothing": ("a: *b", "GA002"),
    "alias before its anchor": ("a: *b\nb: &b 1", "GA002"),
    "flow lists": ("[" * 100_000, "GA007"),
    "flow objects": ("{a: " * 50_000, "GA007"),
    "closed flow lists": ("[" * 50_000 + "]" * 50_000, "GA007"),
    "block lists": ("- " * 50_000, "GA007"),
    "block objects": ("".join(" " * i + "a:\n" for i in range(1_000)), "GA007"),
    "complex keys": ("? " * 50_000, "GA007"),
    "complex flow keys": ("{? " * 20_000, "GA007"),
    "depth through aliases": (
        f"a: &a {'[' * 40}1{']' * 40}\nb: {'[' * 30}*a{']' * 30}", "GA007",
    ),
    "python object": ("a: !!python/object/apply:os.system ['id']", "GA007"),
    "python name": ("a: !!python/name:os.system", "GA007"),
    "python module": ("!!python/module:os", "GA007"),
    "python tuple": ("a: !!python/tuple [1]", "GA007"),
    "local tag": ("a: !x 1", "GA007"),
    "verbatim tag": ("a: !<tag:yaml.org,2002:python/object/new:os.system> [id]", "GA007"),
    "tag directive": ("%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system", "GA007"),
    "standard tag": ("a: !!str 1", "GA007"),
    "non-specific tag": ("a: ! 1", "GA007"),
    "binary": ("a: !!binary aGVsbG8=", "GA007"),
    "set": ("a: !!set { b, c }", "GA007"),
    "tag on a key": ("!!str a: 1", "GA007"),
    "two documents": ("a: 1\n---\nb: 2", "GA007"),
    "empty second document": ("a: 1\n---\n", "GA007"),
    "another document after the end": ("a: 1\n...\n---\nb: 2", "GA007"),
    "too big": ("a: " + "x" * (1 << 20), "GA007"),
    "too many pieces": ("- 1\n" * 201_000, "GA007"),
    "utf-16": ("a: 1".encode("utf-16"), "GA007"),
    "utf-16 without a mark": ("a: 1".encode("utf-16-le"), "GA002"),
    "utf-32": ("a: 1".encode("utf-32"), "GA007"),
    "latin-1": ("a: \u00e9".encode("latin-1"), "GA007"),
    "overlong utf-8": (b"a: \xc0\xaf", "GA007"),
    "encoded surrogates": (b"a: \xed\xa0\x80", "GA007"),
    "lone surrogate": ("a: \ud800", "GA002"),
    "escaped surrogate": ('a: "\\ud800"', "GA002"),
    "nul": ("a: b\x00c", "GA002"),
    "escape": ("a: \x1b[31m", "GA002"),
    "delete": ("a: \x7f", "GA002"),
    "turned text": ("a: x\u202ey\u202c", "GA002"),
    "turned comment": ("a: 1  # \u2066x\u2069", "GA002"),
    "mark inside": ("a: x\ufeffy", "GA002"),
    "second mark": ("\ufeff\ufeffa: 1", "GA002"),
    "duplicate key": ("a: 1\na: 2", "GA003"),
    "duplicate key in quotes": ("a: 1\n'a': 2", "GA003"),
    "duplicate key escaped": ('a: 1\n"\\x61": 2', "GA003"),
    "key that is a list": ("[a]: 1", "GA006"),
    "key that is a number": ("1: a", "GA006"),
    "key that is null": ("~: a", "GA006"),
    "huge integer": ("a: " + "9" * 5_000, "GA006"),
    "huge exponent": ("a: 1e999999999", "GA006"),
    "huge hexadecimal": ("a: 0x" + "f" * 5_000, "GA006"),
    "long key": ("? " + "k" * 2_000 + "\n: 1\n" + "x", "GA002"),
    "unclosed quote": ("a: '" + "x" * 500_000, "GA002"),
    "unclosed double quote": ('a: "' + "\\x41" * 100_000, "GA002"),
    "tab": ("a:\n\tb: 1", "GA002"),
    "unknown directive version": ("%YAML 9.9\n---\na: 1", "GA002"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_its_place(name: str) -> None:
    text, code = ATTACKS[name]
    found = parse_yaml(text, "t.yaml").diagnostics
    assert code in {item.code for item in found}, [item.message for item in found]
    for item in found:
        assert item.span.file == "t.yaml"
        assert item.span.line >= 1
        assert item.span.column >= 1
        assert (item.span.end_line, item.span.end_column) >= (item.span.line, item.span.column)


LONG = ("too many pieces", "aliases of objects")
"""Files near the limit of what may be read: no bombs, just long."""


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in LONG])
def test_an_attack_is_refused_in_time(name: str) -> None:
    text = ATTACKS[name][0]
    refused_in_time(lambda: parse_yaml(text, "t.yaml"))


@pytest.mark.parametrize("name", LONG)
def test_the_longest_files_cost_what_their_size_costs(name: str) -> None:
    text = ATTACKS[name][0]
    short = best_of(lambda: parse_yaml("- 1\n" * 10_000, "t.yaml"), 3)
    assert best_of(lambda: parse_yaml(text, "t.yaml"), 2) < 60 * short + 1


def test_the_memory_of_a_bomb_is_bounded() -> None:
    for text in (laughs(30, 9), ATTACKS["quadratic"][0], ATTACKS["flow lists"][0], ATTACKS["too many pieces"][0]):
        assert isinstance(text, str)
        code = f"parse_yaml({text!r}, 't')" if len(text) < 100_000 else "parse_yaml('- 1\\n' * 201000, 't')"
        assert peak_mib(code) < 200


@pytest.mark.parametrize("name", ATTACKS)
def test_the_whole_check_bears_it_too(name: str) -> None:
    checked = check_text(ATTACKS[name][0], "t.yaml")
    assert checked.spec is None
    shown = render(checked.diagnostics, checked.texts)
    assert shown.isprintable() or all(c.isprintable() or c == "\n" for c in shown)


def test_marks_that_turn_text_around_are_shown_and_never_obeyed() -> None:
    """What a reviewer sees must be what the file says, in a message too."""
    text = 'apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\nstart: "a\\u202e"\nnodes: {}\n'
    checked = check_text(text, "t.yaml")
    assert checked.diagnostics
    shown = render(checked.diagnostics, checked.texts)
    assert "\u202e" not in shown
    assert "\\u202e" in shown
    assert parse_yaml('a: "\\u202e"', "t.yaml").data() == {"a": "\u202e"}  # an escape is plain to see


@pytest.mark.parametrize("name", ["n\u043ede", "\uff4e", "n\u200bode", "\u2024", "\u0131d"])
def test_names_that_look_like_others_are_no_names(name: str) -> None:
    text = f"apiVersion: graphagent/v1\nkind: Graph\nmetadata: {{ name: t }}\nstart: a\nnodes:\n  a: {{ kind: set, next: end }}\n  {name}: {{ kind: set, next: end }}\n"
    checked = check_text(text, "t.yaml")
    assert ("GA006", 7) in {(item.code, item.span.line) for item in checked.diagnostics}


_PIECES = (
    "a", "b: ", "- ", "[", "]", "{", "}", ", ", "? ", ": ", "&a ", "*a", "!t ", "|", ">", "'", '"', "\\", "#", "\n",
    "  ", "\t", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "\ufeff", "\x00", "\u2028", "\x85", "~", "1e9", "0x1",
    "\U0001f600", "${ x }",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe")
def test_any_bytes_give_a_document_or_findings(data: bytes) -> None:
    checked = check_text(data, "t.yaml")
    assert checked.spec is None
    assert checked.diagnostics
    render(checked.diagnostics, checked.texts)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_any_pieces_of_yaml_give_a_document_or_findings(text: str) -> None:
    checked = check_text(text, "t.yaml")
    assert checked.diagnostics
    for item in checked.diagnostics:
        assert item.span.line >= 1
        assert item.span.column >= 1
    render(checked.diagnostics, checked.texts)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2_000), st.sampled_from(_PIECES), st.booleans())
def test_a_valid_graph_with_a_wound_never_crashes(at: int, piece: str, cut: bool) -> None:
    folder = Path(__file__).parents[1] / "golden" / "valid"
    text = (folder / "every_kind.graph.yaml").read_text()
    at %= len(text)
    checked = check_text(text[:at] if cut else text[:at] + piece + text[at:], "t.yaml")
    render(checked.diagnostics, checked.texts)
