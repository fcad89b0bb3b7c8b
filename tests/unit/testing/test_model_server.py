from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

from graphagent.testing import ModelServer, Received, Reply


def post(server: ModelServer, prompt: str = "hi", **body: Any) -> httpx.Response:
    messages = [{"role": "user", "content": prompt}]
    return httpx.post(f"{server.base_url}/chat/completions", json={"messages": messages, **body}, timeout=60)


def test_replies_come_in_order_and_then_the_last_word() -> None:
    with ModelServer([Reply("a", whole=True), Reply(status=500, message="boom")], then=Reply(status=404)) as server:
        assert post(server).json()["choices"][0]["message"]["content"] == "a"
        assert post(server).json()["error"]["message"] == "boom"
        assert [post(server).status_code for _ in range(2)] == [404, 404]
        assert server.calls == 4


def test_a_function_sees_the_call() -> None:
    def reply(call: Received) -> Reply:
        return Reply(call.prompt + call.headers["x-mark"], whole=True)

    with ModelServer(reply) as server:
        url = f"{server.base_url}/chat/completions"
        body = {"messages": [{"role": "user", "content": "q"}]}
        answer = httpx.post(url, json=body, headers={"X-Mark": "!"}).json()
        assert answer["choices"][0]["message"]["content"] == "q!"


def test_a_schema_is_answered_with_a_value_that_fits() -> None:
    shape = {"json_schema": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}}
    with ModelServer([Reply(whole=True)]) as server:
        assert post(server, response_format=shape).json()["choices"][0]["message"]["content"] == '{"n": 1}'


def test_a_stream_is_a_stream() -> None:
    with ModelServer(["some words"]) as server:
        lines = [line for line in post(server).text.splitlines() if line]
    assert len(lines) == 6
    assert lines[-1] == "data: [DONE]"


@pytest.mark.parametrize("fault", ["drop", "half_stream"])
def test_a_cut_connection(fault: Any) -> None:
    with ModelServer([Reply("some words", fault=fault)]) as server, pytest.raises(httpx.RemoteProtocolError):
        post(server)


def post_in_vain(server: ModelServer) -> None:
    with pytest.raises(httpx.HTTPError):
        post(server)


def test_the_end_doesnt_wait_for_a_call_that_hangs() -> None:
    with ModelServer([Reply(fault="hang")]) as server:
        caller = threading.Thread(target=post_in_vain, args=[server])
        caller.start()
        while not server.calls:
            time.sleep(0.01)
        start = time.monotonic()
    assert time.monotonic() - start < 30  # the caller has more patience
    caller.join()
