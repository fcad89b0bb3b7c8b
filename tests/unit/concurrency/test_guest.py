from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from graphagent.concurrency import aio, current_library, in_trio
from graphagent.errors import GraphAgentError

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def token() -> object:
    await trio.lowlevel.checkpoint()
    return trio.lowlevel.current_trio_token()


async def double(x: int) -> int:
    await trio.sleep(0)
    return 2 * x


async def fail(error: BaseException) -> None:
    await trio.sleep(0)
    raise error


def test_on_asyncio_it_runs_in_trio() -> None:
    async def where() -> str | None:
        return current_library()

    async def main() -> tuple[str | None, str | None, int]:
        return current_library(), await in_trio(where), await in_trio(double, 21)

    assert asyncio.run(main()) == ("asyncio", "trio", 42)
    assert current_library() is None


def test_on_trio_it_awaits_in_place() -> None:
    async def current() -> object:
        return trio.lowlevel.current_task()

    async def main() -> bool:
        return await in_trio(current) is trio.lowlevel.current_task()

    assert trio.run(main)


def test_1000_calls_share_one_guest_run() -> None:
    async def main() -> int:
        return len(set(await asyncio.gather(*[in_trio(token) for _ in range(1000)])))

    assert asyncio.run(main()) == 1


def test_loops_in_sequence_each_have_a_guest() -> None:
    async def main() -> object:
        return await in_trio(token)

    assert asyncio.run(main()) is not asyncio.run(main())


def test_a_loop_closed_without_cancelling_its_tasks_frees_the_thread() -> None:
    ended = []

    async def background() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    async def main() -> object:
        waiting = asyncio.create_task(in_trio(background))
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]
        return await in_trio(token)

    tokens = []
    for _ in range(3):
        loop = asyncio.new_event_loop()
        tokens.append(loop.run_until_complete(main()))
        loop.close()
    assert asyncio.run(in_trio(double, 1)) == 2
    assert ended == [True] * 3
    assert len(set(tokens)) == 3


def test_two_open_loops_in_one_thread_are_refused() -> None:
    first = asyncio.new_event_loop()
    first.run_until_complete(in_trio(double, 1))
    with pytest.raises(GraphAgentError, match="another event loop of this thread") as caught:
        asyncio.run(in_trio(double, 1))
    assert caught.value.hint == "close that loop first, or run this one in a thread of its own"
    assert first.run_until_complete(in_trio(double, 2)) == 4
    first.close()
    assert asyncio.run(in_trio(double, 3)) == 6


def test_a_foreign_trio_run_is_refused() -> None:
    def nested() -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(in_trio(double, 1))
        finally:
            loop.close()

    async def call() -> None:
        await asyncio.sleep(0)
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            trio.sleep,
            0.05,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=lambda result: done.set_result(result),
        )
        with pytest.raises(GraphAgentError, match="trio already runs in this thread"):
            await in_trio(double, 1)
        await done

    asyncio.run(call())


def test_exceptions_keep_their_type_and_traceback() -> None:
    async def main() -> None:
        error = KeyError("x")
        with pytest.raises(KeyError) as caught:
            await in_trio(fail, error)
        assert caught.value is error
        assert "fail" in [entry.name for entry in caught.traceback]
        group = ExceptionGroup("theirs", [ValueError("y")])
        with pytest.raises(ExceptionGroup) as caught_group:
            await in_trio(fail, group)
        assert caught_group.value is group

    asyncio.run(main())


def test_context_variables_carry_over_and_dont_stay() -> None:
    async def read() -> str:
        return variable.get()

    async def main() -> list[str]:
        variable.set("first")
        first = await in_trio(read)
        variable.set("second")
        return [first, await in_trio(read), await in_trio(aio, read), await in_trio(system)]

    async def system() -> str:
        found = []

        async def look() -> None:
            found.append(variable.get())

        trio.lowlevel.spawn_system_task(look)
        await trio.testing.wait_all_tasks_blocked()
        return found[0]

    assert asyncio.run(main()) == ["first", "second", "second", "unset"]


def test_cancelling_the_asyncio_side_cancels_trio_and_waits_for_it() -> None:
    order = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)
            order.append("trio")

    async def main() -> None:
        task = asyncio.create_task(in_trio(work))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        order.append("asyncio")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_trio(trio.sleep_forever)

    asyncio.run(main())
    assert order == ["trio", "asyncio"]


def test_cancelling_before_the_guest_is_ready() -> None:
    async def main() -> int:
        task = asyncio.create_task(in_trio(trio.sleep_forever))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await in_trio(double, 1)

    assert asyncio.run(main()) == 2


def test_an_error_after_a_cancellation_wins() -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while closing")

    async def main() -> None:
        task = asyncio.create_task(in_trio(work))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(ValueError, match="while closing"):
            await task

    asyncio.run(main())


def test_the_loops_end_cancels_what_runs() -> None:
    ended = []
    begun = asyncio.Event()

    async def in_asyncio() -> None:
        try:
            begun.set()
            await asyncio.sleep(3600)
        finally:
            ended.append("asyncio")

    async def nested() -> None:
        try:
            await aio(in_asyncio)
        finally:
            ended.append("trio")

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(in_trio(nested))
        await begun.wait()
        return task

    task = asyncio.run(main())
    assert ended == ["asyncio", "trio"]
    assert task.cancelled()


def test_calls_made_while_the_loop_ends_still_work() -> None:
    results: list[int] = []

    async def tidy(delay: float, x: int) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(delay)
            results.append(await in_trio(double, x))

    async def main() -> None:
        tasks = [asyncio.create_task(tidy(delay, x)) for x, delay in enumerate([0, 0.01, 0.02, 0.02])]
        await in_trio(double, 0)
        assert tasks

    asyncio.run(main())
    assert sorted(results) == [0, 2, 4, 6]
    assert asyncio.run(in_trio(double, 4)) == 8


def test_cancelling_all_other_tasks_by_hand_doesnt_hang() -> None:
    async def main() -> int:
        await in_trio(double, 1)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return await in_trio(double, 2)

    assert asyncio.run(main()) == 4


@pytest.mark.parametrize("depth", [1, 5])
def test_nesting(depth: int) -> None:
    def down(n: int) -> Callable[[], Awaitable[int]]:
        async def there() -> int:
            assert current_library() == "trio"
            return await aio(back)

        async def back() -> int:
            assert current_library() == "asyncio"
            return 1 + (await in_trio(down(n - 1)) if n > 1 else 0)

        return there

    assert asyncio.run(in_trio(down(depth))) == depth
