"""litellm itself: against a server that answers well and badly, and against the local model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import trio

from graphagent import concurrency
from graphagent.errors import ERROR_KINDS, ModelError
from graphagent.llm.failures import Endpoint
from graphagent.llm.litellm import LiteLLMModel, mapped
from graphagent.llm.local.install import locate
from graphagent.llm.local.server import LocalServer
from graphagent.llm.structured import parse
from graphagent.messages import ModelInfo, ModelRequest, ReasoningDelta, Sampling, ToolCallDelta
from graphagent.testing import ModelServer, Reply
from tests.unit.llm.calls import ANSWER, Answered, ask

pytestmark = [  # the package's own, at its first use of a part
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

TOOL = {
    "name": "find",
    "description": "Find texts",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
}


def model_at(base_url: str, key: str = "very-secret", **options: Any) -> LiteLLMModel:
    return LiteLLMModel(ModelInfo("x", "openai"), api_base=base_url, api_key=key, **options)


def answers(model: LiteLLMModel, *requests: ModelRequest) -> list[Answered]:
    """One call after the other, from a script; the model is closed."""

    async def main() -> list[Answered]:
        out = []
        try:
            for request in requests:
                async with aclosing(model.stream(request)) as parts:
                    out.append(Answered(tuple([part async for part in parts])))
        finally:
            await model.aclose()
        return out

    return concurrency.run_sync(main)


def failure(reply: Reply, **options: Any) -> ModelError:
    with ModelServer([reply]) as server, pytest.raises(ModelError) as caught:
        answers(model_at(server.base_url, **options), ask())
    assert type(caught.value) is ModelError
    return caught.value


def test_texts_calls_and_values() -> None:
    calls: list[dict[str, Any]] = [
        {"name": "find", "arguments": {"q": "bees"}},
        {"name": "find", "arguments": '{"q": "be'},
    ]
    with ModelServer(
        [
            "Bees make honey.",
            Reply(tool_calls=calls, reasoning="Hm."),
            {"bullets": [], "mood": "good"},
        ]
    ) as server:
        text, called, value = answers(
            model_at(server.base_url), ask(sampling=Sampling(temperature=0.0, max_output=9)),
            ask(tools=(TOOL,), tool_choice="required"), ask(output=ANSWER),
        )  # fmt: skip
        first, second, third = (r.body for r in server.received)
    assert text.text == "Bees make honey."
    assert text.done.finish == "stop"
    assert text.done.usage.output_tokens == 4
    assert text.done.usage.cost_micro is None
    assert (first["temperature"], first["max_tokens"]) == (0.0, 9)
    arguments = {0: "", 1: ""}
    for part in called.parts:
        if isinstance(part, ToolCallDelta):
            arguments[part.index] += part.arguments
    assert arguments == {0: '{"q": "bees"}', 1: '{"q": "be'}
    assert "".join(p.text for p in called.parts if isinstance(p, ReasoningDelta)) == "Hm."
    assert called.done.finish == "tool_calls"
    assert second["tools"][0]["function"]["name"] == "find"
    assert second["tool_choice"] == "required"
    assert parse(value.text, ANSWER) == {"bullets": [], "mood": "good"}
    assert third["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("reply", "kind", "cause"),
    [
        (Reply(status=429, retry_after="2"), "rate_limit", None),
        (Reply(status=500), "unavailable", "server_error"),
        (Reply(status=503), "unavailable", "overloaded"),
        (Reply(status=401, message="bad key very-secret"), "auth", None),
        (Reply(status=403), "auth", None),
        (
            Reply(status=400, message="maximum context length is 5", code="context_length_exceeded"),
            "context_overflow",
            None,
        ),
        (Reply(status=404), "invalid_input", None),
        (Reply(status=422), "invalid_input", None),
        (Reply(fault="drop"), "unavailable", "server_error"),
        (Reply("one two three four five", fault="half_stream"), "unavailable", "stream_broken"),
        (Reply("one two three four five", fault="early_end"), "unavailable", "stream_broken"),
        (Reply("one two three four five", fault="garbage"), "unavailable", "stream_broken"),
        (Reply(fault="stream_error"), "unavailable", "stream_broken"),
        (Reply(fault="html"), "unavailable", "stream_broken"),
        (Reply(fault="wrong_json"), "unavailable", "stream_broken"),
        (Reply(fault="empty"), "unavailable", "stream_broken"),
    ],
)
def test_each_fault_has_its_kind(reply: Reply, kind: str, cause: str | None) -> None:
    error = failure(reply)
    assert (error.kind, error.cause) == (kind, cause)
    assert "very-secret" not in error.message
    if reply.retry_after:
        assert error.retry_after_s == 2


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_the_idle_deadline(fault: Any) -> None:
    error = failure(Reply("one two three four five", fault=fault), idle_s=1.0)
    assert (error.kind, error.cause) == ("timeout", "idle")


def test_no_call_is_made_twice_by_the_package() -> None:
    with ModelServer(then=Reply(status=500)) as server:
        with pytest.raises(ModelError):
            answers(model_at(server.base_url), ask())
        assert server.calls == 1


def test_a_provider_that_nobody_knows() -> None:
    with pytest.raises(ModelError) as caught:
        answers(LiteLLMModel(ModelInfo("large", "acme")), ask())
    assert caught.value.kind == "invalid_input"
    assert caught.value.hint == "set `base_url` to an OpenAI-compatible API, or use a provider that litellm knows"


def test_without_asyncio_it_says_so() -> None:
    async def main() -> None:
        async with aclosing(LiteLLMModel(ModelInfo("x", "openai")).stream(ask())) as parts:
            async for _ in parts:
                pass

    with pytest.raises(ModelError, match=r"needs asyncio, and this is a plain `trio.run`"):
        trio.run(main)


def every_exception() -> Iterator[BaseException]:
    """One of each, without the fields that their makers want."""
    import litellm.exceptions

    for cls in vars(litellm.exceptions).values():
        if isinstance(cls, type) and issubclass(cls, BaseException):
            yield cls.__new__(cls)
    yield from (ValueError("x"), httpx.ReadError("x"), KeyError("x"), TimeoutError(), OSError())


def test_every_exception_of_the_package_has_a_kind() -> None:
    who = Endpoint("m", "litellm://openai")
    made = list(every_exception())
    assert len(made) > 25
    for error in made:
        for begun in (False, True):
            assert mapped(who, error, begun=begun).kind in ERROR_KINDS


def test_importing_the_adapter_does_not_import_the_package() -> None:
    code = (
        "import sys; from graphagent.llm import litellm; from graphagent.messages import ModelInfo;"
        "litellm.LiteLLMModel(ModelInfo('x', 'openai')); sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'litellm' else found(name, *rest)\n"
        "from graphagent.llm import open_model\nfrom graphagent.errors import MissingExtra\n"
        "try: open_model('anthropic/claude', environ={})\n"
        "except MissingExtra as error: sys.exit(error.hint != \"pip install 'graphagent[providers]'\")\n"
        "sys.exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_local_model_through_it() -> None:
    server = LocalServer()
    try:
        running = server.ensure(locate() or pytest.fail("the weights of the local model aren't installed"))
        model = model_at(running.base_url, running.key, bounded=True)
        same = Sampling(temperature=0.0, seed=1, max_output=1024)
        (answered,) = answers(model, ask("Judge bees.", output=ANSWER, sampling=same))
    finally:
        server.stop()
    assert parse(answered.text, ANSWER).keys() == {"bullets", "mood"}
    assert answered.done.usage.input_tokens > 0
    assert not answered.done.usage.estimated


CANCELLED = """
import sys, trio
from graphagent.concurrency import run_sync
from graphagent.llm.litellm import LiteLLMModel
from graphagent.messages import ModelInfo
from tests.unit.llm.calls import ask

async def main():
    with trio.CancelScope() as scope:
        stream = LiteLLMModel(ModelInfo("x", "openai")).stream(ask())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.__anext__)
            while "litellm" not in sys.modules:
                await trio.sleep(0.01)
            assert not hasattr(sys.modules["litellm"], "acompletion")
            scope.cancel()
    assert hasattr(sys.modules["litellm"], "acompletion")

run_sync(main)
"""


def test_an_import_that_has_begun_is_waited_for() -> None:
    """A program that ends while one of its threads imports hangs where anything is imported at its very end."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CANCELLED], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
