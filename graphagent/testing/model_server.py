"""A model server that answers chat/completions over real sockets, well or badly, as a test wants it.

    with ModelServer(["Hello.", Reply(status=429, retry_after="1"), Reply(fault="hang")]) as server:
        ...  # give server.base_url to whatever is tested
        assert server.calls == 3

Replies are used in order of arrival; when they are used up, `then` answers all further calls. Calls that arrive
together come in any order: give a function of the request instead.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from graphagent.llm.example import example_of

Fault = Literal[
    "hang",  # takes the call and says nothing
    "stall",  # sends half of the text, then nothing more
    "half_stream",  # sends half of the text, then cuts the connection
    "early_end",  # sends half of the text, then ends the response as if all were well
    "drop",  # closes the connection without an answer
    "garbage",  # bytes that are no JSON
    "html",  # a web page
    "wrong_json",  # JSON that is no completion
    "stream_error",  # half of the text, then an error object
    "empty",  # a whole stream without text
]


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call gets.

    Args:
        answer: Text, or a value that is sent as JSON text. None sends "ok", or a value that fits the wanted schema.
        fault: What goes wrong.
        status: Other than 200: an error body with `message` is sent.
        retry_after: The header of that name.
        message: The error's message.
        code: The error's code.
        headers: Further headers.
        pace_s: Time before each piece of the stream.
        usage: Whether usage is reported.
        finish: The finish reason.
        tool_calls: `{name, arguments}` each, after the text; arguments that are a text are sent as they are.
        reasoning: What the model thought before.
        whole: Answer with one JSON document, though a stream was asked for.
        keep: Keep the connection open for the next call.
    """

    answer: Any = None
    fault: Fault | None = None
    status: int = 200
    retry_after: str | None = None
    message: str = "no"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pace_s: float = 0.0
    usage: bool = True
    finish: str = "stop"
    tool_calls: Sequence[Mapping[str, Any]] = ()
    reasoning: str = ""
    whole: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A call that arrived. Names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"])


AnyReply = Reply | str | dict[str, Any]


class ModelServer:
    """A server on 127.0.0.1, in threads of this process, from `with` to the end of its block.

    Args:
        replies: One after the other, or a function of the call.
        then: What every call gets when the replies are used up.
    """

    def __init__(
        self, replies: Sequence[AnyReply] | Callable[[Received], AnyReply] = (), *, then: AnyReply = Reply()
    ) -> None:
        self._replies = replies
        self._then = then
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.received: list[Received] = []
        """Every call so far, in order of arrival."""
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.model = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        """What a model's `base_url` has to be."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def calls(self) -> int:
        """How many calls have arrived."""
        return len(self.received)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def take(self, call: Received) -> Reply:
        """The reply to a call."""
        with self._lock:
            n = len(self.received)
            self.received.append(call)
        if callable(self._replies):
            reply = self._replies(call)
        else:
            reply = self._replies[n] if n < len(self._replies) else self._then
        return reply if isinstance(reply, Reply) else Reply(reply)

    def wait(self, seconds: float | None = None) -> None:
        """Wait, but not longer than the server lives."""
        self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    model: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the game; nothing is printed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        self.close_connection = True
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        call = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        reply = self.server.model.take(call)
        self.close_connection = not reply.keep
        if reply.status != 200:
            problem = {"error": {"message": reply.message, "code": reply.code}}
            self._document(reply.status, "application/json", json.dumps(problem).encode(), reply)
        elif reply.fault == "hang":
            self.server.model.wait()
        elif reply.fault == "html":
            self._document(200, "text/html; charset=utf-8", b"<!doctype html><h1>Welcome</h1>", reply)
        elif reply.fault == "wrong_json":
            self._document(200, "application/json", b'{"status": "fine"}', reply)
        elif reply.whole:
            self._document(200, "application/json", json.dumps(_completion(call, reply)).encode(), reply)
        elif reply.fault != "drop":
            self._stream(call, reply)

    def _document(self, status: int, kind: str, data: bytes, reply: Reply) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self._further(reply)
        self.wfile.write(data)

    def _further(self, reply: Reply) -> None:
        if not reply.keep:
            self.send_header("connection", "close")
        if reply.retry_after is not None:
            self.send_header("retry-after", reply.retry_after)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, call: Received, reply: Reply) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self._further(reply)
        for event in _events(call, reply):
            if reply.pace_s:
                self.server.model.wait(reply.pace_s)
            data = b"data: " + event + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        if reply.fault == "stall":
            self.server.model.wait()
        elif reply.fault != "half_stream":
            self.wfile.write(b"0\r\n\r\n")


def _text(call: Received, reply: Reply) -> str:
    if isinstance(reply.answer, str):
        return reply.answer
    value = reply.answer
    schema = call.body.get("response_format", {}).get("json_schema", {}).get("schema")
    if value is None and reply.tool_calls:
        return ""
    if value is None:
        if schema is None:
            return "ok"
        value = example_of(schema, "ok")
    return json.dumps(value, ensure_ascii=False)


def _usage(call: Received, text: str) -> dict[str, int]:
    given = -(-len(json.dumps(call.body["messages"])) // 4)
    made = -(-len(text) // 4)
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _completion(call: Received, reply: Reply) -> dict[str, Any]:
    text = _text(call, reply)
    message = {"role": "assistant", "content": text, **({"tool_calls": _calls(reply)} if reply.tool_calls else {})}
    choice = {"index": 0, "finish_reason": _finish(reply), "message": message}
    usage = {"usage": _usage(call, text)} if reply.usage else {}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **usage}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    out = []
    for i, call in enumerate(reply.tool_calls):
        given = call.get("arguments", {})
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        out.append({"id": f"call_{i}", "type": "function", "function": {"name": call["name"], "arguments": text}})
    return out


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls and reply.finish == "stop" else reply.finish


def _call_chunks(reply: Reply) -> Iterator[bytes]:
    """Each call as providers stream it: its id and name, then its arguments in pieces."""
    for i, call in enumerate(_calls(reply)):
        arguments = call["function"]["arguments"]
        head = {**call, "index": i, "function": {**call["function"], "arguments": ""}}
        yield _chunk({"tool_calls": [head]})
        for j in range(0, len(arguments), 5):
            yield _chunk({"tool_calls": [{"index": i, "function": {"arguments": arguments[j : j + 5]}}]})


def _events(call: Received, reply: Reply) -> Iterator[bytes]:
    text = "" if reply.fault == "empty" else _text(call, reply)
    pieces = [text[i : i + 5] for i in range(0, len(text), 5)]
    broken = reply.fault in ("stall", "half_stream", "early_end", "garbage", "stream_error")
    yield _chunk({"role": "assistant", "content": None})
    for i in range(0, len(reply.reasoning), 5):
        yield _chunk({"reasoning_content": reply.reasoning[i : i + 5]})
    for piece in pieces[: (len(pieces) + 1) // 2] if broken else pieces:
        yield _chunk({"content": piece})
    if reply.fault == "garbage":
        yield b'{"choices": [}\xff\x00'
    elif reply.fault == "stream_error":
        yield json.dumps({"error": {"message": reply.message, "code": reply.code}}).encode()
    if not broken:
        yield from _call_chunks(reply)
        if reply.fault != "empty":
            yield _chunk({}, _finish(reply))
        if reply.usage:
            yield json.dumps({"id": "chatcmpl-1", "choices": [], "usage": _usage(call, text)}).encode()
        yield b"[DONE]"


def _chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}).encode()
