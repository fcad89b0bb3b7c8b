"""An MCP server for tests: `python -m tests.mcp_server` speaks stdio, with `--http` streamable HTTP on a free port.

Over HTTP it writes its URL as the first line of stdout. Both end when their stdin is closed.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Annotated

import anyio
import pydantic
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("tests", instructions="For tests.")
calls: list[str] = []


class Weather(pydantic.BaseModel):
    city: str
    degrees: float


@server.tool()
def add(a: int, b: Annotated[int, pydantic.Field(ge=0, description="Not negative")] = 1) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def weather(city: str) -> Weather:
    """Tells the weather."""
    return Weather(city=city, degrees=21.5)


@server.tool(structured_output=False)
def words(text: str) -> str:
    """Gives the text back, without structure."""
    return text


@server.tool()
def fail(text: str) -> str:
    """Raises."""
    raise ValueError(text)


@server.tool(structured_output=False)
def large(size: int) -> str:
    """Gives so many letters."""
    return "x" * size


@server.tool()
async def sleep(ctx: Context) -> str:
    """Never ends by itself."""
    print("asleep", file=sys.stderr, flush=True)
    await ctx.report_progress(1, 4, "fell asleep")
    await anyio.sleep_forever()
    return ""


@server.tool(structured_output=False)
def key(ctx: Context) -> str:
    """The idempotency key of the call."""
    meta = ctx.request_context.meta
    return str(dict(meta or {}).get("idempotencyKey"))


@server.tool(structured_output=False)
def environment(name: str) -> str:
    """A variable of the server."""
    return os.environ.get(name, "")


@server.tool(structured_output=False)
def grow() -> str:
    """Adds a tool to the list."""
    server.add_tool(added, structured_output=False)
    return "grown"


def added() -> str:
    """Wasn't there from the beginning."""
    return "added"


@server.tool()
def die() -> str:
    """Ends the server."""
    print("dying as asked", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool()
def broken() -> dict[str, int]:
    """Gives another structure than it promises."""
    return {"other": 1}


promised = server._tool_manager.get_tool("broken")
assert promised is not None
promised.fn_metadata.output_schema = {"type": "object", "required": ["degrees"]}


@server.tool(structured_output=False)
def process() -> str:
    """The id of the server's process."""
    return str(os.getpid())


def serve_http() -> None:
    """Serve until stdin is closed."""
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    web = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error"))

    def watch() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    web.run([listener])


if __name__ == "__main__":
    if "--http" in sys.argv:
        serve_http()
    else:
        server.run("stdio")
