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
