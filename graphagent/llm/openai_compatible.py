"""Any server that speaks OpenAI's chat/completions: OpenAI itself, vLLM, Ollama, llama.cpp, gateways.

Streams over server-sent events. Runs under trio, also where trio is a guest on an asyncio loop.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import trio

from graphagent.errors import ModelError
from graphagent.llm import failures
from graphagent.llm.chat import Answer, body
from graphagent.llm.failures import Endpoint
from graphagent.llm.sse import EventParser
from graphagent.messages import Done, ModelInfo, ModelPart, ModelRequest

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CONNECT_S = 10.0
REST_S = 0.2
KEPT = 20
"""How many connections stay open for later calls."""
MAX_ANSWER = 64 * 1024 * 1024
MAX_ERROR = 64 * 1024


class OpenAICompatibleModel:
    """A model behind a `base_url`.

    Args:
        info: Name and abilities; `info.name` goes into the request.
        base_url: The address before `/chat/completions`, mostly ending in `/v1`.
        api_key: Sent as a bearer token, if given. It never stands in an error text.
        key_variable: The environment variable that a hint names when access is denied.
        idle_s: Longest time between two pieces of an answer.
        total_s: Longest time for one call; a request's own deadline may shorten it.
        bounded: Bound free strings and lists in schemas, for small local models.

    Raises:
        ModelError: the address or the key can't be used at all.
    """

    def __init__(
        self,
        info: ModelInfo,
        base_url: str,
        *,
        api_key: str | None = None,
        key_variable: str | None = None,
        idle_s: float = 60.0,
        total_s: float = 600.0,
        bounded: bool = False,
    ) -> None:
        self.info = info
        key = (api_key or "").strip()
        self._who = Endpoint(info.name, base_url, key_variable, (key,) if key else ())
        self._url = _address(self._who)
        if not key.isascii() or not key.isprintable():
            raise ModelError(f"the API key for {self._who} holds characters that no key has", kind="auth")
        self._idle_s = idle_s
        self._total_s = total_s
        self._bounded = bounded
        self._limit_key = "max_completion_tokens" if info.provider == "openai" else "max_tokens"
        self._client: httpx.AsyncClient | None = None
        self._home: object = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last.

        Raises:
            ModelError: the call failed; nothing else is raised.
        """
        deadline = Deadline(self._who, self._idle_s, min(request.deadline_s or self._total_s, self._total_s))
        with _mapped(self._who, failures.no_connection):
            response, tries = await self._sent(request, deadline)
        quota = failures.quota(response.headers)
        with _mapped(self._who, failures.half_stream):
            try:
                async with aclosing(self._answer(response, request, deadline)) as parts:
                    async for part in parts:
                        yield replace(part, tries=tries, quota=quota) if isinstance(part, Done) else part
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await response.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and self._home is trio.lowlevel.current_trio_token():
            await client.aclose()

    async def _sent(self, request: ModelRequest, deadline: Deadline) -> tuple[httpx.Response, int]:
        """The head of the answer, and how often the call was sent.

        A server may close a connection that it kept just as the next call goes out on it. Nothing of an answer has
        come then, so the call is sent again, until it has had a connection of its own.
        """
        import httpx

        client = self._connected()
        for tries in range(1, KEPT + 2):
            wanted, opened = self._http_request(client, request), False

            async def trace(event: str, _: object) -> None:
                nonlocal opened
                opened = opened or event == "connection.connect_tcp.started"

            wanted.extensions = {**wanted.extensions, "trace": trace}
            try:
                return await deadline.wait(client.send(wanted, stream=True)), tries
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if opened or tries > KEPT:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _answer(
        self, response: httpx.Response, request: ModelRequest, deadline: Deadline
    ) -> AsyncGenerator[ModelPart, None]:
        if response.status_code != 200:
            data = await deadline.wait(_read(response, MAX_ERROR))
            raise failures.from_response(self._who, response.status_code, response.headers, data)
        answer = Answer(self._who, request)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":  # the server doesn't stream
            for part in await self._whole(response, deadline, answer):
                yield part
        elif kind in ("text/event-stream", "text/plain", ""):
            async with aclosing(self._events(response, deadline, answer)) as parts:
                async for part in parts:
                    yield part
        else:
            raise failures.garbage(self._who, "an HTML page" if kind == "text/html" else f"content of type {kind!r}")
        if not answer.complete:
            raise failures.garbage(self._who, "an empty answer") if answer.ended else failures.half_stream(self._who)
        done = answer.done()
        yield Done(done.finish, done.usage.priced(self.info.price), done.raw_id)

    async def _events(
        self, response: httpx.Response, deadline: Deadline, answer: Answer
    ) -> AsyncGenerator[ModelPart, None]:
        parser = EventParser()
        size = 0
        async with _reading(response) as pieces:
            while not answer.ended:
                piece = await deadline.wait(anext(pieces, None))
                if piece is None:
                    return
                size += len(piece)
                if size > MAX_ANSWER:
                    raise failures.garbage(self._who, "more than 64 MiB")
                events = parser.feed(piece)
                if events:
                    deadline.progress()
                for event in events:
                    for part in answer.chunk(event):
                        yield part

    async def _whole(self, response: httpx.Response, deadline: Deadline, answer: Answer) -> list[ModelPart]:
        data = await deadline.wait(_read(response, MAX_ANSWER))
        try:
            completion = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise failures.garbage(self._who, "broken JSON") from error
        return answer.whole(completion)

    def _http_request(self, client: httpx.AsyncClient, request: ModelRequest) -> httpx.Request:
        data = body(
            request, self.info.name, bounded=self._bounded, limit_key=self._limit_key,
            parallel=self.info.parallel_tools,
        )  # fmt: skip
        try:
            content = json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"the request for {self._who} is not plain data: {error}", kind="invalid_input") from error
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        if self._who.secrets:
            headers["authorization"] = f"Bearer {self._who.secrets[0]}"
        if request.idempotency_key:
            headers["idempotency-key"] = request.idempotency_key
        return client.build_request("POST", self._url, content=content, headers=headers)

    def _connected(self) -> httpx.AsyncClient:
        """The client of this trio run; sockets of an earlier run are of no use in this one."""
        import httpx

        token = trio.lowlevel.current_trio_token()
        if self._client is None or self._home is not token:
            plain = self._url.startswith("http://") and _is_loopback(self._url)
            self._client = httpx.AsyncClient(
                # `Deadline` holds the times, since httpx counts bytes that are no piece of an answer as life.
                timeout=httpx.Timeout(None, connect=CONNECT_S),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT),
                follow_redirects=False,
                trust_env=not plain,  # a proxy for this machine itself makes no sense
                verify=not plain,  # and loading certificates costs 20 ms
                headers={"user-agent": "graphagent", "accept-encoding": "identity"},
            )
            self._home = token
        return self._client


