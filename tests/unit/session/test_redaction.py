"""Redacted exports: whatever a rule names stands nowhere in the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import graphagent as ga
from graphagent.errors import ArchiveInvalid, InputInvalid
from graphagent.session.redaction import Redaction, read_rules

pytestmark = pytest.mark.slow

CANARY = 'correct "horse"\nbattery ünd stäple'
TOKEN = "tok-9f8e7d6c"
MAIL = "bee@hive.example"
PIN = 48_213_377
GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: hidden }
inputs: { word: str, mail: str }
outputs: { done: str }
channels:
  word: { type: str, default: "", secret: true }
  words: { type: "list[str]", reducer: append, secret: true }
  pin: { type: int, default: 0, secret: true }
  seen: { type: any, default: null }
  done: { type: str, default: "" }
start: take
nodes:
  take:
    kind: code
    python: "fns:take"
    with: { word: "${ inputs.word }" }
    writes: { word: "${ out.word }", words: "${ [out.word + '!'] }", pin: "${ out.pin }" }
    next: look
  look:
    kind: code
    python: "fns:look"
    with: { word: "${ word }", mail: "${ inputs.mail }" }
    writes: { seen: "${ out }" }
    next: call
  call: { kind: graph, graph: inner, with: { told: "${ seen }" }, writes: { done: "${ out.done }" }, next: end }
graphs:
  inner:
    inputs: { told: any }
    outputs: { done: str }
    channels: { done: { type: str, default: "" } }
    start: tell
    nodes:
      tell: { kind: set, writes: { done: "${ 'told ' + inputs.told.note }" }, next: end }
"""
FNS = f"""
import json
def take(word):
    return {{"word": word, "pin": {PIN}}}
def look(word, mail):
    inner = json.dumps({{"deep": json.dumps([word, "{TOKEN}"])}})
    return {{"note": f"<{{word}}> of {{mail}}", "api_token": "{TOKEN}", "inner": inner}}
"""


@pytest.fixture
def session(tmp_path: Path) -> ga.Session:
    (tmp_path / "hidden.graph.yaml").write_text(GRAPH)
    (tmp_path / "fns.py").write_text(FNS)
    project = ga.Project(tmp_path)
    graph = ga.load(tmp_path / "hidden.graph.yaml", project=project)
    return graph.run(word=CANARY, mail=MAIL, project=project).session


def spellings(text: str) -> list[bytes]:
    """A text as it may stand in JSON, in texts of JSON, and in those of these."""
    forms, new = {text}, {text}
    for _ in range(3):
        new = {json.dumps(form, ensure_ascii=ascii)[1:-1] for form in new for ascii in (False, True)}
        forms |= new
    return [form.encode() for form in forms]


def holds(data: bytes, text: str) -> bool:
    return any(form in data for form in spellings(text))


@pytest.mark.parametrize(
    ("rules", "gone", "kept"),
    [
        (["secrets"], [CANARY, str(PIN)], [MAIL, TOKEN]),
        (["channel:word"], [CANARY], [MAIL, str(PIN)]),
        (["channel:pin", "key:*TOKEN*"], [str(PIN), TOKEN], [CANARY, MAIL]),
        ([r"text:\w+@\w+\.example"], [MAIL], [CANARY, TOKEN]),
        (["secrets", "key:api_*", "text:bee@hive"], [CANARY, TOKEN, str(PIN), "bee@hive"], ["told "]),
    ],
)
@pytest.mark.parametrize("form", ["gasession", "jsonl"])
def test_what_a_rule_names_stands_nowhere(
    session: ga.Session, tmp_path: Path, rules: Sequence[str], gone: Sequence[str], kept: Sequence[str], form: str
) -> None:
    whole = session.export(tmp_path / f"whole.{form}").read_bytes()
    data = session.export(tmp_path / f"less.{form}", redact=rules).read_bytes()
    assert [text for text in gone if holds(data, text)] == []
    if form == "gasession":
        assert all(holds(whole, text) for text in (*gone, *kept))
        assert [text for text in kept if not holds(data, text)] == []
    assert b"***" in data


def test_a_redacted_session_is_refused_and_says_why(session: ga.Session, tmp_path: Path) -> None:
    file = session.export(tmp_path / "x.gasession", redact=["secrets", "key:*token*"])
    with pytest.raises(ArchiveInvalid, match=r"redacted when it was exported \(secrets, key:\*token\*\)") as caught:
        ga.Project(tmp_path / "other").import_session(file)
    assert "not imported or replayed" in str(caught.value.hint)
    whole = session.export(tmp_path / "y.gasession")
    assert ga.Project(tmp_path / "other").import_session(whole).id == session.id


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("secret", "did you mean 'secrets'"), ("secrets:x", "channel:NAME"), ("channel:", "channel:NAME"),
        ("", "secrets, channel"), ("text:(", ""), ("text:.*", ""), ("channel:wrod", "did you mean 'word'"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_before_anything_is_written(
    session: ga.Session, tmp_path: Path, rule: str, told: str
) -> None:
    with pytest.raises(InputInvalid) as caught:
        session.export(tmp_path / "x.gasession", redact=[rule])
    assert caught.value.path == "--redact"
    assert told in str(caught.value.hint)
    assert not (tmp_path / "x.gasession").exists()


def test_short_texts_and_small_numbers_stay_outside_of_their_channel() -> None:
    """They stand everywhere: a file without any "on" or 7 would tell nothing."""
    redaction = Redaction(read_rules(["secrets"]))
    redaction.find({"a": "on", "b": 7, "c": True, "d": None, "e": "words", "f": 0.25, "g": 4321})
    redaction.settle()
    found = redaction.tree({"on": [7, True, None], "words": "in words", "n": [0.25, 4321]})
    assert found == {"on": [7, True, None], "***": "in ***", "n": ["***", "***"]}
