"""An MCP server for tests: `python -m tests.mcp_server` speaks stdio, with `--http` streamable HTTP on a free port.

Over HTTP it writes its URL as the first line of stdout. Both end when their stdin is closed. With `--old` it
speaks the protocol of 2025 over stdio.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Annotated

import anyio
import pydantic
from mcp.server.mcpserver import Context, Elicit, MCPServer, Resolve
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server

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


class Size(pydantic.BaseModel):
    size: Annotated[int, pydantic.Field(ge=1, le=50)]
    note: str | None = None


@server.tool(structured_output=False)
async def order(item: str, ctx: Context) -> str:
    """Orders something, and asks for its size; the variable ORDERS names a file with every call of it."""
    if "ORDERS" in os.environ:
        with open(os.environ["ORDERS"], "a", encoding="utf-8") as file:
            print(item, key(ctx), file=file)
    found = await ctx.elicit(f"Which size of {item}?", Size)
    if found.action != "accept":
        return f"no {item}: {found.action}"
    if found.data.note == "die":
        os._exit(3)
    return f"{item} of size {found.data.size}"


async def ask_size(item: str) -> Elicit[Size]:
    return Elicit(f"How large is {item}?", Size)


@server.tool(structured_output=False)
async def measure(item: str, size: Annotated[Size, Resolve(ask_size)]) -> str:
    """Asks in the way of newer servers: the call ends, and is made again with the answer."""
    return f"{item} is {size.size}"


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


async def serve_old() -> None:
    """Serve stdio as servers of 2025 do, which send their questions beside their calls."""
    inner = server._lowlevel_server
    async with stdio_server() as (reading, writing), inner.lifespan(inner) as state:
        await serve_loop(inner, reading, writing, lifespan_state=state)


if __name__ == "__main__":
    if "--http" in sys.argv:
        serve_http()
    elif "--old" in sys.argv:
        anyio.run(serve_old)
    else:
        server.run("stdio")
