"""Functions as tools: what they are given, what their failures are, and what becomes of those that hang."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest
import trio

import graphagent
from graphagent import concurrency
from graphagent.errors import InDoubt, NodeError, OutputTooLarge, Timeout, ToolFailed, ToolRetry
from graphagent.tools.bounded import RESULT_LIMIT
from tests.unit.tools.world import STEP, called, function_tool, tool_call


class Order(pydantic.BaseModel):
    number: int
    at: datetime


@dataclasses.dataclass
class Line:
    order: Order
    tags: tuple[str, ...]


NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_a_function_gets_what_its_annotations_say() -> None:
    def tool(order: Order, count: int) -> Any:
        return [type(order).__name__, order.number + count]

    assert called(tool, {"order": {"number": "4", "at": "2026-01-02T03:04:00Z"}, "count": "1"}) == ["Order", 5]


def test_results_become_plain_data() -> None:
    def tool() -> Any:
        return {"line": Line(Order(number=1, at=NOW), ("a",)), "when": NOW.date(), "set": {1}}

    assert called(tool, {}) == {
        "line": {"order": {"number": 1, "at": "2026-01-02T03:04:00Z"}, "tags": ["a"]}, "when": "2026-01-02", "set": [1],
    }  # fmt: skip


@pytest.mark.parametrize("result", [object(), lambda: 1, float("nan"), 1 << 70, {"a": threading.Lock()}])
def test_a_result_that_is_no_data_is_invalid_output(result: Any) -> None:
    def tool() -> Any:
        return result

    with pytest.raises(NodeError) as caught:
        called(tool, {})
    assert (caught.value.kind, caught.value.cause) == ("invalid_output", "unserialisable")


def test_the_context_knows_the_call_and_shows_its_progress() -> None:
    shown: list[tuple[float, str]] = []

    def tool(context: graphagent.ToolContext) -> Any:
        context.progress(0.5, "half")
        context.progress(7)
        return [context.session, context.step, context.idempotency_key, context.now(), context.cancelled]

    async def main() -> Any:
        call = tool_call(progress=lambda fraction, note: shown.append((fraction, note)), now=lambda: NOW)
        return await function_tool(tool).call("it", {}, call)

    assert trio.run(main) == ["ses_1", STEP, "6b" * 16, "2026-01-02T03:04:00Z", False]
    assert shown == [(0.5, "half"), (1.0, "")]


@pytest.mark.parametrize(("key", "given"), [("mine", "mine"), (None, "6b" * 16)])
def test_the_hidden_key_is_the_authors_else_that_of_the_effect(key: str | None, given: str) -> None:
    def tool(idempotency_key: str) -> str:
        return idempotency_key

    assert called(tool, {}, tool_call(key), effects="write") == given


def test_wrong_arguments_call_nothing() -> None:
    def tool(count: int) -> Any:
        raise AssertionError

    with pytest.raises(NodeError) as caught:
        called(tool, {"count": "many"})
    assert caught.value.details["field"] == "$.count"


@pytest.mark.parametrize("effects", ["pure", "read"])
def test_what_a_tool_raises_itself_is_told_and_all_else_is_masked(effects: str) -> None:
    def tool(how: str) -> Any:
        if how == "failed":
            raise ToolFailed("no such order", cause="not_found")
        if how == "retry":
            raise ToolRetry("not yet")
        if how == "exit":
            raise SystemExit(3)
        raise KeyError("postgresql://user:pass@host")

    with pytest.raises(ToolFailed) as failed:
        called(tool, {"how": "failed"}, effects=effects)
    assert (failed.value.kind, failed.value.cause, failed.value.retryable) == ("tool_failed", "not_found", False)
    with pytest.raises(ToolRetry) as retry:
        called(tool, {"how": "retry"}, effects=effects)
    assert retry.value.retryable
    with pytest.raises(NodeError) as masked:
        called(tool, {"how": "boom"}, effects=effects)
    assert (masked.value.kind, masked.value.cause, masked.value.message) == ("tool_failed", None, "KeyError")
    assert "pass@host" in masked.value.details["raised"]
    assert masked.value.trace[-1]["file"] == "test_functions.py"
    with pytest.raises(NodeError, match=r"^SystemExit$") as exited:
        called(tool, {"how": "exit"}, effects=effects)
    assert exited.value.kind == "tool_failed"


def test_a_result_over_the_limit_is_a_failure_of_the_tool() -> None:
    def tool() -> str:
        return "x" * (RESULT_LIMIT + 1)

    with pytest.raises(OutputTooLarge) as caught:
        called(tool, {})
    assert (caught.value.kind, caught.value.cause) == ("tool_failed", "output_too_large")


def test_a_function_that_hangs_is_left_alone_and_may_find_out() -> None:
    go = threading.Event()
    seen: list[Any] = []

    def tool(context: graphagent.ToolContext) -> None:
        go.wait()
        seen.append(context.cancelled)
        context.progress(1)

    async def main() -> None:
        with pytest.raises(Timeout, match=r"'it' took longer than 0\.01 s"):
            await function_tool(tool, timeout_s=0.01).call(
                "it", {}, tool_call(progress=lambda *_: seen.append("shown"))
            )
        go.set()
        while not seen:
            await trio.sleep(0.001)

    trio.run(main)
    assert seen == [True]


def test_a_coroutine_that_ignores_cancellation_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphagent.calling.GRACE_S", 0.01)
    ended: list[str] = []

    async def tool() -> None:
        release = asyncio.get_running_loop().create_future()
        stop = asyncio.get_running_loop().call_later(30, release.set_result, None)
        for _ in range(2):
            try:
                await asyncio.shield(release)
            except asyncio.CancelledError:
                ended.append("ignored")
        stop.cancel()

    async def main() -> None:
        with pytest.raises(Timeout):
            await function_tool(tool, timeout_s=0.01).call("it", {}, tool_call())

    concurrency.run_sync(main)
    assert ended[0] == "ignored"


def test_a_write_that_took_too_long_is_in_doubt_unless_it_has_a_key() -> None:
    async def tool(idempotency_key: str = "") -> None:
        await asyncio.sleep(3600)

    def main(key: str | None) -> None:
        source = function_tool(tool, timeout_s=0.01, effects="write")
        concurrency.run_sync(source.call, "it", {}, tool_call(key))

    with pytest.raises(InDoubt):
        main(None)
    with pytest.raises(Timeout):
        main("key")


def test_the_time_of_a_call_may_be_another() -> None:
    async def main() -> None:
        with pytest.raises(Timeout):
            await function_tool(trio_sleeper).call("it", {}, tool_call(timeout_s=0.01))

    trio.run(main)


@graphagent.trio_node
async def trio_sleeper() -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize("raises", [False, True])
def test_what_comes_of_a_cancelled_call_comes_late(*, raises: bool) -> None:
    """It ends within its grace, with a result or a failure: neither counts any more."""

    async def tool() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if raises:
                raise ValueError from None
        return "late"

    with pytest.raises(Timeout, match="took longer"):
        concurrency.run_sync(function_tool(tool, timeout_s=0.01).call, "it", {}, tool_call())


def test_a_cancellation_of_its_own_is_a_failure() -> None:
    async def tool() -> None:
        raise asyncio.CancelledError

    with pytest.raises(NodeError, match="raised by the function itself") as caught:
        concurrency.run_sync(function_tool(tool).call, "it", {}, tool_call())
    assert caught.value.kind == "tool_failed"
