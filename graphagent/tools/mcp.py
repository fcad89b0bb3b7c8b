"""The tools of an MCP server, over stdio or streamable HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from graphagent.codec import freeze
from graphagent.errors import CodecError, NodeError
from graphagent.ports import ToolCall, ToolInfo
from graphagent.snapshot import EffectClass
from graphagent.tools.arguments import bad_arguments, unknown_tool
from graphagent.tools.bounded import Lost
from graphagent.tools.checking import problems
from graphagent.tools.http import HttpPolicy
from graphagent.tools.mcp_connection import Connection, McpCommand, McpUrl, reason

NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
SHOWN: Final = 500
_CLOSED: Final = -32000
"""`CONNECTION_CLOSED` of the MCP library."""


class McpSource:
    """`ports.ToolSource` of an MCP server: one connection for each session that calls it.

    Args:
        place: Gives where the server is, with secrets filled in; asked when a connection is opened. Raises NodeError.
    """

    def __init__(
        self, name: str, place: Callable[[], McpCommand | McpUrl], policy: HttpPolicy,
        effects: Callable[[str], EffectClass], only: tuple[str, ...] | None = None, timeout_s: float = 60.0,
    ) -> None:  # fmt: skip
        self.name, self.place, self.policy, self.effects = name, place, policy, effects
        self.only, self.timeout_s = only, timeout_s
        self._open: dict[str, Connection] = {}
        self._opening: dict[str, trio.Lock] = {}

    def known(self) -> None:
        """See `ports.ToolSource`: only the server knows."""
        return

    def check(self, info: ToolInfo, arguments: Mapping[str, Any]) -> None:
        """See `ports.ToolSource`."""
        wrong = problems(arguments, info.parameters)
        if wrong:
            raise bad_arguments(wrong, info.parameters)

    async def list(self, session: str) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        found = await self._tools(await self._connection(session))
        names = self.only if self.only is not None else tuple(found)
        for name in names:
            if name not in found:
                raise unknown_tool(f"{self.name}.{name}", [f"{self.name}.{one}" for one in found])
        return tuple(self._info(found[name]) for name in names)

    async def call(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        """See `ports.ToolSource`."""
        wanted = name.removeprefix(f"{self.name}.")
        connection = await self._connection(call.session)
        found = await self._tools(connection)
        names = found if self.only is None else self.only
        if wanted not in names or wanted not in found:
            raise unknown_tool(name, [f"{self.name}.{one}" for one in names])
        schema = schema_of(found[wanted])
        wrong = problems(arguments, schema)
        if wrong:
            raise bad_arguments(wrong, schema)
        meta = {"idempotencyKey": call.idempotency_key} if self.effects(wanted) == "write" else None

        async def progress(done: float, total: float | None, note: str | None) -> None:
            call.progress(done / total if total else 0.0, note or "")

        async def made() -> Any:
            call.send()
            return await connection.client.call_tool(wanted, dict(arguments), progress_callback=progress, meta=meta)

        while True:
            answer: Any = None
            async with connection.questions.call(call.answers) as mine:
                answer = await self._asked(connection, made)
            if answer is not None:
                return result_of(answer)
            if mine.question is not None:
                raise mine.question.error(call.idempotency_key)

    async def close(self, session: str) -> None:
        """See `ports.ToolSource`."""
        self._opening.pop(session, None)
        connection = self._open.pop(session, None)
        if connection is not None:
            await connection.close()

    async def _connection(self, session: str) -> Connection:
        """The connection of a session, opened if there is none, or if its server has died."""
        async with self._opening.setdefault(session, trio.Lock()):
            connection = self._open.get(session)
            if connection is not None and connection.alive:
                return connection
            if connection is not None:
                await connection.close()
            connection = Connection(self.place(), self.policy)
            await connection.open()
            self._open[session] = connection
            return connection

    async def _tools(self, connection: Connection) -> dict[str, Any]:
        tools = [tool for tool in await self._asked(connection, connection.listed) if NAME.fullmatch(tool.name)]
        found = {tool.name: tool for tool in tools}
        if len(found) != len(tools):
            twice = next(tool.name for tool in tools if sum(other.name == tool.name for other in tools) > 1)
            message = f"the MCP server {self.name!r} lists two tools called {twice!r}"
            raise NodeError(message, kind="invalid_input", cause="bad_document")
        return found

    async def _asked(self, connection: Connection, ask: Callable[[], Any]) -> Any:
        """What the server answers.

        Raises:
            Lost: it has died, or the connection broke.
            NodeError: it refused the request, or its answer isn't what its schema says.
        """
        from mcp import MCPError

        try:
            return await ask()
        except MCPError as error:
            if error.code != _CLOSED:
                raise _refused(error.code, error.message) from error
            await self._forget(connection)
            message = f"the MCP server {self.name!r} is gone{connection.last_words()}"
            raise Lost(message, cause="connection") from error
        except (ValueError, RuntimeError) as error:  # the library found that it breaks its schema
            raise NodeError(
                f"the answer of {self.name!r} is invalid: {reason(error)}", kind="invalid_output"
            ) from error
        except NodeError:
            raise
        except Exception as error:  # whatever else it raises, nobody knows what the connection is good for
            await self._forget(connection)
            raise Lost(f"the MCP server {self.name!r} is gone: {reason(error)}", cause="connection") from error

    async def _forget(self, connection: Connection) -> None:
        """The next call opens another connection."""
        for session, other in list(self._open.items()):
            if other is connection:
                del self._open[session]
        await connection.close()

    def _info(self, tool: Any) -> ToolInfo:
        return ToolInfo(
            f"{self.name}.{tool.name}", "mcp", tool.description or "", schema_of(tool), tool.output_schema,
            self.effects(tool.name), self.timeout_s,
        )  # fmt: skip


def schema_of(tool: Any) -> dict[str, Any]:
    """The schema of its arguments: what it doesn't list isn't taken."""
    schema = dict(tool.input_schema)
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def result_of(answer: Any) -> Any:
    """The data of an answer: what is structured, else the text, else the blocks as they are.

    Raises:
        NodeError: `tool_failed`: the tool says so.
    """
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in answer.content]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    if answer.is_error:
        raise NodeError(" ".join(" ".join(texts).split())[:SHOWN] or "the tool failed", kind="tool_failed")
    if answer.structured_content is not None:
        return _frozen(answer.structured_content)
    return "\n".join(texts) if len(texts) == len(blocks) else _frozen(blocks)


def _frozen(data: Any) -> Any:
    try:
        return freeze(data)
    except CodecError as error:
        raise NodeError(f"the result isn't plain data: {error.message}", kind="invalid_output") from error


def _refused(code: int, message: str) -> NodeError:
    """The error of a request that the server refused."""
    kind, cause = ("invalid_input", "bad_arguments") if code == -32602 else ("tool_failed", None)
    return NodeError(f"the MCP server refused: {message[:SHOWN]}", kind=kind, cause=cause)
