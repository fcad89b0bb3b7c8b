"""Comments that silence findings: honoured with a reason, and accounted for in any case."""

from __future__ import annotations

import pytest

from graphagent.graph.diagnostics import Diagnostic, Suppression
from graphagent.graph.validate import validate_text

TEXT = """\
apiVersion: graphagent/v1
kind: Graph
metadata: { name: silenced }
inputs: { quick: bool }
channels: { a: { type: str, default: "" } }
start: [left, right]
nodes:
  left: { kind: router, next: [{ when: inputs.quick, to: fast }, { to: end }] }
  right: { kind: router, next: [{ when: inputs.quick, to: end }, { to: slow }] }
  fast: { kind: set, writes: { a: fast }, next: end }
  #COMMENT
  slow: { kind: set, writes: { a: slow }, next: end }
"""


def checked(comment: str) -> tuple[list[Diagnostic], list[Suppression]]:
    _, found, document = validate_text(TEXT.replace("#COMMENT", comment), "g.graph.yaml")
    return found, document.suppressions


def test_a_comment_with_a_reason_is_honoured_and_kept() -> None:
    found, (kept,) = checked("# graphagent: allow GA406 they exclude each other")
    assert found == []
    assert [d.code for d in kept.silenced] == ["GA406"]
    assert (kept.code, kept.reason, kept.span.line, kept.span.column) == ("GA406", "they exclude each other", 11, 3)
    assert kept.note == "GA406 is silenced here: they exclude each other"


def test_more_comments_may_stand_between() -> None:
    found, kept = checked("# graphagent: allow GA406 they exclude each other\n  # see the manual")
    assert found == []
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("comment", "note"),
    [
        ("# graphagent: allow GA406", "this comment is ignored: it gives no reason"),
        ("# graphagent: allow", "this comment is ignored: it names no code"),
        ("# graphagent: allow GA4O6 because", "this comment is ignored: `GA4O6` is no code, did you mean `GA406`?"),
        ("# graphagent: allow GA404 because", "this comment silences nothing: there is no GA404 on the next line"),
        ("# graphagent: allow GA203 because", "this comment silences nothing: there is no GA203 on the next line"),
    ],
)
def test_a_comment_that_does_nothing_says_so(comment: str, note: str) -> None:
    found, (kept,) = checked(comment)
    assert [d.code for d in found] == ["GA406"]
    assert kept.silenced == ()
    assert kept.note.startswith(note)


def test_an_error_stays_if_it_may_not_be_silenced() -> None:
    text = TEXT.replace("a: slow", "a: '${ slw }'").replace("#COMMENT", "# graphagent: allow GA203 I want it so")
    _, found, document = validate_text(text, "g.graph.yaml")
    assert "GA203" in {d.code for d in found}
    assert document.suppressions[0].refused == "GA203 is an error that can't be silenced"


def test_the_second_of_two_for_one_line_is_told() -> None:
    _, (first, second) = checked("# graphagent: allow GA406 one\n  # graphagent: allow GA406 two")
    assert first.silenced
    assert second.refused == "another one silences GA406 on the same line"


def test_text_of_a_prompt_is_no_comment() -> None:
    text = TEXT.replace("#COMMENT", "") + "  # graphagent: allow GA105 nothing\n"
    text = text.replace("a: slow", "a: 's\n\n    # graphagent: allow GA406 in a text\n\n    low'")
    _, _, document = validate_text(text, "g.graph.yaml")
    assert [s.code for s in document.suppressions] == ["GA105"]


SLOW = "  slow: { kind: set, writes: { a: slow }, next: end }"


def behind(line: str) -> tuple[list[str], list[Suppression]]:
    """The codes that are left, and the comments, with another line for `slow`."""
    _, found, document = validate_text(TEXT.replace("  #COMMENT\n", "").replace(SLOW, line), "g.graph.yaml")
    return [d.code for d in found], document.suppressions


def test_a_comment_behind_the_line_counts_for_it() -> None:
    found, (kept,) = behind(SLOW + "  # graphagent: allow GA406 they exclude each other")
    assert found == []
    assert kept.note == "GA406 is silenced here: they exclude each other"
    assert (kept.line, kept.span.line, kept.span.column) == (11, 11, len(SLOW) + 3)


def test_behind_a_text_and_the_mark_of_a_block() -> None:
    for writes in (
        "{ a: 'with # in it' }  # graphagent: allow GA406 r",
        '{ a: "over\n      two # lines" }  # graphagent: allow GA406 r',
    ):
        _, (kept,) = behind(f"  slow:\n    kind: set\n    next: end\n    writes: {writes}")
        assert (kept.code, kept.reason, kept.refused) == ("GA406", "r", None)
        assert kept.line == kept.span.line
    _, (kept,) = behind(f"{SLOW}\n  more:\n    kind: human\n    prompt: |  # graphagent: allow GA401 r\n      # text")
    assert (kept.code, kept.line) == ("GA401", 14)


def test_behind_the_line_above_it_counts_for_that_one_only() -> None:
    text = TEXT.replace("  #COMMENT\n", "").replace("a: fast }, next: end }", "\\g<0>")
    text = text.replace("\\g<0>", "a: fast }, next: end }  # graphagent: allow GA406 they exclude each other")
    _, found, document = validate_text(text, "g.graph.yaml")
    assert [d.code for d in found] == ["GA406"]
    assert document.suppressions[0].note == "this comment silences nothing: there is no GA406 on this line"


@pytest.mark.parametrize(
    "line",
    [
        SLOW.replace("a: slow", "a: ' # graphagent: allow GA406 in a text'"),
        SLOW.replace("a: slow", 'a: "x\n     # graphagent: allow GA406 in a text"'),
        SLOW + "  # see # graphagent: allow GA406 in a comment",
        SLOW.replace("slow:", "slow#graphagent: ").replace("graphagent: ", "graphagent:"),
        "  slow:\n    kind: set\n    next: end\n    writes:\n      a: |\n        b # graphagent: allow GA406 in a text",
    ],
)
def test_what_stands_in_a_text_is_no_comment(line: str) -> None:
    _, comments = behind(line)
    assert comments == []


def test_above_and_behind_are_two_for_one_line() -> None:
    comment = "# graphagent: allow GA406 r"
    found, (first, second) = behind(f"  {comment}\n{SLOW} {comment}")
    assert found == []
    assert first.silenced
    assert second.refused == "another one silences GA406 on the same line"
