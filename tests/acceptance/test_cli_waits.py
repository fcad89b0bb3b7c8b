"""Events, timers and breakpoints on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.test_cli import call, graph

EARS = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: ears }
outputs: { said: str }
channels: { said: { type: str, default: "" } }
start: ear
nodes:
  ear: { kind: wait, event: [said, told], returns: { said: { text: str }, told: { text: str } }, timeout: 1d, writes: { said: "${ event.text }" }, next: end }
"""


def test_an_event_is_sent(tmp_path: Path) -> None:
    """The end card says how; what isn't an object is refused; `--no-wait` only stores."""
    graph(tmp_path, EARS)
    done = call(tmp_path, "run", "g.graph.yaml", code=4)
    assert "ear waits for said or told until " in done.stderr
    assert "graphagent send ses_" in done.stderr
    refused = call(tmp_path, "send", "@last", "said", "[1]", code=2)
    assert "the data of an event is an object" in refused.stderr
    receipt = json.loads(call(tmp_path, "send", "@last", "other", "--no-wait", "--json").stdout)
    assert (receipt["schema"], receipt["event"], receipt["accepted"]) == ("graphagent/sent@1", "other", True)
    waiting = json.loads(call(tmp_path, "resume", "@last", "--json", code=4).stdout)
    assert (waiting["status"], waiting["reason"]) == ("waiting", "event")
    (token,) = waiting["waiting"]
    assert (token["node"], token["reason"], token["events"]) == ("ear", "event", ["said", "told"])
    assert waiting["next"] == [f"graphagent send {waiting['session']} {name}" for name in ("said", "told")]
    (tmp_path / "data.json").write_text('{"text": "hello"}')
    assert call(tmp_path, "send", "@last", "told", "@data.json").stdout == "hello\n"
    refused = call(tmp_path, "send", "@last", "told", code=7)
    assert "no run waits for events" in refused.stderr
    shown = json.loads(call(tmp_path, "history", "@last", "--json").stdout)
    causes = [task["causes"] for step in shown["supersteps"] for task in step["tasks"]]
    assert causes[-1] == [{"type": "event", "event": "told"}]
    call(tmp_path, "replay", "@last")


def test_a_timer_and_a_breakpoint(tmp_path: Path) -> None:
    """A long timer parks with exit 4, a short one is waited for; `resume` goes on after a breakpoint."""
    text = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: nap }}
outputs: {{ said: str }}
channels: {{ said: {{ type: str, default: "" }} }}
start: nap
nodes:
  nap: {{ kind: wait, for: {time}, next: say }}
  say: {{ kind: set, {stop} writes: {{ said: awake }}, next: end }}
"""
    graph(tmp_path, text.format(time="1h", stop=""))
    waiting = json.loads(call(tmp_path, "run", "g.graph.yaml", "--json", code=4).stdout)
    assert (waiting["status"], waiting["reason"], waiting["interrupts"]) == ("waiting", "timer", [])
    again = call(tmp_path, "resume", "@last", code=4)
    assert f"nap waits until {waiting['waiting'][0]['due_at']}" in again.stderr
    graph(tmp_path, text.format(time="100ms", stop="interrupt: before,"))
    stopped = call(tmp_path, "run", "g.graph.yaml", code=4)
    assert "paused" in stopped.stderr
    assert call(tmp_path, "resume", "@last").stdout == "awake\n"


def test_what_does_not_run_is_refused(tmp_path: Path) -> None:
    """One clear error before anything is created."""
    text = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: runs }
start: think
nodes: { think: { kind: code, run: [ls], sandbox: {}, next: end } }
"""
    graph(tmp_path, text)
    refused = call(tmp_path, "run", "g.graph.yaml", code=2)
    assert (
        "$.nodes.think of 'runs': this release checks and draws `run` of `kind: code`; it doesn't run it yet"
        in refused.stderr
    )
    assert not list((tmp_path / ".graphagent").iterdir())
