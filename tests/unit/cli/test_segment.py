from __future__ import annotations

import json

import yaml

from graphagent.cli.segment import readable
from graphagent.session.documents.events import event_data
from tests.unit.cli.plans import LOOKS, plan, played


def test_a_lone_text_is_the_result_as_it_is() -> None:
    assert readable({"said": "a: b\n"}) == "a: b\n"


def test_anything_else_is_yaml_that_reads_back() -> None:
    outputs = {"text": "two\nlines", "n": 1, "list": [{"a": None}], "word": "é", "yes": "yes"}
    shown = readable(outputs)
    assert yaml.safe_load(shown) == outputs
    assert "text: |-\n  two\n  lines\n" in shown
    assert "é" in shown


def test_an_event_is_plain_data_with_its_time() -> None:
    data = event_data(played(plan(LOOKS), {"text": "x"}).events[0])
    assert list(data)[:4] == ["kind", "seq", "event_id", "session"]
    assert data["kind"] == "RunStarted"
    assert data["time"].endswith("Z")
    json.dumps(data)
