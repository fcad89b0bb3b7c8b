"""The `validate`, `answer` and `error` documents."""

from __future__ import annotations

from graphagent.errors import GraphInvalid, InputInvalid, NotFound, SessionBusy
from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Note, Span
from graphagent.graph.diagnostics import render as render_frames
from graphagent.session import operations
from graphagent.session.documents import (
    CheckedFile,
    answer_document,
    error_document,
    interrupt_in,
    validate_document,
)
from tests.unit.session.documents.test_run import HUB, LOOP
from tests.unit.session.documents.world import World, checked, on_stores

TEXT = "start: a\nnodes: { a: { kind: sett } }\n"
SPAN = Span("b.yaml", 2, 21, 2, 25)
ERROR = Diagnostic(
    "GA004", "error", "unknown kind `sett`", SPAN, "$.nodes.a.kind", "no such kind",
    (Note("kinds are listed in the reference"), Note("here", SPAN)), "did you mean `set`?",
    Fix("write `set`", (Edit(SPAN, "set"),)),
)  # fmt: skip
WARNING = Diagnostic("GA006", "warning", "looks odd", Span("b.yaml", 1, 1, 1, 6))


@on_stores
async def test_files_and_findings(world: World) -> None:
    plan = world.plan(LOOP)
    files = [CheckedFile("a.yaml", "", plan=plan), CheckedFile("b.yaml", TEXT, "b", nodes=1)]
    data = checked(validate_document(files, [ERROR, WARNING]))
    assert (data["ok"], data["counts"]) == (False, {"error": 1, "warning": 1})
    good, bad = data["files"]
    assert good == {"file": "a.yaml", "ok": True, "graph": "t", "hash": "sha256:" + plan.hash.hex(), "nodes": 1,
                    "channels": 1}  # fmt: skip
    assert bad == {"file": "b.yaml", "ok": False, "graph": "b", "hash": None, "nodes": 1, "channels": 0}
    assert [d["code"] for d in data["diagnostics"]] == ["GA006", "GA004"]
    error = data["diagnostics"][1]
    assert error == ERROR.document(TEXT)
    assert list(error) == list(ERROR.document(TEXT))
    assert "^^^^ no such kind" in error["frame"]


def test_warnings_fail_where_that_is_wanted() -> None:
    files = [CheckedFile("b.yaml", TEXT)]
    assert checked(validate_document(files, [WARNING]))["ok"]
    assert not checked(validate_document(files, [WARNING], strict=True))["ok"]


def test_why_nothing_was_started() -> None:
    invalid = GraphInvalid([ERROR], render_frames([ERROR], {"b.yaml": TEXT}))
    data = checked(error_document(invalid, {"b.yaml": TEXT}))
    assert (data["error"]["kind"], data["error"]["class"]) == ("graph_invalid", "terminal")
    assert data["error"]["message"].startswith("1 error in 1 file")
    assert data["diagnostics"] == [ERROR.document(TEXT)]
    data = checked(error_document(InputInvalid("$.topic", "this input is missing", hint="give it")))
    assert (data["error"]["kind"], data["error"]["hint"]) == ("input_invalid", "give it")
    assert data["error"]["message"] == "$.topic: this input is missing"
    assert checked(error_document(SessionBusy("busy")))["error"]["retryable"]
    assert not checked(error_document(NotFound("gone")))["error"]["retryable"]
    ours = checked(error_document(ZeroDivisionError("division by zero")))["error"]
    assert (ours["kind"], ours["class"], ours["message"]) == ("internal", "bug", "ZeroDivisionError: division by zero")


@on_stores
async def test_the_receipt_of_an_answer(world: World) -> None:
    outcome = await world.start(HUB)
    row = await operations.find_interrupt(world.host, outcome.row.session)
    done = await operations.answer(world.host, row, "no", by="ada")
    data = checked(answer_document(await interrupt_in(world.host, done)))
    assert data["accepted"] is True
    asked = data["interrupt"]
    assert (asked["status"], asked["answered_by"], asked["answer"]["choice"]) == ("answered", "ada", "no")
    assert asked["answered_at"] is not None
