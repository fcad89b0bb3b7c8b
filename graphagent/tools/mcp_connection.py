"""One connection to an MCP server: opened by the first call that needs it, closed with its session.

The MCP library wants its connection entered and left in one task. That task is a system task of trio, since it outlives
the call that opens it; whoever opened a session closes its connections, and the end of the run cancels what is left.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import trio

from graphagent.errors import MissingExtra, NodeError
from graphagent.tools.http import HttpPolicy
from graphagent.tools.mcp_questions import Questions

CLOSE_S: Final = 8.0
"""The library gives a server 2 s to end, 2 s more after SIGTERM and 2 s after SIGKILL."""
_LAST_WORDS: Final = 2000
_PAGES: Final = 100


@dataclass(frozen=True, slots=True)
class McpCommand:
    """A server that is started: its words, what it gets in its environment, and where it runs."""

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@dataclass(frozen=True, slots=True)
class McpUrl:
    """A server that runs elsewhere."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """A connection, in a task of its own."""

    def __init__(self, place: McpCommand | McpUrl, policy: HttpPolicy) -> None:
        self.place, self.policy = place, policy
        self.client: Any = None
        self.tools: tuple[Any, ...] | None = None
        self.questions = Questions()
        self._said: deque[str] = deque(maxlen=3)
        self._lost = False
        self._failure: BaseException | None = None
        self._ready, self._leave, self._ended = trio.Event(), trio.Event(), trio.Event()
        self._scope = trio.CancelScope()

    @property
    def alive(self) -> bool:
        """Whether calls may be made."""
        return self.client is not None and not self._lost and not self._ended.is_set()

    async def open(self) -> None:
        """Return when calls can be made.

        Raises:
            NodeError: `unavailable`: the server can't be started or reached, or speaks something else.
        """
        trio.lowlevel.spawn_system_task(self._run, name="graphagent-mcp", context=copy_context())
        try:
            await self._ready.wait()
        except BaseException:
            with trio.CancelScope(shield=True):
                await self.close()
            raise
        if self._failure is not None:
            await self._ended.wait()
            raise self._unavailable(self._failure)

    def _unavailable(self, failure: BaseException) -> NodeError:
        if isinstance(failure, NodeError):
            return failure
        message = f"the MCP server can't be reached: {reason(failure)}{self.last_words()}"
        return NodeError(message, kind="unavailable", cause="connection")

    def last_words(self) -> str:
        """What the server wrote to stderr last, as the end of a message."""
        return f"; it said: {' / '.join(self._said)}" if self._said else ""

    async def _run(self) -> None:
        try:
            with self._scope:
                async with AsyncExitStack() as stack:
                    self.client = await stack.enter_async_context(await self._client(stack))
                    self._ready.set()
                    await self._leave.wait()
        except trio.Cancelled:  # the run ends
            raise
        except (Exception, BaseExceptionGroup) as error:
            self._failure = error
        finally:
            self._ended.set()
            self._ready.set()

    async def _client(self, stack: AsyncExitStack) -> Any:
        """A client that isn't entered yet."""
        try:
            from mcp import Client
        except ImportError as error:
            missing = MissingExtra("mcp", "mcp")
            raise NodeError(missing.message, kind="invalid_input", hint=missing.hint) from error
        if isinstance(self.place, McpUrl):
            from graphagent.tools.mcp_http import transport

            await self.policy.check(self.place.url)
            inner = await transport(stack, self.place.url, self.place.headers, self.policy)
        else:
            inner = await self._started(stack, self.place)
        return Client(self._watched(inner), elicitation_callback=self.questions.answer)

    @asynccontextmanager
    async def _watched(self, transport: Any) -> AsyncIterator[Any]:
        """The transport, noticing that the server is gone although nobody calls it."""
        async with transport as (reading, writing):
            yield _Watched(reading, self._gone), writing

    def _gone(self) -> None:
        self._lost = True

    async def _started(self, stack: AsyncExitStack, command: McpCommand) -> Any:
        """The transport of a server that is started; what it writes to stderr is read, and its end kept."""
        from mcp import StdioServerParameters, stdio_client

        reading, writing = os.pipe()
        errors = stack.enter_context(os.fdopen(writing, "w"))
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        nursery.start_soon(self._listen, trio.lowlevel.FdStream(reading))
        parameters = StdioServerParameters(
            command=command.words[0], args=list(command.words[1:]), env=dict(command.env), cwd=command.cwd
        )
        return stdio_client(parameters, errlog=errors)

    async def _listen(self, stream: trio.lowlevel.FdStream) -> None:
        async with stream:
            rest = b""
            async for chunk in stream:
                *lines, rest = (rest + chunk)[-_LAST_WORDS:].split(b"\n")
                self._said.extend(text for line in lines if (text := line.decode("utf-8", "replace").strip()[:200]))

    async def listed(self) -> tuple[Any, ...]:
        """The tools of the server, asked for once in a connection."""
        if self.tools is None:
            found: list[Any] = []
            cursor: str | None = None
            for _ in range(_PAGES):
                page = await self.client.list_tools(cursor=cursor)
                found += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
            self.tools = tuple(found)
        return self.tools

    async def close(self) -> None:
        """Leave the server; one that doesn't let go is left alone after a while."""
        self._leave.set()
        if not self._ready.is_set():
            self._scope.cancel()
        with trio.CancelScope(shield=True):
            for _ in range(2):
                with trio.move_on_after(CLOSE_S):
                    await self._ended.wait()
                self._scope.cancel()


class _Watched:
    """A stream of messages that says when it is at its end."""

    def __init__(self, inner: Any, ended: Callable[[], None]) -> None:
        self._inner, self._ended = inner, ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._inner.__anext__()
        except BaseException:
            self._ended()
            raise


def reason(error: BaseException) -> str:
    """What the first real error among those of a group says."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:300]
