from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
import trio
import trio.testing

from graphagent.errors import ModelError
from graphagent.llm.chat import Answer
from graphagent.llm.failures import Endpoint
from graphagent.llm.openai_compatible import OpenAICompatibleModel
from graphagent.llm.structured import parse
from graphagent.messages import (
    Done,
    ModelInfo,
    ModelRequest,
    Price,
    ReasoningDelta,
    Sampling,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from graphagent.testing import ModelServer, Received, Reply
from tests.unit.llm.calls import ANSWER, answer, ask, call, failure

pytestmark = pytest.mark.slow


def model_at(base_url: str, **options: Any) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(ModelInfo("m-1", "test"), base_url, **options)


def test_a_text_streams_in_pieces_and_its_usage_is_counted() -> None:
    with ModelServer(["Bees make honey. Grüße!"]) as server:
        answered = answer(model_at(server.base_url))
    assert answered.text == "Bees make honey. Grüße!"
    assert len(answered.parts) > 3
    assert answered.done.finish == "stop"
    assert answered.done.raw_id == "chatcmpl-1"
    assert answered.done.usage == Usage(input_tokens=9, output_tokens=6, cost_micro=None)


def test_what_is_sent() -> None:
    tool = {"name": "find", "description": "d", "parameters": {"type": "object"}}
    request = ModelRequest(
        (
            {"role": "system", "content": "Be short.", "id": "x", "meta": {"a": 1}},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "find", "arguments": {"q": "é"}}]},
            {"role": "tool", "content": "found", "tool_call_id": "c1"},
        ),
        tools=(tool,),
        tool_choice="find",
        output=ANSWER,
        sampling=Sampling(temperature=0.0, top_p=0.5, seed=7, stop=("END",), max_output=99),
        params={"top_p": 0.9, "logit_bias": {}},
        idempotency_key="key-1",
    )
    with ModelServer() as server:
        answer(model_at(server.base_url + "/", api_key=" secret\n"), request)
        (received,) = server.received
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == "Bearer secret"
    assert received.headers["idempotency-key"] == "key-1"
    schema = received.body.pop("response_format")["json_schema"]
    assert (schema["name"], schema["strict"], schema["schema"]["required"]) == ("answer", True, ["bullets", "mood"])
    assert received.body == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be short."},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "é"}'}}
                ],
            },
            {"role": "tool", "content": "found", "tool_call_id": "c1"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "max_tokens": 99,
        "tools": [{"type": "function", "function": tool}],
        "tool_choice": {"type": "function", "function": {"name": "find"}},
        "logit_bias": {},
    }  # fmt: skip


def test_openai_has_its_own_name_for_the_limit() -> None:
    with ModelServer() as server:
        model = OpenAICompatibleModel(ModelInfo("m", "openai"), server.base_url)
        answer(model, ask(sampling=Sampling(max_output=5)))
        assert server.received[0].body["max_completion_tokens"] == 5


def test_a_query_of_the_address_stays_at_its_end() -> None:
    with ModelServer() as server:
        answer(model_at(server.base_url + "?version=2"))
        assert server.received[0].path == "/v1/chat/completions?version=2"


def test_a_structured_answer_comes_back_as_a_value() -> None:
    with ModelServer([Reply({"bullets": ["a"], "mood": "good"})]) as server:
        answered = answer(model_at(server.base_url), ask(output=ANSWER))
    assert parse(answered.text, ANSWER) == {"bullets": ["a"], "mood": "good"}


def test_a_server_that_doesnt_stream_is_understood() -> None:
    with ModelServer([Reply("All at once.", whole=True)]) as server:
        answered = answer(model_at(server.base_url))
    assert answered.text == "All at once."
    assert not answered.done.usage.estimated


def test_usage_that_isnt_reported_is_estimated() -> None:
    with ModelServer([Reply("x" * 41, usage=False)]) as server:
        usage = answer(model_at(server.base_url), ask("y" * 10)).done.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (3, 11, True)


