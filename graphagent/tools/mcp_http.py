"""MCP over HTTP through the checked transport: no answer may be packed, and none but a stream may be large."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx2
from mcp.client.streamable_http import streamable_http_client

from graphagent.tools.http import BODY_LIMIT, CONNECT_S, CheckedTransport, HttpPolicy

IDLE_S: Final = 300.0
"""A stream on which a server says nothing for so long is broken. A call has its own, shorter time."""


async def transport(stack: AsyncExitStack, url: str, headers: Mapping[str, str], policy: HttpPolicy) -> Any:
    """A transport for the client of the MCP library."""
    inner = httpx2.AsyncHTTPTransport(
        verify=policy.context(), limits=httpx2.Limits(max_keepalive_connections=0), trust_env=False
    )
    checked: Any = _Plain(policy, inner, (httpx2.ConnectError, httpx2.ConnectTimeout))
    client = httpx2.AsyncClient(
        transport=checked, headers={**headers, "accept-encoding": "identity"},
        timeout=httpx2.Timeout(IDLE_S, connect=CONNECT_S), trust_env=False,
    )  # fmt: skip
    await stack.enter_async_context(client)
    return streamable_http_client(url, http_client=client)


class _Plain(CheckedTransport):
    """Bounds what the MCP library would read as a whole."""

    async def handle_async_request(self, request: Any) -> Any:
        """See `httpx.AsyncBaseTransport`."""
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("the answer is packed, which nobody asked for", request=request)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            response.stream = _Bounded(response.stream)
        return response


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks off over the limit."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self.inner:
            size += len(chunk)
            if size > BODY_LIMIT:
                raise httpx2.ReadError(f"the answer has more than {BODY_LIMIT:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.inner.aclose()
