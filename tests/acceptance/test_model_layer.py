"""One graph, unchanged, on recorded answers and on the real local model through both adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from graphagent.llm.litellm import LiteLLMModel
from graphagent.llm.local.install import locate
from graphagent.llm.local.server import LocalServer
from graphagent.messages import ModelInfo

pytestmark = [  # litellm's own, at its first use of a part
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: judge }
inputs: { text: str }
outputs: { found: Judgement }
types: { Judgement: { mood: "Literal['good', 'bad']", words: "list[str]" } }
models: { judge: { use: scripted/judge, temperature: 0 } }
channels: { found: Judgement }
start: look
nodes:
  look:
    kind: llm
    model: judge
    prompt: "Judge this text, and give two of its words: {{ text }}"
    with: { text: "${ inputs.text }" }
    returns: Judgement
    writes: { found: "${ out }" }
    next: end
"""
SCRIPT = "[{ value: { mood: good, words: [bees, honey] } }]\n"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    server = LocalServer()
    yield server
    server.stop()


def scripted(server: LocalServer) -> Any:
    return "scripted/judge"


def openai_compatible(server: LocalServer) -> Any:
    return "local/smollm2"


def through_litellm(server: LocalServer) -> Any:
    running = server.ensure(locate() or pytest.fail("the weights of the local model aren't installed"))
    info = ModelInfo("x", "openai", json_schema=True)
    return LiteLLMModel(info, api_base=running.base_url, api_key=running.key, bounded=True)


@pytest.mark.parametrize("model", [scripted, openai_compatible, through_litellm])
def test_one_graph_on_every_model(model: Callable[[LocalServer], Any], server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "judge.graph.yaml").write_text(GRAPH)
    (tmp_path / "said.yaml").write_text(SCRIPT)
    models = {"judge": model(server)}
    project = ga.Project(tmp_path, store="memory:", models=models, scripted=tmp_path / "said.yaml")
    stream = ga.load(tmp_path / "judge.graph.yaml").stream({"text": "Bees make honey."}, project=project)
    (ended,) = [e.data for e in stream if e.kind == "RunContentCompleted" and not e.provisional]
    result = stream.result
    found = result.outputs["found"]
    assert found["mood"] in ("good", "bad")
    assert all(isinstance(word, str) for word in found["words"])
    assert ended["finish_reason"] == "stop"
    assert ended["usage"]["input_tokens"] > 0
    assert ended["usage"]["output_tokens"] > 0
    assert result.session.replay().identical, "without the model"
    project.close()