def test_a_known_price_gives_the_cost() -> None:
    with ModelServer(["abcd"]) as server:
        info = ModelInfo("m", "test", price=Price(1_000_000, 2_000_000))
        usage = answer(OpenAICompatibleModel(info, server.base_url)).done.usage
    assert usage.cost_micro == usage.input_tokens + 2 * usage.output_tokens


@pytest.mark.parametrize(
    ("reply", "kind", "cause"),
    [
        (Reply(status=401), "auth", None),
        (Reply(status=403), "auth", None),
        (Reply(status=400), "invalid_input", None),
        (Reply(status=404), "invalid_input", None),
        (Reply(status=400, code="context_length_exceeded"), "context_overflow", None),
        (Reply(status=400, code="content_filter"), "content_filter", None),
        (Reply(status=408), "timeout", None),
        (Reply(status=500), "unavailable", "server_error"),
        (Reply(status=503), "unavailable", "overloaded"),
        (Reply(status=307, headers={"location": "http://127.0.0.1:1/"}), "invalid_input", None),
        (Reply("text", fault="half_stream"), "unavailable", "stream_broken"),
        (Reply("text", fault="early_end"), "unavailable", "stream_broken"),
        (Reply("text", fault="stream_error"), "unavailable", "server_error"),
        (Reply("text", fault="stream_error", code="rate_limit_exceeded"), "rate_limit", None),
        (Reply("text", fault="garbage"), "unavailable", "server_error"),
        (Reply(fault="html"), "unavailable", "server_error"),
        (Reply(fault="wrong_json"), "unavailable", "server_error"),
        (Reply(fault="empty"), "unavailable", "server_error"),
        (Reply(fault="drop"), "unavailable", "connection"),
        (Reply("text", finish="content_filter"), "content_filter", None),
    ],
)
def test_each_fault_has_its_kind(reply: Reply, kind: str, cause: str | None) -> None:
    with ModelServer([reply]) as server:
        error = failure(model_at(server.base_url, api_key="my-secret"))
        assert server.calls == 1
    assert (error.kind, error.cause) == (kind, cause)
    assert server.base_url in error.message
    assert "'m-1'" in error.message
    assert "my-secret" not in f"{error!r} {error.hint}"


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("Thu, 01 Jan 2015 00:00:00 GMT", 0.0), ("x", None)])
def test_retry_after_is_handed_on(value: str, seconds: float | None) -> None:
    with ModelServer([Reply(status=429, retry_after=value)]) as server:
        error = failure(model_at(server.base_url))
    assert (error.kind, error.retry_after_s) == ("rate_limit", seconds)


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        error = failure(model_at(url))
    assert (error.kind, error.cause) == ("unavailable", "connection")
    assert error.message.startswith(f"can't reach model 'm-1' at {url}")
    assert error.hint == "is the server running, and is base_url right?"


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_the_idle_deadline(fault: Any) -> None:
    with ModelServer([Reply("some text", fault=fault)]) as server:
        error = failure(model_at(server.base_url, idle_s=0.15))
    assert (error.kind, error.cause) == ("timeout", "idle")
    assert "sent nothing for 0.15 s" in error.message


def test_the_total_deadline_holds_for_a_stream_that_never_idles() -> None:
    with ModelServer([Reply("x" * 5000, pace_s=0.02)]) as server:
        start = time.monotonic()
        error = failure(model_at(server.base_url), ask(deadline_s=0.2))
        assert time.monotonic() - start < 30  # by itself it would take longer
    assert (error.kind, error.cause) == ("timeout", None)