class Deadline:
    """Both deadlines of a call. Each wait has its own cancel scope, as none may be open across a yield."""

    def __init__(self, who: Endpoint, idle_s: float, total_s: float) -> None:
        self._who = who
        self._idle_s = idle_s
        self._total_s = total_s
        self._end = trio.current_time() + total_s
        self._idle_end = trio.current_time() + idle_s

    def progress(self) -> None:
        """A piece has come."""
        self._idle_end = trio.current_time() + self._idle_s

    async def wait(self, awaitable: Awaitable[T]) -> T:
        idle = self._idle_end < self._end
        with trio.CancelScope(deadline=min(self._idle_end, self._end)):
            return await awaitable
        raise failures.too_late(self._who, self._idle_s if idle else self._total_s, idle=idle)


@contextmanager
def _mapped(who: Endpoint, make: Callable[[Endpoint, object], ModelError]) -> Iterator[None]:
    """Turns what the HTTP client raises into ModelError; `make` is for a broken connection."""
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError) as error:
        raise failures.no_connection(who, error) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        raise ModelError(f"{who} can't be asked: {who.clean(str(error))}", kind="invalid_input") from error
    except httpx.DecodingError as error:
        raise failures.garbage(who, "bytes that can't be decompressed") from error
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise make(who, error) from error


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, cut at `limit` bytes or a little above."""
    data = bytearray()
    async with _reading(response) as pieces:
        async for piece in pieces:
            data += piece
            if len(data) > limit:
                break
    return bytes(data)


@asynccontextmanager
async def _reading(response: httpx.Response) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The body's pieces. At the end all generators below are finished, not left to the garbage collector.

    The client's stream is six generators deep, and closing the outermost doesn't reach the others. Only an error
    that starts at the socket passes through all of them, so the rest is read under a deadline: a whole answer
    gets the time that its last bytes need, and its connection is used again.
    """
    pieces = response.aiter_bytes()
    grace_s = 0.0
    try:
        yield pieces
        grace_s = REST_S
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + grace_s):
            async for _ in pieces:
                pass


def _address(who: Endpoint) -> str:
    """The address to post to. A query, such as an API version, stays at its end."""
    try:
        parts = urlsplit(who.base_url.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise ModelError(
            f"base_url {failures.shown_url(who.base_url)!r} of model {who.model!r} is not an HTTP address",
            kind="invalid_input",
            hint="write it like http://127.0.0.1:8000/v1",
        )
    return parts._replace(path=parts.path.rstrip("/") + "/chat/completions", fragment="").geturl()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
