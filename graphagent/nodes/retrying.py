"""The one retry layer of calls: tries inside an effect, under the node's `retry`, by tenacity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from graphagent.errors import ModelError
from graphagent.graph.plan import RetryPlan
from graphagent.ports import EffectCall, Task

TRANSIENT = frozenset({"rate_limit", "unavailable", "timeout"})
"""Kinds that are tried again inside the effect; all others are a matter of a new attempt."""


async def retrying(policy: RetryPlan, effect: EffectCall, task: Task, call: Callable[[], Awaitable[Any]]) -> Any:
    """What `call` gives at the first try that succeeds.

    Raises:
        ModelError: the last one; `exhausted` if it was tried as often as the policy allows.
    """
    allowed = TRANSIENT if policy.on is None else TRANSIENT & policy.on

    def again(error: BaseException) -> bool:
        return isinstance(error, ModelError) and error.kind in allowed and error.retryable

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        delay = policy.delay_s * (2 ** (state.attempt_number - 1) if policy.exponential else 1)
        if policy.jitter:
            delay *= 0.5 + task.random_bytes()[0] / 255
        wish = error.retry_after_s if isinstance(error, ModelError) else None
        return min(delay if wish is None else max(wish, 0.0), policy.max_delay_s)

    def before(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        kind = error.kind if isinstance(error, ModelError) else "unavailable"
        wait_ms = round((state.next_action.sleep if state.next_action else 0) * 1000)
        task.show("x.model.retry", {"attempt": state.attempt_number, "cause": kind, "wait_ms": wait_ms})

    attempts = AsyncRetrying(
        stop=stop_after_attempt(policy.max), wait=wait, retry=retry_if_exception(again), sleep=trio.sleep,
        before_sleep=before, reraise=True,
    )  # fmt: skip
    try:
        async for attempt in attempts:
            with attempt:
                effect.tries = attempt.retry_state.attempt_number
                return await call()
    except ModelError as error:
        error.exhausted = error.kind in allowed
        raise
    raise AssertionError("tenacity returns or raises")
