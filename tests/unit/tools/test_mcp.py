"""MCP servers as tools: real ones, as a subprocess over stdio and in another process over HTTP."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trio

from graphagent import concurrency
from graphagent.elicitation import asked_by
from graphagent.errors import InDoubt, NodeError, OutputTooLarge, Timeout
from graphagent.ports import ToolInfo
from graphagent.snapshot import EffectClass
from graphagent.tools.bounded import BoundedSource, Lost
from graphagent.tools.http import HttpPolicy
from graphagent.tools.mcp import McpSource
from graphagent.tools.mcp_connection import McpCommand, McpUrl
from tests.servers import mcp_over_http
from tests.unit.tools.web import Asked, Given, Web
from tests.unit.tools.world import tool_call

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STDIO = McpCommand((sys.executable, "-m", "tests.mcp_server"), {"CANARY": "seen"}, ROOT)
POLICY = HttpPolicy(private=(ip_network("127.0.0.1/32"),))
Place = McpCommand | McpUrl


@pytest.fixture(params=["stdio", "http"])
def place(request: pytest.FixtureRequest) -> Place:
    return STDIO if request.param == "stdio" else McpUrl(request.getfixturevalue("mcp_url"))


@pytest.fixture(params=["trio", "guest"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """As trio itself, and as a guest of asyncio, which is how a script and a notebook run."""
    return trio.run if request.param == "trio" else concurrency.run_sync


def tools(place: Place, *, effects: EffectClass = "read", timeout_s: float = 60.0, **more: Any) -> BoundedSource:
    source = McpSource("srv", lambda: place, more.pop("policy", POLICY), lambda name: effects, **more)
    return BoundedSource(source, lambda name: effects, timeout_s)


async def one(source: BoundedSource, name: str, arguments: dict[str, Any], **more: Any) -> Any:
    """One call, and nothing stays open."""
    try:
        return await source.call(f"srv.{name}", arguments, tool_call(**more))
    finally:
        await source.close("ses_1")


def called(place: Place, name: str, arguments: dict[str, Any], *, key: str | None = None, **more: Any) -> Any:
    return trio.run(partial(one, tools(place, **more), name, arguments, key=key))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_server_is_listed_and_called(place: Place, run: Any) -> None:
    async def main() -> tuple[dict[str, ToolInfo], list[Any]]:
        source = tools(place)
        assert source.known() is None
        found = {info.name: info for info in await source.list("ses_1")}
        calls = (("add", {"a": 1, "b": 2}), ("weather", {"city": "Ulm"}), ("words", {"text": "some words"}))
        results = [await source.call(f"srv.{name}", given, tool_call()) for name, given in calls]
        await source.close("ses_1")
        return found, results

    found, results = run(main)
    assert results == [{"result": 3}, {"city": "Ulm", "degrees": 21.5}, "some words"]
    add = found["srv.add"]
    assert (add.source, add.description, add.effects) == ("mcp", "Adds two numbers.", "read")
    assert add.parameters["properties"]["b"]["minimum"] == 0
    assert (add.parameters["required"], add.parameters["additionalProperties"]) == (["a"], False)
    assert found["srv.weather"].returns is not None


def test_one_connection_serves_a_session_and_ends_with_it(run: Any) -> None:
    async def main() -> list[str]:
        source = tools(STDIO)
        pids: list[str] = []

        async def ask(session: str) -> None:
            call = tool_call()
            call.session = session
            pids.append(await source.call("srv.process", {}, call))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "ses_1")
            nursery.start_soon(ask, "ses_1")
        await ask("ses_2")
        await source.close("ses_1")
        assert gone(int(pids[0]))
        await ask("ses_2")
        await source.close("ses_2")
        return pids

    first, second, third, fourth = run(main)
    assert first == second
    assert third == fourth != first
    assert gone(int(third))


def test_what_is_left_open_ends_with_the_run() -> None:
    async def main() -> int:
        return int(await tools(STDIO).call("srv.process", {}, tool_call()))

    pid = trio.run(main)
    assert gone(pid)


FAILURES: list[tuple[str, dict[str, Any], str, str | None, str]] = [
    ("fail", {"text": "secret"}, "tool_failed", None, "Error executing tool fail"),
    ("broken", {}, "invalid_output", None, "degrees"),
    ("add", {"a": "x"}, "invalid_input", "bad_arguments", "$.a"),
    ("add", {"a": 1, "b": -1}, "invalid_input", "bad_arguments", "at least 0"),
    ("add", {"a": 1, "c": 1}, "invalid_input", "bad_arguments", "$.c"),
    ("nope", {}, "invalid_input", "unknown_tool", "srv.nope"),
    ("large", {"size": 5_000_000}, "tool_failed", "output_too_large", "5,000,002 bytes"),
]


def test_failures_are_data_and_the_connection_goes_on(place: Place) -> None:
    async def main() -> None:
        source = tools(place)
        for name, arguments, kind, cause, said in FAILURES:
            with pytest.raises(NodeError) as caught:
                await source.call(f"srv.{name}", arguments, tool_call())
            assert (caught.value.kind, caught.value.cause) == (kind, cause)
            assert said in caught.value.message
            assert "secret" not in caught.value.message
            assert isinstance(caught.value, OutputTooLarge) == (cause == "output_too_large")
        assert await source.call("srv.words", {"text": "still there"}, tool_call()) == "still there"
        await source.close("ses_1")

    trio.run(main)


def test_a_call_that_takes_too_long_shows_its_progress_and_is_left(place: Place, run: Any) -> None:
    shown: list[tuple[float, str]] = []

    async def main() -> None:
        source = tools(place)
        await source.list("ses_1")
        scope = trio.CancelScope()

        def progress(fraction: float, note: str) -> None:
            shown.append((fraction, note))
            scope.cancel()

        with scope:
            await source.call("srv.sleep", {}, tool_call(progress=progress))
        with pytest.raises(Timeout):
            await source.call("srv.sleep", {}, tool_call(timeout_s=0.05))
        assert await source.call("srv.words", {"text": "still there"}, tool_call()) == "still there"
        await source.close("ses_1")

    run(main)
    assert shown == [(0.25, "fell asleep")]


@pytest.mark.parametrize(
    ("effects", "key", "sent"), [("write", "mine", "mine"), ("write", None, "6b" * 16), ("read", "mine", "None")]
)
def test_a_write_takes_its_key_along(mcp_url: str, effects: EffectClass, key: str | None, sent: str) -> None:
    assert called(McpUrl(mcp_url), "key", {}, key=key, effects=effects) == sent


@pytest.mark.parametrize("kind", ["stdio", "http"])
def test_a_server_that_dies_is_unavailable_and_the_next_call_starts_another(kind: str) -> None:
    async def main(source: BoundedSource) -> None:
        with pytest.raises(Lost, match="is gone") as caught:
            await source.call("srv.die", {}, tool_call())
        assert (caught.value.kind, caught.value.cause) == ("unavailable", "connection")
        if kind == "stdio":
            assert "dying as asked" in caught.value.message
            assert await source.call("srv.words", {"text": "back"}, tool_call()) == "back"
        else:
            with pytest.raises(NodeError, match="can't be reached") as again:
                await source.call("srv.words", {"text": "back"}, tool_call())
            assert (again.value.kind, again.value.cause) == ("unavailable", "connection")
        await source.close("ses_1")

    if kind == "stdio":
        trio.run(main, tools(STDIO))
        return
    with mcp_over_http() as url:
        trio.run(main, tools(McpUrl(url)))


def test_a_server_that_died_while_nobody_called_is_started_again() -> None:
    async def main() -> None:
        source = tools(STDIO, effects="write")
        pid = int(await source.call("srv.process", {}, tool_call()))
        os.kill(pid, 9)
        connection = source.source._open["ses_1"]  # type: ignore[attr-defined]
        while connection.alive:
            await trio.sleep(0.001)
        assert int(await source.call("srv.process", {}, tool_call())) != pid
        await source.close("ses_1")

    trio.run(main)


def test_a_write_that_was_sent_to_a_server_that_died_is_in_doubt() -> None:
    with pytest.raises(InDoubt):
        called(STDIO, "die", {}, effects="write")
    with pytest.raises(Lost):
        called(STDIO, "die", {}, effects="write", key="mine")


def test_a_write_that_was_never_sent_is_in_no_doubt() -> None:
    """The server takes the connection, and says nothing."""

    def silent(asked: Asked, ended: threading.Event) -> Given:
        ended.wait()
        return Given()

    with Web({"/": silent}) as web, pytest.raises(Timeout):
        called(McpUrl(web.url("/")), "add", {"a": 1}, effects="write", timeout_s=0.3)


def test_a_list_that_changes_takes_hold_with_the_next_connection() -> None:
    async def main() -> None:
        source = tools(STDIO)
        before = await source.list("ses_1")
        await source.call("srv.grow", {}, tool_call())
        assert await source.list("ses_1") == before
        with pytest.raises(NodeError, match=r"no tool 'srv\.added'"):
            await source.call("srv.added", {}, tool_call())
        await source.close("ses_1")

    trio.run(main)


def test_only_what_is_listed_is_exposed(place: Place) -> None:
    async def main() -> None:
        source = tools(place, only=("words", "add"))
        assert [info.name for info in await source.list("ses_1")] == ["srv.words", "srv.add"]
        with pytest.raises(NodeError, match=r"no tool 'srv\.key'"):
            await source.call("srv.key", {}, tool_call())
        await source.close("ses_1")
        with pytest.raises(NodeError, match=r"no tool 'srv\.gone'"):
            await tools(place, only=("gone",)).list("ses_2")

    trio.run(main)


def test_a_server_gets_its_own_environment_and_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_SECRET", "canary")

    async def main() -> list[str]:
        source = tools(STDIO)
        found = [await source.call("srv.environment", {"name": n}, tool_call()) for n in ("CANARY", "OUR_SECRET")]
        await source.close("ses_1")
        return found

    assert trio.run(main) == ["seen", ""]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-command-anywhere",), "no-such-command-anywhere"),
        ((sys.executable, "-c", "import sys; sys.exit('no server here')"), "it said: no server here"),
    ],
)
def test_a_command_that_starts_no_server_is_unavailable(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(NodeError) as caught:
        called(McpCommand(words), "add", {})
    assert (caught.value.kind, caught.value.cause) == ("unavailable", "connection")
    assert said in caught.value.message


def test_a_server_over_http_is_called_at_checked_addresses_only(mcp_url: str) -> None:
    with pytest.raises(NodeError) as caught:
        called(McpUrl(mcp_url), "add", {"a": 1}, policy=HttpPolicy())
    assert (caught.value.kind, caught.value.cause) == ("tool_failed", "address_refused")
    with Web({"/": Given(307, headers={"location": "http://10.0.0.1/"})}) as web:
        with pytest.raises(NodeError):
            called(McpUrl(web.url("/"), {"x-key": "token"}), "add", {"a": 1})
        assert web.asked[0].headers["x-key"] == "token"


def test_an_answer_that_is_packed_is_refused() -> None:
    bomb = Given(body=b"\x1f\x8b", headers={"content-encoding": "gzip", "content-type": "application/json"})
    with Web({"/": bomb}) as web:
        with pytest.raises(NodeError):
            called(McpUrl(web.url("/")), "add", {"a": 1})
        assert web.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("where", [STDIO, McpUrl("http://127.0.0.1:1/mcp")])
def test_without_the_package_the_error_names_the_extra(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(NodeError, match="mcp is not installed") as caught:
        called(where, "add", {"a": 1})
    assert caught.value.hint == "pip install 'graphagent[mcp]'"


def test_a_call_that_is_asked_something_is_broken_off_and_made_again(place: Place) -> None:
    """On one connection; a server that was asked before has to ask again, and gets the answer to the same question."""

    async def main() -> tuple[str, list[str]]:
        source = tools(place)
        answers: dict[str, dict[str, Any]] = {}
        asked: list[str] = []
        try:
            for _ in range(2):
                try:
                    return await source.call("srv.measure", {"item": "it"}, tool_call(answers=answers)), asked
                except NodeError as error:
                    found = asked_by(error)
                    assert found is not None
                    asked.append(found[0].message)
                    answers[found[0].digest] = {"action": "accept", "value": {"size": 3}}
            raise AssertionError(asked)
        finally:
            await source.close("ses_1")

    assert trio.run(main) == ("it is 3", ["How large is it?"])


def test_a_call_in_which_nobody_can_be_asked_fails(place: Place) -> None:
    with pytest.raises(NodeError, match="nobody can be asked in this call") as caught:
        called(place, "measure", {"item": "it"})
    assert caught.value.kind == "tool_failed"
