from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from graphagent.errors import ModelError
from graphagent.llm.breaker import Breaker, Permit

DOWN, SLOW = ModelError("no", kind="unavailable"), ModelError("no", kind="timeout")
REFUSED = [
    ModelError("no", kind=kind)
    for kind in ("rate_limit", "auth", "invalid_input", "content_filter", "context_overflow", "limit")
]


def at_once(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def breaker() -> Breaker:
    return Breaker("m-1", chance=lambda: 0.0)


def fail(model: Breaker, times: int, error: ModelError = DOWN) -> None:
    for _ in range(times):
        model.enter().failed(error)


def refusal(model: Breaker) -> ModelError:
    with pytest.raises(ModelError) as caught:
        model.enter()
    return caught.value


def test_five_failures_open_it_and_calls_fail_at_once() -> None:
    async def main() -> None:
        model = breaker()
        fail(model, 3)
        fail(model, 2, SLOW)
        error = refusal(model)
        assert (error.kind, error.cause, error.retryable) == ("unavailable", "circuit_open", False)
        assert error.message == "model 'm-1' isn't asked, since its last calls failed: it is tried again in 10 s"

    at_once(main)


def test_refusals_are_healthy() -> None:
    async def main() -> None:
        model = breaker()
        for error in REFUSED:
            fail(model, 20, error)
        fail(model, 4)
        model.enter().succeeded()

    at_once(main)


def test_less_than_half_is_no_reason() -> None:
    async def main() -> None:
        model = breaker()
        for _ in range(6):
            model.enter().succeeded()
        fail(model, 5)
        fail(model, 1)
        assert refusal(model).cause == "circuit_open"

    at_once(main)


def test_failures_are_forgotten_after_a_minute() -> None:
    async def main() -> None:
        model = breaker()
        fail(model, 4)
        await trio.sleep(61)
        fail(model, 4)
        model.enter()

    at_once(main)


def test_one_probe_then_it_closes() -> None:
    async def main() -> None:
        model = breaker()
        fail(model, 5)
        await trio.sleep(10)
        probe = model.enter()
        assert "a trial call is under way" in refusal(model).message
        probe.succeeded()
        fail(model, 4)
        model.enter()

    at_once(main)


def test_a_failed_probe_doubles_the_time_up_to_five_minutes() -> None:
    async def main() -> None:
        model = breaker()
        fail(model, 5)
        for seconds in (10, 20, 40, 80, 160, 300, 300):
            await trio.sleep(seconds - 0.01)
            refusal(model)
            await trio.sleep(0.02)
            fail(model, 1)

    at_once(main)


def test_a_probe_that_nobody_waited_for_gives_its_place_back() -> None:
    async def main() -> None:
        model = breaker()
        fail(model, 5)
        await trio.sleep(10)
        model.enter().abandoned()
        probe = model.enter()
        refusal(model)
        probe.abandoned()
        probe.failed(DOWN)  # told twice: the first word counts
        model.enter()

    at_once(main)


def test_calls_from_before_the_opening_say_nothing_after_it() -> None:
    async def main() -> None:
        model = breaker()
        old = [model.enter() for _ in range(10)]
        fail(model, 5)
        await trio.sleep(10)
        probe = model.enter()
        old[0].succeeded()
        refusal(model)
        probe.succeeded()
        for permit in old[1:]:
            permit.failed(DOWN)
        model.enter()

    at_once(main)


class Machine(RuleBasedStateMachine):
    """Whatever happens in whatever order: after it has opened, at most one call is under way that began then."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.breaker = Breaker("m", chance=lambda: 0.5)
        self.under_way: list[tuple[Permit, bool]] = []

    def enter(self) -> None:
        opened = bool(self.breaker._opened)
        try:
            permit = self.breaker.enter()
        except ModelError:
            return
        self.under_way.append((permit, opened))

    def at(self, act: Callable[[], None]) -> None:
        async def main() -> None:
            await trio.sleep(self.time)
            act()

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    @rule()
    def call(self) -> None:
        self.at(self.enter)

    @rule(seconds=st.sampled_from([0.5, 5, 9, 11, 61, 301]))
    def wait(self, seconds: float) -> None:
        self.time += seconds

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), end=st.sampled_from(["ok", "down", "down", "down", "refused", "gone"]))
    def end(self, data: st.DataObject, end: str) -> None:
        permit, _ = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        acts: dict[str, Callable[[], None]] = {
            "ok": permit.succeeded, "down": lambda: permit.failed(DOWN), "refused": lambda: permit.failed(REFUSED[0]),
            "gone": permit.abandoned,
        }  # fmt: skip
        self.at(acts[end])

    @rule()
    def five_failures(self) -> None:
        def act() -> None:
            for _ in range(5):
                try:
                    self.breaker.enter().failed(DOWN)
                except ModelError:
                    return

        self.at(act)

    @invariant()
    def one_probe(self) -> None:
        assert sum(probe for _, probe in self.under_way) <= 1


TestMachine = Machine.TestCase
TestMachine.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
