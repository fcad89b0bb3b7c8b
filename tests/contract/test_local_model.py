"""The real local model. Shape, end and usage are checked, never what it knows: it is tiny."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from graphagent.errors import ModelError
from graphagent.llm.catalogue import open_model
from graphagent.llm.emulation import EmulatedTools
from graphagent.llm.local.install import locate
from graphagent.llm.local.model import LocalModel
from graphagent.llm.local.server import LocalServer
from graphagent.llm.structured import parse
from graphagent.messages import ModelRequest, Sampling
from tests.benchmarks.tool_calls import measure, said_to
from tests.unit.llm.calls import ANSWER, answer, ask, call


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A server of these tests; the weights have to be there."""
    if locate() is None:
        pytest.fail("the weights of the local model aren't installed: run `graphagent local install --yes`")
    server = LocalServer()
    yield server
    server.stop()


@pytest.fixture
def model(server: LocalServer) -> LocalModel:
    return LocalModel(server=server)


def test_a_text(model: LocalModel) -> None:
    answered = answer(model, ask("What is a bee?", sampling=Sampling(max_output=24)))
    assert answered.text.strip()
    assert len(answered.parts) > 5
    usage = answered.done.usage
    assert 20 <= usage.input_tokens <= 60
    assert 1 <= usage.output_tokens <= 24
    assert usage.cost_micro == 0
    assert not usage.estimated
    assert answered.done.finish in ("stop", "length")


@pytest.mark.parametrize(
    "schema",
    [
        ANSWER,
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {"enum": ["accept", "revise"]},
        {
            "type": "object",
            "properties": {"score": {"type": "integer"}, "why": {"type": "string"}},
            "required": ["score"],
        },
    ],
)
def test_an_answer_fits_its_schema_and_ends(model: LocalModel, schema: dict[str, Any]) -> None:
    answered = answer(model, ask("Bees make honey. Summarise, and judge the text.", output=schema))
    assert answered.done.finish == "stop"
    value = parse(answered.text, schema, finish=answered.done.finish)
    kinds = {"object": "dict", "string": "str", "array": "list"}
    assert type(value).__name__ == kinds.get(schema.get("type", ""), "str")
    if schema is ANSWER:
        assert value.keys() == {"bullets", "mood"}
        assert value["mood"] in ("good", "bad")
        assert all(isinstance(b, str) and len(b) <= 200 for b in value["bullets"])
    if "enum" in schema:
        assert value in schema["enum"]


def test_more_calls_than_slots(model: LocalModel) -> None:
    finished: list[str] = []

    async def one(i: int) -> None:
        finished.append((await call(model, ask(f"Count to {i}.", sampling=Sampling(max_output=8)))).done.finish)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for i in range(5):
                nursery.start_soon(one, i)
        await model.aclose()

    trio.run(main)
    assert len(finished) == 5


def test_a_prompt_that_is_too_long(model: LocalModel) -> None:
    with pytest.raises(ModelError) as caught:
        answer(model, ask("word " * (model.info.context_window or 0) * 2))
    assert caught.value.kind == "context_overflow"


def test_a_cancelled_call_leaves_the_server_free(model: LocalModel) -> None:
    async def main() -> None:
        with trio.move_on_after(0.3) as scope:
            await call(model, ask("Write a long story about a bee."))
        assert scope.cancelled_caught
        with trio.fail_after(20):
            await call(model, ask("Hi", sampling=Sampling(max_output=4)))
        await model.aclose()

    trio.run(main)


def test_where_trio_is_a_guest(model: LocalModel) -> None:
    async def main() -> str:
        try:
            return (await call(model, ask("Hi", sampling=Sampling(max_output=4)))).text
        finally:
            await model.aclose()

    async def host() -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            main,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        return (await done).unwrap()

    assert asyncio.run(host())


def test_a_killed_server_is_an_error_and_comes_back(model: LocalModel, server: LocalServer) -> None:
    request = ask("Hi", sampling=Sampling(max_output=4))

    async def main() -> None:
        await call(model, request)
        running = server.ensure(locate() or pytest.fail("gone"))

        async def kill() -> None:
            await trio.sleep(0.2)
            os.kill(running.pid, signal.SIGKILL)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with pytest.raises(ModelError) as caught:
                await call(model, ask("Write a long story about a bee."))
        assert caught.value.kind == "unavailable"
        assert caught.value.cause in ("connection", "stream_broken")
        assert (await call(model, request)).text
        await model.aclose()

    trio.run(main)


def test_only_its_own_process_may_ask_it(server: LocalServer) -> None:
    running = server.ensure(locate() or pytest.fail("gone"))
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    for headers in ({}, {"authorization": "Bearer wrong"}):
        assert httpx.post(f"{running.base_url}/chat/completions", json=body, headers=headers).status_code == 401
    preflight = httpx.options(f"{running.base_url}/chat/completions", headers={"origin": "http://evil.example"})
    assert preflight.headers.get("access-control-allow-origin") not in ("*", "http://evil.example")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    server = LocalServer()
    with pytest.raises(ModelError, match="the server of the local model doesn't run: it ended"):
        answer(LocalModel(server=server, weights=path))
    server.stop()


def test_the_catalogue_knows_it(server: LocalServer) -> None:
    model = open_model("local/smollm2", environ={})
    assert isinstance(model, EmulatedTools)
    assert isinstance(model.inner, LocalModel)
    assert model.info.context_window == 2048
    assert ModelRequest(()).deadline_s is None


async def _call_and_answer(model: LocalModel) -> None:
    emulated = EmulatedTools(model, max_reply=200)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Tell me the weather in Boston in fahrenheit."}]
    said = await said_to(emulated, messages)
    assert said.name == "get_weather"
    assert said.valid
    call = {"id": "call_0", "name": said.name, "arguments": said.text}
    messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
    messages.append({"role": "tool", "tool_call_id": "call_0", "content": "14 degrees, cloudy"})
    ended = await said_to(emulated, messages)
    await emulated.aclose()
    assert ended.name == ""
    assert ended.text.strip()


def test_a_tool_is_called_and_then_there_is_an_answer(model: LocalModel) -> None:
    trio.run(_call_and_answer, model)


@pytest.mark.long
def test_twenty_prompts_over_four_tools(model: LocalModel) -> None:
    measured = trio.run(measure, EmulatedTools(model, max_reply=200))
    assert measured.valid == 20
    assert measured.right >= 12
    assert measured.ended == len(measured.after)
