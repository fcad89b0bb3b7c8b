from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from graphagent.errors import ModelError
from graphagent.llm.capabilities import NOTHING_SAID, Capabilities, Rates
from graphagent.llm.catalogue import open_model
from graphagent.llm.guarded import GuardedModel, SharedGuards
from graphagent.llm.scripted import ScriptedModel
from graphagent.messages import Model
from graphagent.testing import ModelServer, Reply
from tests.unit.llm.calls import ask, call

pytestmark = pytest.mark.slow


def opened(server: ModelServer, guards: SharedGuards, name: str = "m", said: Capabilities = NOTHING_SAID) -> Model:
    return open_model(f"vllm/{name}", base_url=server.base_url, environ={}, guards=guards, capabilities=said)


async def failing(model: Model, deadline_s: float | None = None) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await call(model, ask(deadline_s=deadline_s))
    return caught.value


def test_after_five_failures_a_server_is_left_alone_by_all_who_share_it() -> None:
    async def main() -> None:
        guards = SharedGuards()
        one, other = opened(server, guards), opened(server, guards)
        for _ in range(5):
            assert (await failing(one)).cause == "server_error"
        assert (await failing(other)).cause == "circuit_open"
        assert server.calls == 5
        assert (await failing(opened(server, guards, "another"))).cause == "server_error"

    with ModelServer(then=Reply(status=500)) as server:
        trio.run(main)


def test_no_window_passes_the_limit_of_a_real_server() -> None:
    """Twelve a minute: some at once, then one each five seconds. The clock jumps, the sockets are real."""
    sent: list[float] = []

    async def main() -> None:
        guards = SharedGuards()
        model = opened(server, guards, said=Capabilities(rates=Rates(requests=12)))
        for _ in range(15):
            await call(model, ask())
            sent.append(trio.current_time())

    with ModelServer() as server:
        # the clock jumps only after a while in which nothing happens, so sockets have their time
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.3))
        assert server.calls == 15
    for begin in sent:
        assert sum(begin <= at < begin + 59.99 for at in sent) <= 12


def test_nobody_passes_before_retry_after() -> None:
    async def main() -> None:
        guards = SharedGuards()
        one, other = opened(server, guards), opened(server, guards)
        error = await failing(one)
        assert (error.kind, error.retry_after_s) == ("rate_limit", 1.0)
        begun = time.monotonic()
        early = await failing(other, deadline_s=0.1)
        assert (early.kind, early.cause, early.hint) == ("rate_limit", "local_limit", "try again in 1 s")
        assert server.calls == 1
        await call(other, ask())
        assert time.monotonic() - begun >= 0.75

    with ModelServer([Reply(status=429, retry_after="1")]) as server:
        trio.run(main)


def test_a_quota_that_is_used_up_is_waited_for() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h"}

    async def main() -> None:
        guards = SharedGuards()
        model = opened(server, guards)
        await call(model, ask())
        assert (await failing(model, deadline_s=5)).hint == "try again in 3600 s"
        assert server.calls == 1

    with ModelServer([Reply(headers=headers)]) as server:
        trio.run(main)


def test_the_wait_is_part_of_the_deadline_and_a_refusal_of_ours_says_nothing_of_the_server() -> None:
    async def main() -> None:
        inner = ScriptedModel(["one", "two"])
        model = SharedGuards().around(inner, "u", "k", Rates(requests=12))
        for _ in range(2):
            assert isinstance(model, GuardedModel)
        await call(model, ask())
        await call(model, ask(deadline_s=10))
        for _ in range(30):
            assert (await failing(model, deadline_s=1)).cause == "local_limit"
        with pytest.raises(ModelError, match="no turn left"):
            await call(model, ask(deadline_s=10))
        assert inner.requests[-1].deadline_s == pytest.approx(4)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_cancelled_call_says_nothing() -> None:
    async def main() -> None:
        guards = SharedGuards()
        model = opened(server, guards)
        for _ in range(8):
            with trio.move_on_after(0.05):
                await call(model, ask())
        assert (await call(model, ask())).text == "ok"

    with ModelServer([Reply(fault="hang")] * 8) as server:
        trio.run(main)
