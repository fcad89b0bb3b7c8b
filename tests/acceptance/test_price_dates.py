"""The date of the price table is kept with each model call, and another table changes no replay."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import graphagent as ga
from graphagent import concurrency
from graphagent.codec import decode
from graphagent.testing import ModelServer

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: priced }
outputs: { text: str }
models: { m: { use: openai/tiny, base_url: "URL" } }
channels: { text: { type: str, default: "" }, ok: bool }
start: one
nodes:
  one: { kind: llm, model: m, prompt: One., next: ask }
  ask: { kind: human, mode: approve, prompt: Go on?, writes: { ok: "${ out.decision == 'approve' }" }, next: two }
  two: { kind: llm, model: m, prompt: Two., writes: { text: "${ out.text }" }, next: end }
"""
DATED = '[prices]\ndate = 2026-11-01\n"openai/tiny" = { input = 1000, output = 1000 }\n'
LATER = '[prices."openai/tiny"]\ninput = 2000\noutput = 2000\ndate = "2027-01-01"\n'
UNDATED = '[prices."openai/tiny"]\ninput = 1000\noutput = 1000\n'


def project(folder: Path, settings: str) -> closing[ga.Project]:
    (folder / "graphagent.toml").write_text(settings)
    return closing(ga.Project(folder))


def replies(session: ga.Session, here: ga.Project) -> list[dict[str, Any]]:
    """What the journal has of the session's model calls."""

    async def read() -> list[dict[str, Any]]:
        store = (await here.host()).store
        row = await store.session(session.id)
        found = await store.effects(row.spans(0, row.head_superstep))
        return [decode(effect.outcome or b"") for effect in found if effect.kind == "model"]

    return concurrency.run_sync(read)


def costs(found: list[dict[str, Any]]) -> list[int | None]:
    return [reply["usage"]["cost_micro"] for reply in found]


def test_a_call_names_the_date_of_the_table_that_priced_it(tmp_path: Path) -> None:
    with ModelServer(["a", "b"]) as server:
        graph = ga.loads(GRAPH.replace("URL", server.base_url))
        with project(tmp_path, DATED) as here:
            waiting = graph.run(project=here)
        with project(tmp_path, LATER) as here:
            session = here.session(waiting.session.id).answer(True).session.refresh()
            found = replies(session, here)
        assert [reply["price_date"] for reply in found] == ["2026-11-01", "2027-01-01"]
        assert all(costs(found))
        calls = len(server.received)
        with project(tmp_path, UNDATED) as here:
            again = here.session(session.id)
            again.replay().check()
            assert costs(replies(again, here)) == costs(found)
            steps = again.history(events=True).document["supersteps"]
            events = [event for step in steps for event in step["events"]]
            told = [event["data"]["price_date"] for event in events if event["kind"] == "x.model.completed"]
            assert told == ["2026-11-01", "2027-01-01"]
        assert len(server.received) == calls


def test_without_a_date_or_a_price_none_is_kept(tmp_path: Path) -> None:
    for settings, priced in ((UNDATED, True), ("", False)):
        with ModelServer(["a"]) as server, project(tmp_path, settings) as here:
            waiting = ga.loads(GRAPH.replace("URL", server.base_url)).run(project=here)
            (reply,) = replies(waiting.session, here)
            assert "price_date" not in reply
            assert (reply["usage"]["cost_micro"] is not None) is priced