@pytest.mark.parametrize("url", ["", "localhost:80/v1", "ftp://h/v1", "http://", "http://[", "http://h:99999/v1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ModelError, match=r"is not an HTTP address|can't be read") as caught:
        model_at(url)
    assert caught.value.kind == "invalid_input"


@pytest.mark.parametrize("key", ["schlüssel", "a\nb", "a\x00"])
def test_a_key_that_is_none_is_not_told(key: str) -> None:
    with pytest.raises(ModelError) as caught:
        model_at("http://h/v1", api_key=key)
    assert caught.value.kind == "auth"
    assert key not in str(caught.value)


def test_a_request_that_isnt_plain_data() -> None:
    assert failure(model_at("http://127.0.0.1:9/v1"), ask(params={"x": object()})).kind == "invalid_input"
    assert failure(model_at("http://127.0.0.1:9/v1"), ask(params={"x": float("nan")})).kind == "invalid_input"


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    with ModelServer(["\ud83d x \U0001f41d"]) as server:
        text = answer(model_at(server.base_url)).text
    assert text.startswith("\ufffd x ")
    text.encode()


def test_calls_at_the_same_time_dont_mix() -> None:
    def echo(received: Received) -> Reply:
        return Reply(f"answer to {received.prompt}", pace_s=0.002)

    async def main(model: OpenAICompatibleModel) -> dict[str, str]:
        found: dict[str, str] = {}

        async def one(prompt: str) -> None:
            found[prompt] = (await call(model, ask(prompt))).text

        async with trio.open_nursery() as nursery:
            for i in range(20):
                nursery.start_soon(one, f"q{i}")
        await model.aclose()
        return found

    with ModelServer(echo) as server:
        found = trio.run(main, model_at(server.base_url))
    assert found == {f"q{i}": f"answer to q{i}" for i in range(20)}


async def stop_early(model: OpenAICompatibleModel) -> None:
    async with aclosing(model.stream(ask())) as parts:
        async for part in parts:
            assert isinstance(part, TextDelta)
            break
    await model.aclose()


async def be_cancelled(model: OpenAICompatibleModel) -> None:
    with trio.move_on_after(0.1) as scope:
        await call(model, ask())
    assert scope.cancelled_caught
    await model.aclose()


@pytest.mark.parametrize("how", [stop_early, be_cancelled])
def test_a_call_that_is_left_leaves_nothing_behind(how: Callable[[OpenAICompatibleModel], Awaitable[None]]) -> None:
    # the generators of the HTTP client warn when they are left to the garbage collector, and warnings are errors
    with ModelServer([Reply("a long text " * 50, fault="stall")], then="still alive") as server:
        model = model_at(server.base_url)
        start = time.monotonic()
        trio.run(how, model)
        assert time.monotonic() - start < 30  # by itself it would take longer
        assert answer(model).text == "still alive"


def as_guest(afn: Callable[[], Awaitable[Any]]) -> Any:
    """Run `afn` in trio as a guest on an asyncio loop."""

    async def host() -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            afn,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        return (await done).unwrap()

    return asyncio.run(host())


def test_it_works_where_trio_is_a_guest() -> None:
    async def main() -> tuple[str, str]:
        text = (await call(model, ask())).text
        with pytest.raises(ModelError) as caught:
            await call(model, ask())
        await stop_early(model)
        return text, caught.value.kind

    with ModelServer(["Hello, guest.", Reply(status=429)], then=Reply("x" * 99, pace_s=0.01)) as server:
        model = model_at(server.base_url)
        assert as_guest(main) == ("Hello, guest.", "rate_limit")


def test_one_model_serves_one_run_after_the_other() -> None:
    with ModelServer() as server:
        model = model_at(server.base_url)
        assert answer(model).text == "ok"
        assert answer(model).text == "ok"


def test_tool_calls_and_reasoning_come_as_parts() -> None:

    arriving = Answer(Endpoint("m", "http://h"), ask())
    parts = [
        *arriving.chunk('{"choices":[{"delta":{"reasoning_content":"hm"}}]}'),
        *arriving.chunk('{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"c","function":{"name":"f"}}]}}]}'),
        *arriving.chunk('{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"a":1}}}]},"finish_reason":"stop"}]}'),
        *arriving.chunk("[DONE]"),
    ]  # fmt: skip
    assert parts == [ReasoningDelta("hm"), ToolCallDelta(1, "c", "f"), ToolCallDelta(0, arguments='{"a": 1}')]
    assert arriving.done() == Done("tool_calls", Usage(1, 3, cost_micro=None, estimated=True))


def test_a_refusal_is_an_error() -> None:

    with pytest.raises(ModelError, match="refused to answer: I can't") as caught:
        Answer(Endpoint("m", "http://h"), ask()).chunk('{"choices":[{"delta":{"refusal":"I can\'t"}}]}')
    assert (caught.value.kind, caught.value.cause) == ("content_filter", "refusal")


def test_a_kept_connection_that_is_closed_as_it_is_used_again_costs_nothing() -> None:
    """Sent again, once for each kept connection; a drop on a connection of its own is an error."""
    replies = [
        Reply("one", keep=True),
        Reply(fault="drop"),
        Reply("two", keep=True),
        Reply("three"),
        Reply(fault="drop"),
    ]

    async def main() -> list[tuple[str, int]]:
        model = model_at(server.base_url)
        found = []
        try:
            for _ in range(3):
                answered = await call(model, ask())
                found.append((answered.text, answered.done.tries))
            with pytest.raises(ModelError) as caught:
                await call(model, ask())
            assert (caught.value.kind, caught.value.cause) == ("unavailable", "connection")
        finally:
            await model.aclose()
        return found

    with ModelServer(replies) as server:
        assert trio.run(main) == [("one", 1), ("two", 2), ("three", 1)]
        assert server.calls == 5


def test_several_kept_connections_are_all_passed_over() -> None:
    async def main() -> None:
        model = model_at(server.base_url)
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(call, model, ask())
            answered = await call(model, ask())
            assert (answered.text, answered.done.tries) == ("at last", 4)
        finally:
            await model.aclose()

    both = threading.Barrier(3)

    def reply(_: Received) -> Reply:
        if server.calls <= 3:
            both.wait(5)
            return Reply("kept", keep=True)
        return Reply(fault="drop") if server.calls <= 6 else Reply("at last")

    with ModelServer(reply) as server:
        trio.run(main)


def test_calls_arrive_in_pieces_and_garbled_arguments_stay_as_they_are() -> None:
    wanted: list[dict[str, Any]] = [
        {"name": "find", "arguments": {"q": "bees"}},
        {"name": "find", "arguments": '{"q": "be'},
    ]
    for whole in (False, True):
        with ModelServer([Reply(tool_calls=wanted, reasoning="" if whole else "Let me see.", whole=whole)]) as server:
            answered = answer(model_at(server.base_url))
        calls: dict[int, list[str | None]] = {}
        for part in answered.parts:
            if isinstance(part, ToolCallDelta):
                call = calls.setdefault(part.index, [part.id, part.name, ""])
                call[2] = (call[2] or "") + part.arguments
        assert calls == {0: ["call_0", "find", '{"q": "bees"}'], 1: ["call_1", "find", '{"q": "be']}
        thought = "".join(p.text for p in answered.parts if isinstance(p, ReasoningDelta))
        assert thought == ("" if whole else "Let me see.")
        assert answered.done.finish == "tool_calls"


def test_whole_calls_that_share_an_index_are_two() -> None:
    first = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    second = {"id": "b", "function": {"name": "g", "arguments": "{}"}}
    shared: tuple[dict[str, Any], ...] = ({}, {"index": 0})
    for index in shared:
        arriving = Answer(Endpoint("m", "http://x/v1"), ask())
        chunks = [{"choices": [{"delta": {"tool_calls": [call | index]}}]} for call in (first, second)]
        parts = [part for chunk in chunks for part in arriving.whole(chunk, "delta")]
        assert parts == [ToolCallDelta(0, "a", "f", "{}"), ToolCallDelta(1, "b", "g", "{}")]


def test_a_model_that_calls_one_tool_at_a_time_is_told_so() -> None:
    tool = {"name": "find", "description": "d", "parameters": {"type": "object"}, "effects": "read"}
    with ModelServer() as server:
        answer(OpenAICompatibleModel(ModelInfo("m", "vllm", parallel_tools=False), server.base_url), ask(tools=(tool,)))
        sent = server.received[0].body
    assert sent["parallel_tool_calls"] is False
    assert "effects" not in sent["tools"][0]["function"]
