"""Libraries of asyncio below trio: their calls end with the scope that they stand in, and work again afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import asyncpg
import pytest
import redis.asyncio
import trio

from graphagent.concurrency import aio, run_sync
from graphagent.testing import ModelServer, Reply
from graphagent.testing.services.valkey import ValkeyServer
from tests.contract.test_litellm import model_at
from tests.unit.llm.calls import Answered, ask

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
NAPPING = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and state = 'active'"


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when the server says that a call has arrived."""
    while not await holds():
        await trio.sleep(0.01)


def test_one_scope_ends_the_calls_of_all(postgres: str, valkey: ValkeyServer) -> None:
    hang = Reply(fault="hang")

    async def main(server: ModelServer) -> None:
        model = model_at(server.base_url)
        database, watching = await aio(asyncpg.connect, postgres), await aio(asyncpg.connect, postgres)
        queue, looking = (redis.asyncio.Redis.from_url(valkey.url, socket_timeout=None) for _ in range(2))

        async def model_says() -> str:
            async with aclosing(model.stream(ask())) as parts:
                return Answered(tuple([part async for part in parts])).text

        async def naps() -> bool:
            return bool(await aio(watching.fetchval, NAPPING))

        async def is_blocked() -> bool:
            clients = await aio(looking.client_list)
            return any(client["cmd"] == "blpop" for client in clients)

        async def is_asked() -> bool:
            return server.calls == 1

        ended: list[object] = []

        async def one(call: Callable[[], Awaitable[object]]) -> None:
            ended.append(await call())

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one, lambda: aio(database.execute, "select pg_sleep(60)"))
                nursery.start_soon(one, lambda: aio(queue.blpop, "nothing", 60))
                nursery.start_soon(one, model_says)
                for there in (naps, is_blocked, is_asked):
                    await until(there)
                nursery.cancel_scope.cancel()
            assert ended == []

            async def is_awake() -> bool:
                return not await naps()

            await until(is_awake)
            assert await aio(database.fetchval, "select 1") == 1
            assert await aio(queue.ping) is True
            assert await model_says() == "Awake."
        finally:
            await model.aclose()
            for connection in (database, watching):
                await aio(connection.close)
            for client in (queue, looking):
                await aio(client.aclose)

    with ModelServer([hang, "Awake."]) as server:
        run_sync(main, server)
