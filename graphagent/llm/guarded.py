"""A model behind its breaker and its limiter: what happens around every try of a call, in this order.

    breaker   fails at once while the server is down
    limiter   waits for the model's rate limit
    call      the adapter
    classify  what the end means for the two above

Guards are shared by all who use the same model of a provider with the same credential.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

import trio

from graphagent.errors import ModelError
from graphagent.llm.breaker import Breaker
from graphagent.llm.capabilities import Rates
from graphagent.llm.chat import estimate_input
from graphagent.llm.limits import LOCAL_LIMIT, RateLimiter
from graphagent.messages import Done, Model, ModelInfo, ModelPart, ModelRequest
from graphagent.ports import SharedRates

PATIENCE_S = 600.0
"""The time for a call that has no deadline of its own, the wait for the limiter included."""
EXPECTED_OUTPUT = 1_024


@dataclass(frozen=True, slots=True)
class Guards:
    """What the calls of one model have in common."""

    breaker: Breaker
    limiter: RateLimiter

    @classmethod
    def of(cls, name: str, rates: Rates, shared: SharedRates | None = None, key: str = "") -> Guards:
        """New ones. Made inside a trio run, since they read its clock."""
        return cls(Breaker(name), RateLimiter(rates, name, shared, key))


class SharedGuards:
    """The guards of a worker, by provider, address, credential and model.

    Args:
        rates: Where the rate limits are kept that several workers share.
    """

    def __init__(self, rates: SharedRates | None = None) -> None:
        self._rates, self._workers = rates, 1
        self._guards: dict[tuple[str, ...], Guards] = {}

    def around(self, model: Model, base_url: str, api_key: str, rates: Rates) -> GuardedModel:
        """The model behind its guards."""
        return GuardedModel(model, self, (model.info.provider, base_url, api_key, model.info.name), rates)

    def split(self, workers: int) -> None:
        """So many workers live: without Redis each takes its part of the rate limits."""
        self._workers = workers
        for guards in self._guards.values():
            guards.limiter.split(workers)

    def get(self, key: tuple[str, ...], rates: Rates) -> Guards:
        """Those that belong together; the first call makes them."""
        if key not in self._guards:
            self._guards[key] = Guards.of(key[-1], rates, self._rates, "\0".join(key))
            self._guards[key].limiter.split(self._workers)
        return self._guards[key]


class GuardedModel:
    """The same model, asked only when its guards let it."""

    def __init__(self, inner: Model, shared: SharedGuards, key: tuple[str, ...], rates: Rates) -> None:
        self.inner = inner
        self._shared, self._key, self._rates = shared, key, rates

    @property
    def info(self) -> ModelInfo:
        """That of the model."""
        return self.inner.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last.

        Raises:
            ModelError: the call failed, or wasn't made; nothing else is raised.
        """
        guards = self._shared.get(self._key, self._rates)
        permit = guards.breaker.enter()
        try:
            patience = PATIENCE_S if request.deadline_s is None else request.deadline_s
            debit = estimate_input(request) + (request.sampling.max_output or EXPECTED_OUTPUT)
            begun = trio.current_time()
            await guards.limiter.enter(debit, patience)
            if request.deadline_s is not None:
                request = replace(request, deadline_s=max(patience - (trio.current_time() - begun), 0.001))
            async with aclosing(self.inner.stream(request)) as parts:
                async for part in parts:
                    if isinstance(part, Done):
                        permit.succeeded()
                        await _settle(guards.limiter, debit, part)
                    yield part
        except ModelError as error:
            if error.cause == LOCAL_LIMIT:
                permit.abandoned()
            else:
                permit.failed(error)
                if error.kind == "rate_limit" and error.retry_after_s is not None:
                    await guards.limiter.close_for(error.retry_after_s)
            raise
        finally:
            permit.abandoned()

    async def aclose(self) -> None:
        """Close the model."""
        await self.inner.aclose()


async def _settle(limiter: RateLimiter, debit: int, done: Done) -> None:
    if not done.usage.estimated:
        await limiter.settle(debit, done.usage.total_tokens)
    if done.quota is not None:
        await limiter.told(done.quota)
