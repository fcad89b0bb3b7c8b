"""The rate limit of a model, kept in Redis for all workers that share it: two buckets in one script.

The script is what `llm.limits` does in one process, by the server's clock. A Redis that is away, slow, or flushed costs
the limit's exactness, never a call.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from graphagent.codec import digest
from graphagent.ports import SharedBucket

_log = logging.getLogger(__name__)

SCRIPT: Final = """
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end
local state = redis.call('HMGET', KEYS[1], 'at', 'closed', 'requests', 'tokens')
local at = tonumber(state[1] or now)
if now < at then now = at end
local closed = tonumber(state[2] or 0)
local names = {'requests', 'tokens'}
local wait, full = math.max(closed - now, 0), math.max(closed - now, 0)
local level, capacity, rate = {}, {}, {}
for i = 1, 2 do
  capacity[i], rate[i] = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  if capacity[i] > 0 then
    level[i] = math.min(tonumber(state[i + 2] or capacity[i]) + (now - at) * rate[i], capacity[i])
  end
end
local op, amount = ARGV[2], {tonumber(ARGV[7]), tonumber(ARGV[8])}
for i = 1, 2 do
  if level[i] then
    if op == 'take' then
      wait = math.max(wait, (math.min(amount[i], capacity[i]) - level[i]) / rate[i])
    elseif op == 'settle' then
      level[i] = math.min(level[i] + amount[i], capacity[i])
    elseif op == 'lower' and amount[i] >= 0 then
      level[i] = math.min(level[i], amount[i])
    end
  end
end
if op == 'close' then closed = math.max(closed, now + amount[1]) end
for i = 1, 2 do
  if level[i] then
    if op == 'take' and wait <= 0 then level[i] = level[i] - amount[i] end
    redis.call('HSET', KEYS[1], names[i], string.format('%.17g', level[i]))
    full = math.max(full, (capacity[i] - level[i]) / rate[i])
  end
end
redis.call('HSET', KEYS[1], 'at', string.format('%.17g', now), 'closed', string.format('%.17g', closed))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(full, closed - now) + 120000))
redis.call('ZADD', KEYS[2], now, ARGV[9])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 120000)
redis.call('PEXPIRE', KEYS[2], 240000)
return {string.format('%.17g', wait), redis.call('ZCARD', KEYS[2])}
"""
"""ARGV: time in ms or -1; `take`, `settle`, `lower` or `close`; capacity and rate per ms of both buckets, 0 for what
is not limited; two amounts; the worker. Gives the wait in ms, 0 if all was taken, and the number of workers."""


class Connection(Protocol):
    """What is needed of `redis.Redis`."""

    def script(self, text: str) -> Callable[..., Awaitable[Any]]: ...

    async def call(self, fn: Callable[..., Awaitable[Any]], *args: Any) -> Any: ...


class SharedRates:
    """See `ports.SharedRates`.

    Args:
        now_ms: The time, in place of the server's.
    """

    def __init__(self, redis: Connection, now_ms: Callable[[], float] | None = None) -> None:
        self.redis, self.now_ms = redis, now_ms
        self.worker = os.urandom(8).hex()
        self._script: Any = None
        self._warned = False

    async def take(
        self, key: str, requests: SharedBucket, tokens: SharedBucket, amount: tuple[float, float]
    ) -> tuple[float, int] | None:
        """See `ports.SharedRates`."""
        return await self._run("take", key, requests, tokens, amount)

    async def settle(self, key: str, requests: SharedBucket, tokens: SharedBucket, back: float) -> None:
        """See `ports.SharedRates`."""
        await self._run("settle", key, requests, tokens, (0, back))

    async def lower(
        self, key: str, requests: SharedBucket, tokens: SharedBucket, left: tuple[int | None, int | None]
    ) -> None:
        """See `ports.SharedRates`."""
        most = [-1 if one is None else max(one, 0) for one in left]
        await self._run("lower", key, requests, tokens, (most[0], most[1]))

    async def close_for(self, key: str, requests: SharedBucket, tokens: SharedBucket, seconds: float) -> None:
        """See `ports.SharedRates`."""
        await self._run("close", key, requests, tokens, (seconds * 1000, 0))

    async def _run(
        self, op: str, key: str, requests: SharedBucket, tokens: SharedBucket, amount: tuple[float, float]
    ) -> tuple[float, int] | None:
        if self._script is None:
            self._script = self.redis.script(SCRIPT)
        # The name says nothing about the credential that is in the key.
        name = f"graphagent:rate:{digest(key.encode()).hex()}"
        now = -1 if self.now_ms is None else self.now_ms()
        buckets = [number for bucket in (requests, tokens) for number in (bucket.capacity, bucket.rate_s / 1000)]
        found = await self.redis.call(
            self._script, [name, f"{name}:workers"], [now, op, *buckets, *amount, self.worker]
        )  # fmt: skip
        try:
            wait_ms, workers = float(found[0]), int(found[1])
        except (TypeError, ValueError, IndexError):
            self._warn()
            return None
        return max(wait_ms, 0.0) / 1000, max(workers, 1)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("Redis doesn't answer: each worker keeps to its share of the rate limits until it does")
