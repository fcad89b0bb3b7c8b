"""The HTTP client of tools: it connects to checked addresses only, within limits of time and size.

A model, a document or a redirect may name any address. So a name is resolved once, every address that it has is
checked, and the connection goes to one of these, while TLS and the header `Host` keep the name: what the name means a
moment later makes no difference.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpx
import trio

from graphagent.errors import NodeError, Timeout
from graphagent.tools.addresses import Network, is_open
from graphagent.tools.bounded import Lost
from graphagent.tools.decoding import ACCEPTED, read_body

CONNECT_S: Final = 10.0
TOTAL_S: Final = 30.0
BODY_LIMIT: Final = 10 * 1024 * 1024
REDIRECTS: Final = 5
SHOWN: Final = 300
"""So many characters of a failing answer are part of the error."""
_KEPT: Final = frozenset({"accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"})
"""The headers that go to another origin too; all others may be credentials."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order in which they are to be tried."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Where tools may connect to.

    Attributes:
        hosts: Names of hosts, `*.example.com` for all below; empty for every host.
        private: Networks that are allowed although they aren't public.
        resolve: Gives the addresses of a host.
        tls: In place of the default certificates.
    """

    hosts: tuple[str, ...] = ()
    private: tuple[Network, ...] = ()
    resolve: Resolve = resolve
    tls: ssl.SSLContext | None = None

    async def addresses(self, scheme: str, host: str, port: int) -> Sequence[str]:
        """The checked addresses of a host.

        Raises:
            NodeError: a tool may not connect there, or the host has no address.
        """
        if scheme not in ("http", "https"):
            raise _refused(f"{scheme}: is none of http and https", "give an http or https URL")
        name = host.lower().rstrip(".")
        if self.hosts and not any(_matches(name, pattern) for pattern in self.hosts):
            raise _refused(f"{name} is no host that tools may call", "the operator allows hosts by `tools.allow_hosts`")
        try:
            found = await self.resolve(name, port)
        except (OSError, UnicodeError) as error:
            raise unreachable(name, error) from error
        if not found:
            raise unreachable(name, OSError("it has no address"))
        for address in found:
            if not is_open(address, self.private):
                hint = "the operator allows networks by `tools.allow_private`"
                raise _refused(f"{name} is at {address}, which isn't public", hint)
        return found

    async def check(self, url: str) -> None:
        """Raise NodeError if a tool may not connect to a URL."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise NodeError(f"{_shown(url)!r} is no URL: {error}", kind="invalid_input") from error
        await self.addresses(parsed.scheme, parsed.host, _port(parsed))

    def context(self) -> ssl.SSLContext:
        """The certificates that are trusted."""
        return self.tls or _certificates()


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.lower().rstrip(".")
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends a request to a checked address of its host.

    Args:
        inner: The transport that connects. It must not keep connections, or two hosts at one address would share one.
        connect_errors: What it raises where nothing was sent, so that the next address may be tried.
    """

    def __init__(self, policy: HttpPolicy, inner: Any, connect_errors: tuple[type[Exception], ...]) -> None:
        self.policy, self.inner, self.connect_errors = policy, inner, connect_errors

    async def handle_async_request(self, request: Any) -> Any:
        """See `httpx.AsyncBaseTransport`."""
        url = request.url
        addresses = await self.policy.addresses(url.scheme, url.host, _port(url))
        extensions = {**request.extensions, "sni_hostname": url.host}
        failure: Exception | None = None
        for address in addresses:
            there = url.copy_with(host=address.partition("%")[0])
            sent = type(request)(
                request.method, there, headers=request.headers, stream=request.stream, extensions=extensions
            )
            try:
                return await self.inner.handle_async_request(sent)
            except self.connect_errors as error:
                failure = error
        raise unreachable(url.host, failure) from failure

    async def aclose(self) -> None:
        """See `httpx.AsyncBaseTransport`."""
        await self.inner.aclose()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `body` is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class HttpClient:
    """Makes single requests. Nothing stays open between them."""

    def __init__(self, policy: HttpPolicy, total_s: float = TOTAL_S) -> None:
        self.policy, self.total_s = policy, total_s

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """The answer of a server, after redirects, whatever its status.

        Raises:
            Timeout: it took too long.
            Lost: the connection broke after the request was sent.
            NodeError: nothing was sent, or the answer can't be read.
        """
        with trio.move_on_after(self.total_s):
            try:
                return await self._follow(method, url, {k.lower(): v for k, v in (headers or {}).items()}, content)
            except httpx.InvalidURL as error:
                raise NodeError(f"{url[:80]!r} is no URL: {error}", kind="invalid_input") from error
            except httpx.HTTPError as error:
                raise Lost(f"the connection broke: {_why(error)}", cause="connection") from error
        raise Timeout(f"{method} {_shown(url)} took longer than {self.total_s:g} s")

    async def _follow(self, method: str, url: str, headers: dict[str, str], content: bytes | None) -> Answer:
        headers = {"accept": "application/json, text/*;q=0.9, */*;q=0.5", **headers, "accept-encoding": ACCEPTED}
        timeout = httpx.Timeout(self.total_s, connect=CONNECT_S)
        async with httpx.AsyncClient(transport=self._transport(), timeout=timeout, trust_env=False) as client:
            request = client.build_request(method, url, headers=headers, content=content)
            for _ in range(REDIRECTS + 1):
                response = await client.send(request, stream=True, follow_redirects=False)
                try:
                    if response.next_request is None:
                        encoding = response.headers.get("content-encoding", "")
                        body = await read_body(response.aiter_raw(), encoding, BODY_LIMIT)
                        return Answer(response.status_code, dict(response.headers), body)
                    request = _next(request, response.next_request, headers)
                finally:
                    await response.aclose()
        raise NodeError(f"{_shown(url)} redirects more than {REDIRECTS} times", kind="tool_failed", cause="redirects")

    def _transport(self) -> CheckedTransport:
        limits = httpx.Limits(max_keepalive_connections=0)
        inner = httpx.AsyncHTTPTransport(verify=self.policy.context(), limits=limits, trust_env=False)
        return CheckedTransport(self.policy, inner, (httpx.ConnectError, httpx.ConnectTimeout))


def _next(before: httpx.Request, after: httpx.Request, headers: Mapping[str, str]) -> httpx.Request:
    """The request that follows a redirect, without what another origin must not see."""
    if _origin(before.url) != _origin(after.url):
        for name in {*headers, "authorization", "cookie"} - _KEPT:
            after.headers.pop(name, None)
    return after


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), _port(url)


def _port(url: Any) -> int:
    return int(url.port or (443 if url.scheme == "https" else 80))


def failed(answer: Answer) -> NodeError:
    """The error of an answer with a failing status: its cause is `http_404` and the like."""
    status, text = answer.status, " ".join(answer.text().split())
    if status == 429:
        kind = "rate_limit"
    elif status >= 500:
        kind = "unavailable"
    else:
        kind = "auth" if status in (401, 403) else "tool_failed"
    shown = f": {text[:SHOWN]}" if text else ""
    return NodeError(f"the server answered {status}{shown}", kind=kind, cause=f"http_{status}")


def unreachable(host: str, error: Exception | None) -> NodeError:
    """The error of a host to which nothing could be sent."""
    return NodeError(f"{host} can't be reached: {_why(error)}", kind="unavailable", cause="connection")


def _why(error: BaseException | None) -> str:
    """What the innermost error says that says anything: the outer ones often don't."""
    said = ""
    while error is not None:
        said = str(error) or said or type(error).__name__
        error = error.__cause__ or error.__context__
    return said


def _refused(message: str, hint: str) -> NodeError:
    return NodeError(message, kind="tool_failed", cause="address_refused", hint=hint)


def _shown(url: str) -> str:
    """A URL without its query, which may hold a key."""
    return url.partition("?")[0][:200]
