"""The rate limiter of one model: two buckets, of requests and of model tokens a minute, first in first out.

A bucket holds a sixth of its limit and is refilled with the rest over a minute, so no window of 60 s passes more than
the limit. A debit that is larger than the bucket goes when it is full, and leaves it below zero.

Each of several workers takes an equal part. Workers that share a Redis share the buckets. While it doesn't answer, each
keeps to its part, evenly paced, so no window passes more than the limit when Redis goes away or comes back.

What the provider says comes on top: nobody passes before the end of a `Retry-After`, and a reported remainder only
lowers. Time is trio's, so that `MockClock` drives it.
"""

from __future__ import annotations

import math

import trio

from graphagent.errors import ModelError
from graphagent.llm.capabilities import Rates
from graphagent.messages import Quota
from graphagent.ports import SharedBucket, SharedRates

WINDOW_S = 60.0
SHARE = 6
LOCAL_LIMIT = "local_limit"
"""The cause of a refusal that didn't come from the provider."""
ASK_AGAIN_S = 5.0
"""After so many seconds at most a limit that workers share is asked again."""
_TICK_S = 1e-6
"""The shortest wait: a shorter one might not move a clock of floats."""


class Bucket:
    """One quantity that comes back over time.

    Args:
        limit: A minute's worth, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self.capacity = max(limit / SHARE, 1.0)
        self.rate = max(limit - self.capacity, 1.0) / WINDOW_S
        self._whole = self.capacity, self.rate
        self._level = self.capacity
        self._at = trio.current_time()

    @property
    def level(self) -> float:
        """What is in it now."""
        now = trio.current_time()
        self._level = min(self._level + (now - self._at) * self.rate, self.capacity)
        self._at = now
        return self._level

    def wait(self, amount: float, ahead: float = 0.0) -> float:
        """Seconds until `amount` can go, after all that is `ahead` of it."""
        return max((min(amount, self.capacity) + ahead - self.level) / self.rate, 0.0)

    def change(self, amount: float) -> None:
        """Put something in, or take it out."""
        self._level = min(self.level + amount, self.capacity)

    def lower(self, remaining: float) -> None:
        """There is no more than this."""
        self._level = min(self.level, remaining)

    def resize(self, workers: int) -> None:
        """Be one of so many equal parts of it from now on."""
        self._level = self.level
        self.capacity, self.rate = max(self._whole[0] / workers, 1.0), self._whole[1] / workers
        self._level = min(self._level, self.capacity)

    def share(self, workers: int) -> Bucket:
        """What one of so many workers has of it while they can't share it: nothing now, and no more than 1 at once."""
        out = Bucket(1)
        out.capacity, out.rate, out._level = 1.0, self.rate / workers, 0.0
        return out


