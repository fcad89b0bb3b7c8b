"""A model server that fails in every way that servers do: what a session makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.llm.openai_compatible import OpenAICompatibleModel
from graphagent.messages import ModelInfo
from graphagent.testing.model_server import ModelServer, Reply
from tests.acceptance.scenarios.world import Scenario, World, play, scenario_of_calls

GRAPH = """
    outputs: {{ said: str, number: int }}
    channels: {{ said: {{ type: str, default: "" }}, number: {{ type: int, default: 0 }} }}
    models: {{ m: openai/m }}
    start: ask
    nodes:
      ask: {{ kind: llm, model: m, prompt: Which number?, {keys}, on_error: failed, next: end }}
      failed: {{ kind: set, writes: {{ said: "${{ error.kind + ' ' + str(error.attempt) }}" }}, next: end }}
"""
TEXT = 'retry: { max: 3, delay: 1ms, jitter: false }, writes: { said: "${ out.text }" }'
TYPED = 'retry: { max: 2, delay: 1ms }, returns: { n: int }, writes: { number: "${ out.n }" }'


def not_compared(case: Scenario) -> Callable[..., None]:
    """A test of a scenario whose error names the server's address, so that no two runs have the same digests."""

    @pytest.mark.parametrize("crashing", [False, True])
    def test(crashing: bool, tmp_path: Path) -> None:
        concurrency.run_sync(play, case, World(tmp_path, "sessions.db", crashing=crashing))

    test.__name__, test.__doc__ = case.__name__, case.__doc__
    return test


async def ask(world: World, server: ModelServer, keys: str) -> tuple[Mapping[str, Any], list[Any]]:
    """The outputs of a run, and the rows of its model calls. The server's address is no part of the graph's digest."""
    model = OpenAICompatibleModel(ModelInfo("m", "test"), server.base_url)
    world.models["m"] = model
    outcome = await world.start(GRAPH.format(keys=keys))
    await model.aclose()
    assert outcome.outputs is not None
    return outcome.outputs, [r for r in await world.store.effects(outcome.row.spans(0)) if r.kind == "model"]


@scenario_of_calls
async def test_a_busy_server_is_asked_again_when_it_says(world: World) -> None:
    """Its own wish comes before the policy's delay, within the policy's bound; all tries are one effect."""
    busy = Reply(status=429, retry_after="0")
    with ModelServer([busy, busy, "seven"]) as server:
        hour = 'retry: { max: 3, delay: 1h, max_delay: 2h, jitter: false }, writes: { said: "${ out.text }" }'
        outputs, rows = await ask(world, server, hour)
        assert outputs["said"] == "seven"
        assert server.calls == 3
    assert [(row.tries, row.attempt, row.state.name) for row in rows] == [(3, 0, "DONE")]


@not_compared
async def test_a_server_that_is_down_ends_as_data(world: World) -> None:
    with ModelServer([Reply(status=503), Reply(fault="drop"), Reply(status=500)], then="never asked") as server:
        outputs, rows = await ask(world, server, TEXT)
        assert outputs["said"] == "unavailable 0"
        assert server.calls == 3
    assert [(row.tries, row.attempt, row.state.name) for row in rows] == [(3, 0, "FAILED")]


@scenario_of_calls
async def test_a_server_that_says_nothing_is_left_at_the_deadline(world: World) -> None:
    """What it would have cost isn't known; the next attempt may succeed."""
    with ModelServer([Reply(fault="hang"), "seven"]) as server:
        outputs, rows = await ask(world, server, f"timeout: 400ms, {TEXT}")
        assert outputs["said"] == "seven"
        assert server.calls == 2
    assert [(row.attempt, row.state.name) for row in rows if row.outcome is not None] == [(1, "DONE")]
    assert all(row.cost is None for row in rows if row.outcome is None)


@scenario_of_calls
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(world: World) -> None:
    """Each answer is an effect of its own whose raw text is kept; the model is told what was wrong."""
    with ModelServer(["{ 'n': seven", '{"n": 7}', '{"n": "seven"}', "[]"], then="never asked") as server:
        outputs, rows = await ask(world, server, TYPED)
        assert outputs["number"] == 7
        assert server.calls == 2
        assert "can't be used" in server.received[1].prompt
        assert [row.ordinal for row in rows] == [0, 1]
        assert b"seven" in rows[0].outcome
        outputs, rows = await ask(world, server, TYPED.replace("max: 2", "max: 1"))
        assert outputs["said"] == "invalid_output 0"
        assert server.calls == 4


@scenario_of_calls
async def test_half_a_stream_is_no_answer(world: World) -> None:
    """What was shown of it is taken back, and nothing of it is kept."""
    with ModelServer([Reply("seven and no more", fault="half_stream"), "eight"]) as server:
        outputs, rows = await ask(world, server, TEXT)
        assert outputs["said"] == "eight"
        assert server.calls == 2
    assert [(row.tries, row.state.name) for row in rows] == [(2, "DONE")]
    assert b"seven" not in rows[0].outcome


@not_compared
async def test_a_web_page_and_a_redirect_are_refused(world: World) -> None:
    """Another address is never asked, least of all one that only this machine can reach."""
    with ModelServer([]) as inner:
        away = Reply(status=307, headers={"location": f"{inner.base_url}/chat/completions"})
        for reply, said in ((Reply(fault="html"), "unavailable 0"), (away, "invalid_input 0")):
            with ModelServer([], then=reply) as server:
                outputs, _ = await ask(world, server, TEXT)
                assert outputs["said"] == said
        assert inner.calls == 0
