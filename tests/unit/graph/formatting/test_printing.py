from __future__ import annotations

from graphagent.graph.formatting.printing import WIDTH
from tests.unit.graph.formatting.test_text import formatted


def node(length: int) -> str:
    """A node on one line of this many columns."""
    start, end = "  a: { kind: set, description: ", ", next: end }"
    return start + "x" * (length - len(start) - len(end)) + end


def test_a_line_may_have_120_columns() -> None:
    fits = f"nodes:\n{node(WIDTH)}\n"
    assert formatted(fits) == fits
    assert formatted(f"nodes:\n{node(WIDTH + 1)}\n").count("\n") == 5


def test_a_comment_doesnt_count() -> None:
    text = f"nodes:\n{node(WIDTH)}  # and this goes on\n"
    assert formatted(text) == text


def test_a_line_on_which_something_is_silenced_stays_one_line() -> None:
    long = node(WIDTH + 20)
    allow = "# graphagent: allow GA406 r"
    for text in (
        f"nodes:\n{long}  {allow}\n", f"nodes:\n  {allow}\n{long}\n", f'a: {{ b: "list[str]" }}  {allow}\n',
        f"nodes:\n  a:\n    next:\n      - {{ when: a, to: {'b' * WIDTH} }}  {allow}\n      - {{ to: end }}\n",
    ):  # fmt: skip
        assert formatted(text) == text


def test_a_comment_comes_along_when_its_line_is_broken() -> None:
    assert formatted('a: { b: "list[str]" }          # c\nd: 1                            # e\n') == (
        "a:  # c\n  b: list[str]\nd: 1                            # e\n"
    )


def test_wide_letters_count_twice() -> None:
    text = "nodes:\n" + node(WIDTH - 2).replace("xx, next", "漢字, next") + "\n"
    assert formatted(text) == text
    assert formatted(text.replace("漢字", "漢字漢")).count("\n") == 5


def test_types_in_brackets_go_to_block_style_where_that_avoids_quotes() -> None:
    assert formatted('inputs: { a: str, b: "list[str]" }\n') == "inputs:\n  a: str\n  b: list[str]\n"
    assert formatted('t: { a: { b: "dict[str, int] | None" } }\n') == "t:\n  a:\n    b: dict[str, int] | None\n"
    for same in ('a: { b: "${ list[0] }" }\n', 'a: { b: "x, y" }\n', 'a: { b: "list[str]: x" }\n'):
        assert formatted(same) == same


def test_a_node_keeps_its_line() -> None:
    text = 'nodes:\n  a: { kind: code, python: "m:f", returns: "list[str]", next: end }\n'
    assert formatted(text) == text
    text = 'nodes:\n  a:\n    kind: map\n    do: { kind: code, returns: { x: "list[str]" } }\n'
    assert formatted(text) == text


def test_aligned_values_stay_aligned_and_others_dont() -> None:
    aligned = "a:   1\nbcd: 2\ne:   { x: y }\n"
    assert formatted(aligned) == aligned
    assert formatted("a:      1\nbcd:    2\n") == "a:   1\nbcd: 2\n"
    assert formatted("a:   1\nbcd:  2\n") == "a: 1\nbcd: 2\n"
    assert formatted("a:   1\n\nbcd: 2\n") == "a: 1\n\nbcd: 2\n"


def test_comments_that_stand_in_one_column_stay_there() -> None:
    text = "a: 1        # one\nb: 22222    # two\n"
    assert formatted(text) == text
    assert formatted("a: 1 # one\nb: 22222 # two\n") == "a: 1  # one\nb: 22222  # two\n"
    assert formatted("a: 111111 # one\nb: 2      # two\n") == "a: 111111  # one\nb: 2      # two\n"


def test_a_list_below_its_key_and_in_a_list() -> None:
    assert formatted("a:\n- b:   1\n  c: 2\n-\n  - d\n") == "a:\n  - b: 1\n    c: 2\n  - - d\n"
    assert formatted("- &x\n  a: 1\n- *x\n- &y\n  - b\n") == "- &x\n  a: 1\n- *x\n- &y\n  - b\n"