class RateLimiter:
    """Lets calls of one model pass, in the order in which they come.

    Args:
        rates: The limits; without any, only what the provider says holds.
        name: The model, for error texts.
        shared: Where the limit is kept for all workers, under `key`.
    """

    def __init__(self, rates: Rates, name: str, shared: SharedRates | None = None, key: str = "") -> None:
        self.name = name
        self._rates, self._shared, self._key = rates, shared, key
        self._buckets = (_bucket_of_all(rates.requests), _bucket_of_all(rates.tokens))
        self._workers, self._alone = 1, False
        self._split = 1
        self._requests = None if rates.requests is None else Bucket(rates.requests)
        self._tokens = None if rates.tokens is None else Bucket(rates.tokens)
        self._turn = trio.StrictFIFOLock()
        self._ahead_requests, self._ahead_tokens = 0, 0
        self._closed_until = -math.inf

    async def enter(self, tokens: int, deadline_s: float) -> None:
        """Wait for one request and this many model tokens, and take both.

        Raises:
            ModelError: `rate_limit`, the wait would pass the deadline; nothing was taken.
        """
        self._resize()
        needed = self._wait(tokens, self._ahead_requests, self._ahead_tokens)
        if needed > deadline_s:
            raise self._too_long(needed)
        if self._shared is None and needed <= 0 and not self._turn.locked():
            self._take(1, tokens)
            return
        until = trio.current_time() + deadline_s
        self._ahead_requests += 1
        self._ahead_tokens += tokens
        try:
            with trio.move_on_after(deadline_s):
                async with self._turn:
                    while (seconds := await self._ask(tokens)) > 0:
                        if self._shared is not None and trio.current_time() + seconds > until:
                            raise self._too_long(seconds)  # which only Redis knew
                        await trio.sleep(min(max(seconds, _TICK_S), self._nap_s))
                    return
        finally:
            self._ahead_requests -= 1
            self._ahead_tokens -= tokens
        raise self._too_long(self._wait(tokens, self._ahead_requests, self._ahead_tokens) + deadline_s)

    @property
    def _nap_s(self) -> float:
        """How long it sleeps at once: others may have closed the limit, or Redis may be back."""
        return math.inf if self._shared is None else ASK_AGAIN_S

    async def _ask(self, tokens: int) -> float:
        """Seconds until these model tokens and a request can go; 0 if both were taken."""
        closed = self._closed_until - trio.current_time()
        if self._shared is not None and closed <= 0:
            found = await self._shared.take(self._key, *self._buckets, (1, tokens))
            if found is not None:
                seconds, self._workers = found
                self._alone = False
                return seconds
            self._go_alone()
        seconds = self._wait(tokens)
        if seconds <= 0:
            self._take(1, tokens)
        return seconds

    async def settle(self, debited: int, used: int) -> None:
        """After the call: give back, or charge, the difference of model tokens."""
        if self._tokens is not None:
            self._tokens.change(debited - used)
            if self._shared is not None:
                await self._shared.settle(self._key, *self._buckets, debited - used)

    async def close_for(self, seconds: float) -> None:
        """Nobody passes for so long, here or in another worker."""
        self._closed_until = max(self._closed_until, trio.current_time() + seconds)
        if self._shared is not None:
            await self._shared.close_for(self._key, *self._buckets, seconds)

    async def told(self, quota: Quota) -> None:
        """What the provider says is left. Where it is nothing, nobody passes until there is more."""
        for left, reset_s, bucket in (
            (quota.requests, quota.requests_reset_s, self._requests),
            (quota.tokens, quota.tokens_reset_s, self._tokens),
        ):
            if left is None:
                continue
            if bucket is not None:
                bucket.lower(left)
            if left <= 0 and reset_s is not None:
                await self.close_for(reset_s)
        if self._shared is not None and (self._requests is not None or self._tokens is not None):
            await self._shared.lower(self._key, *self._buckets, (quota.requests, quota.tokens))

    def split(self, workers: int) -> None:
        """So many workers live. Without Redis each takes an equal part of the limits."""
        self._workers = workers

    def _resize(self) -> None:
        if self._shared is None and self._workers != self._split:
            self._split = self._workers
            for bucket in (self._requests, self._tokens):
                if bucket is not None:
                    bucket.resize(self._split)

    def _go_alone(self) -> None:
        """Keep to this worker's share, from now on until the limit can be shared again."""
        if not self._alone:
            self._alone = True
            self._requests, self._tokens = (
                None if limit is None else Bucket(limit).share(self._workers)
                for limit in (self._rates.requests, self._rates.tokens)
            )

    def _wait(self, tokens: int, ahead_requests: int = 0, ahead_tokens: int = 0) -> float:
        waits = [self._closed_until - trio.current_time(), 0.0]
        if self._requests is not None:
            waits.append(self._requests.wait(1, ahead_requests))
        if self._tokens is not None:
            waits.append(self._tokens.wait(tokens, ahead_tokens))
        return max(waits)

    def _take(self, requests: int, tokens: int) -> None:
        if self._requests is not None:
            self._requests.change(-requests)
        if self._tokens is not None:
            self._tokens.change(-tokens)

    def _too_long(self, seconds: float) -> ModelError:
        return ModelError(
            f"model {self.name!r} can't be asked in time: its rate limit asks for a wait of {math.ceil(seconds)} s",
            kind="rate_limit", cause=LOCAL_LIMIT, retryable=False, hint=f"try again in {math.ceil(seconds)} s",
            retry_after_s=float(seconds),
        )  # fmt: skip


def _bucket_of_all(limit: int | None) -> SharedBucket:
    """What all workers have together of a limit a minute."""
    if limit is None:
        return SharedBucket(0, 0)
    bucket = Bucket(limit)
    return SharedBucket(bucket.capacity, bucket.rate)
