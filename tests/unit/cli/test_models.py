from __future__ import annotations

import json

import pytest

from graphagent import concurrency
from graphagent.cli.main import main
from graphagent.cli.models import probed
from graphagent.llm.catalogue import open_model
from graphagent.testing import ModelServer, Received, Reply


def able(call: Received) -> Reply:
    if call.body.get("tools"):
        return Reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Oslo"}}])
    return Reply() if "response_format" in call.body else Reply("Hello there.")


def unable(call: Received) -> Reply:
    return Reply(status=400) if call.body.get("tools") else Reply("I like bees.", usage=False)


@pytest.mark.parametrize(
    ("server", "works"),
    [(able, [True, True, True, True, True]), (unable, [True, True, False, False, False])],
)
def test_each_ability_is_tried(server: object, works: list[bool]) -> None:
    assert callable(server)
    with ModelServer(server) as running:
        found = concurrency.run_sync(probed, open_model("vllm/m", base_url=running.base_url, environ={}))
    assert [one.ability for one in found] == ["text", "streaming", "usage", "json_schema", "tools"]
    assert [one.works for one in found] == works
    assert [one.declared for one in found] == [None, None, None, True, True]


def test_what_is_not_as_assumed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with ModelServer(unable) as running:
        assert main(["models", "probe", "vllm/m", "--base-url", running.base_url]) == 0
    printed = capsys.readouterr()
    assert "json_schema  no" in printed.out
    assert '[capabilities."vllm/m"]\n  json_schema = false\n  tools = false' in printed.err
    with ModelServer(able) as running:
        assert main(["models", "probe", "vllm/m", "--base-url", running.base_url, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert all(ability["works"] for ability in document["abilities"])


def test_a_server_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "probe", "vllm/m", "--base-url", "http://127.0.0.1:1/v1"]) == 2
    assert "can't reach model 'm'" in capsys.readouterr().err
