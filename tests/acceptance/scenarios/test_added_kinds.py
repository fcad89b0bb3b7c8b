"""What kinds from outside raise, or leave behind, is data like any other failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphagent import registry
from graphagent.errors import NodeError, NotFound
from graphagent.ports import Finished
from tests.acceptance.scenarios import added
from tests.acceptance.scenarios.world import World, scenario

GRAPH = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [a, b]
    nodes:
      a: { kind: code, python: "fns:work", effects: read, writes: { log: "${ [out] }" }, next: end }
      b: { kind: KIND, WRITESnext: end }
"""
FUNCTIONS = """
    def work():
        note("a")
        return "a"
"""


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, target in added.KINDS.items():
        monkeypatch.setitem(registry.NODES, name, target)
    yield
    added.Awaited.bind = staticmethod(lambda: None)


def graph(kind: str) -> str:
    return GRAPH.replace("KIND", kind).replace("WRITES", "" if kind == "outless" else 'writes: { log: "${ out }" }, ')


def raising(error: Exception) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


async def failed(world: World, kind: str, act: Callable[[], Any]) -> dict[str, Any]:
    """The error of a node of this kind, after which the session is resumed to its end."""
    world.functions(FUNCTIONS)
    added.Awaited.act = staticmethod(act)
    outcome = await world.start(graph(kind))
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    assert outcome.error is not None
    assert outcome.error["node"] == "b"
    added.Awaited.act = staticmethod(lambda: Finished(out=["b"]))
    await world.crash()
    resumed = await world.resume(outcome.row.session)
    assert resumed.outputs == {"log": ["a"] if kind == "outless" else ["a", "b"]}
    assert world.calls("a") == 1
    return dict(outcome.error)


@scenario
async def test_any_exception_is_a_failure_of_the_node(world: World) -> None:
    """Siblings keep their results, and the session can be resumed."""
    for kind in added.KINDS:
        error = await failed(world, kind, raising(OSError("no such thing")))
        assert (error["kind"], error["message"]) == ("code_failed", "OSError: no such thing")
        assert not error["retryable"]
        assert error["trace"][-1]["function"] == "act"


@scenario
async def test_errors_of_ours_that_mean_something_else_elsewhere(world: World) -> None:
    error = await failed(world, "awaited", raising(NotFound("no session")))
    assert (error["kind"], error["message"]) == ("code_failed", "NotFound: no session")
    error = await failed(world, "awaited", raising(NodeError("slow down", kind="rate_limit")))
    assert (error["kind"], error["message"]) == ("rate_limit", "slow down")


@scenario
async def test_what_is_left_is_checked(world: World) -> None:
    for kind in ("awaited", "immediate"):
        for out, told in (
            (Finished(out=["a", 7]), "out[1]"),
            (Finished(out="text"), "kind 'KIND' left something else than its `OUT`: out: "),
            (Finished(), "kind 'KIND' left something else than its `OUT`: out: "),
            (Finished(out={1, 2}), "set"),
            (["b"], "kind 'KIND' returned list, not `Finished` or `Parked`"),
        ):
            error = await failed(world, kind, lambda out=out: out)  # type: ignore[misc]
            assert error["kind"] == "invalid_output"
            assert told.replace("KIND", kind) in error["message"]


@scenario
async def test_what_a_kind_raises_when_it_is_bound(world: World) -> None:
    def bind() -> None:
        raise KeyError("config")

    added.Awaited.bind = staticmethod(bind)
    world.functions(FUNCTIONS)
    outcome = await world.start(graph("awaited"))
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["message"]) == ("code_failed", "KeyError: 'config'")
    added.Awaited.bind = staticmethod(lambda: None)
    added.Awaited.act = staticmethod(lambda: Finished(out=["b"]))
    await world.crash()
    assert (await world.resume(outcome.row.session)).outputs == {"log": ["a", "b"]}


@scenario
async def test_a_failure_takes_an_error_route(world: World) -> None:
    world.functions(FUNCTIONS)
    added.Awaited.act = staticmethod(raising(OSError("no")))
    routed = graph("awaited").replace(
        "next: end }\n", "on_error: [{ when: \"error.kind == 'code_failed'\", to: end }], next: end }\n"
    )
    assert world.findings(routed) == []
    outcome = await world.start(routed)
    assert (outcome.row.status, outcome.outputs) == ("done", {"log": ["a"]})
