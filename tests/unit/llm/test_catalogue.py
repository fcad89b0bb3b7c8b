from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphagent.errors import InputInvalid, ModelError
from graphagent.llm.capabilities import read_capabilities
from graphagent.llm.catalogue import open_model
from graphagent.llm.emulation import EmulatedTools
from graphagent.llm.litellm import LiteLLMModel
from graphagent.llm.openai_compatible import OpenAICompatibleModel
from graphagent.llm.script_file import parse_script
from graphagent.llm.typed import TypedAnswers
from graphagent.messages import ToolCallDelta
from graphagent.testing import ModelServer
from tests.unit.llm.calls import answer, ask, failure


def refused(use: str, environ: dict[str, str] | None = None, **options: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model(use, environ=environ or {}, **options)
    return caught.value


@pytest.mark.parametrize("use", ["", "gpt", "/m", "openai/"])
def test_what_is_no_model(use: str) -> None:
    error = refused(use)
    assert error.kind == "invalid_input"
    assert "provider/model" in error.message


def test_an_unknown_provider_goes_through_litellm_unless_it_has_a_base_url() -> None:
    assert isinstance(open_model("acme/large", environ={}), LiteLLMModel)
    with ModelServer(["hello"]) as server:
        model = open_model("acme/large/v2", base_url=server.base_url, environ={})
        assert answer(model).text == "hello"
        assert server.received[0].body["model"] == "large/v2"
    assert (model.info.provider, model.info.name) == ("acme", "large/v2")


def test_openai_without_a_key_is_refused_before_any_call() -> None:
    error = refused("openai/gpt-5-mini")
    assert error.kind == "auth"
    assert error.hint == "set OPENAI_API_KEY, or `base_url` to a server of your own; local/smollm2 needs no key"
    assert refused("openai/gpt-5-mini", {"OPENAI_API_KEY": ""}).kind == "auth"
    assert isinstance(open_model("openai/gpt-5-mini", environ={"OPENAI_API_KEY": "k"}), OpenAICompatibleModel)


def test_the_environment_gives_address_and_key() -> None:
    with ModelServer() as server:
        environ = {"OPENAI_API_KEY": "key-of-host", "OPENAI_BASE_URL": server.base_url}
        answer(open_model("openai/m", environ=environ))
        answer(open_model("openai/m", base_url=server.base_url, environ=environ))
        assert [r.headers.get("authorization") for r in server.received] == ["Bearer key-of-host"] * 2


def test_a_key_of_the_environment_never_goes_to_an_address_of_the_graph() -> None:
    with ModelServer() as server:
        environ = {"OPENAI_API_KEY": "key-of-host"}
        answer(open_model("openai/m", base_url=server.base_url, environ=environ))
        answer(open_model("openai/m", base_url=server.base_url, api_key="own", environ=environ))
        assert [r.headers.get("authorization") for r in server.received] == [None, "Bearer own"]


@pytest.mark.parametrize("form", ["{host}", "http://{host}", "http://{host}/"])
def test_ollama_host(form: str) -> None:
    with ModelServer() as server:
        host = server.base_url.removeprefix("http://").removesuffix("/v1")
        assert answer(open_model("ollama/qwen", environ={"OLLAMA_HOST": form.format(host=host)})).text == "ok"


def test_defaults_of_servers_on_this_machine() -> None:
    # port 1 is never served: the error tells the address
    error = failure(open_model("ollama/qwen", environ={"OLLAMA_HOST": "0.0.0.0:1"}))
    assert "'qwen' at http://127.0.0.1:1/v1" in error.message
    error = failure(open_model("vllm/x", environ={"VLLM_BASE_URL": "http://127.0.0.1:1/v1"}))
    assert (error.kind, error.cause) == ("unavailable", "connection")


def test_scripted_models() -> None:
    assert answer(open_model("scripted/echo")).text == "echo: hi"
    script = parse_script({"turns": ["shared"], "models": {"main": ["own"]}})
    assert answer(open_model("scripted/guide", script=script, name="main")).text == "own"
    assert answer(open_model("scripted/guide", script=script)).text == "shared"
    error = refused("scripted/guide")
    assert error.kind == "invalid_input"
    assert "--scripted FILE" in str(error.hint)


def test_a_script_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("[one, two]")
    assert answer(open_model("scripted/x", script=path)).text == "one"
    path.write_text("[{}]")
    error = failure_of_opening(path)
    assert (error.kind, error.message) == (
        "invalid_input",
        "$[0]: a turn needs exactly one of text, value, error and tool_calls",
    )
    path.unlink()
    assert "can't read the script" in failure_of_opening(path).message


def failure_of_opening(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model("scripted/x", script=path)
    return caught.value


def test_an_unknown_local_model() -> None:
    error = refused("local/llama")
    assert error.kind == "invalid_input"
    assert error.hint == "use local/smollm2, or set `base_url` to the server that has it"


def test_a_local_server_of_ones_own() -> None:
    with ModelServer() as server:
        assert answer(open_model("local/llama", base_url=server.base_url, environ={})).text == "ok"


def test_a_model_that_is_said_to_lack_tools_calls_them_by_its_answers() -> None:
    tool = {"name": "now", "description": "Tell the time", "parameters": {"type": "object", "properties": {}}}
    said = read_capabilities({"tools": False, "context_window": 4096, "emulation": "one_step"}, "$")
    with ModelServer([{"call": {"name": "now", "arguments": {}}}]) as server:
        model = open_model("vllm/small", base_url=server.base_url, environ={}, capabilities=said)
        assert isinstance(model, EmulatedTools)
        assert (model.mode, model.info.context_window) == ("one_step", 4096)
        (part, _) = answer(model, ask("what time is it", tools=(tool,))).parts
        assert part == ToolCallDelta(0, "call_0", "now", "{}")
        body = server.received[0].body
        assert "tools" not in body
        assert body["response_format"]["type"] == "json_schema"
    neither = read_capabilities({"tools": False, "json_schema": False}, "$")
    assert isinstance(open_model("vllm/x", environ={}, capabilities=neither), TypedAnswers)


@pytest.mark.parametrize(
    ("table", "path"),
    [
        (3, "$.c"),
        ({"tool": True}, "$.c.tool"),
        ({"tools": "yes"}, "$.c.tools"),
        ({"context_window": 0}, "$.c.context_window"),
        ({"context_window": True}, "$.c.context_window"),
        ({"emulation": "three"}, "$.c.emulation"),
    ],
)
def test_what_is_no_capability(table: object, path: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        read_capabilities(table, "$.c")
    assert caught.value.path == path
