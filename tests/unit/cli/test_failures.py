from __future__ import annotations

import json

import pytest

from graphagent.cli.failures import color_frame, report
from graphagent.errors import (
    Conflict,
    Fenced,
    GraphInvalid,
    InputInvalid,
    InterruptAnswered,
    NotFound,
    ReplayDivergence,
    SessionBusy,
    StoreCorrupt,
    StoreUnavailable,
)
from tests.unit.cli.screen import err, out, terminal


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GraphInvalid([], "error[GA001]: x"), 3),
        (InputInvalid("$.topic", "missing"), 2),
        (NotFound("no session"), 2),
        (Conflict("no"), 7),
        (Fenced("no"), 7),
        (SessionBusy("no"), 7),
        (InterruptAnswered("no"), 7),
        (StoreUnavailable("no"), 7),
        (StoreCorrupt("no"), 7),
        (ReplayDivergence({}, "differs"), 5),
        (ZeroDivisionError("oops"), 1),
    ],
)
def test_every_error_has_its_code_and_its_document(error: Exception, code: int) -> None:
    screen = terminal(json=True)
    assert report(screen, error) == code
    document = json.loads(out(screen))
    assert document["schema"] == "graphagent/error@1"
    assert document["diagnostics"] == []


def test_an_input_is_named_by_its_field_and_hints_can_be_pasted() -> None:
    screen = terminal(project="p")
    report(screen, InputInvalid("$.topic", "this input is missing", hint="give it: -i topic=..."))
    report(screen, NotFound("no session 'x'", hint="graphagent sessions"))
    assert err(screen).splitlines() == [
        "error: topic: this input is missing",
        "hint: give it: -i topic=...",
        "error: no session 'x'",
        "hint: graphagent --project p sessions",
    ]


def test_tracebacks_only_when_they_are_wanted() -> None:
    for verbose, shown in ((0, False), (1, False), (2, True)):
        screen = terminal(verbose=verbose)
        report(screen, NotFound("x"))
        assert ("NotFound: x" in err(screen)) is shown


@pytest.mark.parametrize(
    "line",
    ["error[GA203]: unknown", "  --> a.yaml:1:2", "12 | x: y", "   | ^^^ here", "help: do", "3 errors in 1 file."],
)
def test_colours_change_no_text(line: str) -> None:
    import re

    assert re.sub(r"\x1b\[[\d;]*m", "", color_frame(line, colored=True)) == line
    assert color_frame(line, colored=False) == line
