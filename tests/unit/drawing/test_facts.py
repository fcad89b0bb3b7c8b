from __future__ import annotations

import pytest

from graphagent.drawing.facts import about, flags
from graphagent.graph.duration import Duration
from graphagent.graph.spec import (
    AgentBody,
    Body,
    CodeBody,
    EmitBody,
    GraphBody,
    HumanBody,
    LLMBody,
    Prompt,
    RouterBody,
    Sandbox,
    SetBody,
    ToolBody,
    WaitBody,
)


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        (LLMBody(), "fast"),
        (AgentBody(), "fast"),
        (AgentBody(tools=("search",)), "fast, 1 tool"),
        (ToolBody("search.web"), "search.web"),
        (CodeBody("shop.pay:order"), "shop.pay:order"),
        (CodeBody(run=("pytest", "-q")), "run pytest -q"),
        (CodeBody(run=("sh", "-c", "x" * 114)), "run sh -c " + "x" * 114),
        (CodeBody(run=("sh", "-c", "x" * 115)), "run sh -c " + "x" * 113 + "…"),
        (HumanBody("approve", Prompt("Go?")), "approve"),
        (EmitBody("news.out"), "news.out"),
        (WaitBody(event=("customer.replied",)), "event customer.replied"),
        (WaitBody(event=("bank.paid", "bank.refused")), "event bank.paid or bank.refused"),
        (WaitBody(duration=Duration("10m", 600_000)), "10m"),
        (WaitBody(until="${ due }"), "until ${ due }"),
        (GraphBody("refunds"), "refunds"),
        (GraphBody("self", 3), "self, at most 3 deep"),
        (SetBody(), ""),
        (RouterBody(), ""),
    ],
)
def test_what_is_said_of_each_kind(body: Body, fact: str) -> None:
    assert about(body, "fast") == fact


def test_a_command_has_the_sign_of_its_sandbox() -> None:
    assert list(flags(CodeBody(run=("make",), sandbox=Sandbox(image="wasm")))) == ["sandbox wasm"]
    assert list(flags(CodeBody(run=("make",)))) == ["sandbox"]
    assert list(flags(CodeBody("a:b"))) == list(flags(SetBody())) == []
