"""The operations of an OpenAPI document as tools."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from graphagent.codec import freeze
from graphagent.errors import CodecError, NodeError
from graphagent.ports import ToolCall, ToolInfo
from graphagent.snapshot import EffectClass
from graphagent.tools.arguments import bad_arguments, unknown_tool
from graphagent.tools.checking import problems
from graphagent.tools.http import Answer, HttpClient, failed
from graphagent.tools.openapi_document import BODY, ApiDocument, Operation, read_document

PIN = "#sha256="
"""Ends the URL of a document, before the hash that its bytes have."""
LONGEST_KEY = 255


class OpenApiSource:
    """`ports.ToolSource` of a document.

    Args:
        document: The path or URL, as the graph has it. A URL ends in `#sha256=` and a hash.
        read: Gives the bytes of a path; raises NodeError.
        secret: Gives the value of a secret that the graph declares, None for one that it doesn't.
    """

    def __init__(
        self, name: str, document: str, client: HttpClient, read: Callable[[str], bytes],
        effects: Callable[[str], EffectClass], secret: Callable[[str], str | None],
        only: tuple[str, ...] | None = None, timeout_s: float = 60.0,
    ) -> None:  # fmt: skip
        self.name, self.document, self.client, self.only = name, document, client, only
        self.effects, self.secret, self.timeout_s, self._read = effects, secret, timeout_s, read
        self._api: ApiDocument | None = None

    def known(self) -> tuple[ToolInfo, ...] | None:
        """See `ports.ToolSource`; what stands at a URL is known once it was asked for."""
        if self._api is None:
            if "://" in self.document:
                return None
            self._api = self._checked(read_document(self._read(self.document), self.document))
        return tuple(self._info(self._api.operations[name]) for name in self._names(self._api))

    def check(self, info: ToolInfo, arguments: Mapping[str, Any]) -> None:
        """See `ports.ToolSource`."""
        wrong = problems(arguments, info.parameters)
        if wrong:
            raise bad_arguments(wrong, info.parameters)

    async def list(self, session: str) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        if self._api is None and "://" in self.document:
            url, _, pin = self.document.partition(PIN)
            self._api = self._checked(read_document(pinned(await self._fetched(url), url, pin), url))
        return self.known() or ()

    async def _fetched(self, url: str) -> bytes:
        answer = await self.client.request("GET", url)
        if answer.status >= 300:
            raise failed(answer)
        return answer.body

    async def call(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        """See `ports.ToolSource`."""
        await self.list(call.session)
        assert self._api is not None
        wanted = name.removeprefix(f"{self.name}.")
        if wanted not in self._names(self._api):
            raise unknown_tool(name, [f"{self.name}.{one}" for one in self._names(self._api)])
        operation = self._api.operations[wanted]
        wrong = problems(arguments, operation.schema)
        if wrong:
            raise bad_arguments(wrong, operation.schema)
        url, headers, content = request_of(operation, arguments)
        if self.effects(wanted) == "write":
            headers["idempotency-key"] = header_key(call.idempotency_key)
        url = self._signed(operation, self._api, url, headers)
        call.send()
        answer = await self.client.request(operation.method, url, headers=headers, content=content)
        if answer.status >= 300:
            raise failed(answer)
        return result_of(answer)

    async def close(self, session: str) -> None:
        """See `ports.ToolSource`; nothing is ever open."""

    def _names(self, api: ApiDocument) -> tuple[str, ...]:
        return tuple(api.operations) if self.only is None else self.only

    def _checked(self, api: ApiDocument) -> ApiDocument:
        for name in self.only or ():
            if name not in api.operations:
                hint = f"its operations: {', '.join(api.operations)}"
                message = f"{self.document} has no operation {name!r}"
                raise NodeError(message, kind="invalid_input", cause="unknown_tool", hint=hint)
        return api

    def _info(self, operation: Operation) -> ToolInfo:
        return ToolInfo(
            f"{self.name}.{operation.name}", "openapi", operation.description, operation.schema, operation.returns,
            self.effects(operation.name), self.timeout_s,
        )  # fmt: skip

    def _signed(self, operation: Operation, api: ApiDocument, url: str, headers: dict[str, str]) -> str:
        """The URL with the credentials of the first alternative whose secrets the graph declares."""
        for alternative in operation.security:
            values = {scheme: self.secret(scheme) for scheme in alternative}
            if all(value is not None for value in values.values()):
                for scheme, value in values.items():
                    url = _sign(api.schemes.get(scheme, {}), str(value), url, headers)
                break
        return url


def pinned(data: bytes, url: str, pin: str) -> bytes:
    """The bytes of a document, if they have the hash under which the graph knows it. Raises NodeError."""
    found = hashlib.sha256(data).hexdigest()
    if found == pin.lower():
        return data
    hint = f"read it, and if it is what you want, write: {url}{PIN}{found}"
    what = "is another document than the one that the graph names" if pin else "isn't pinned by its hash"
    raise NodeError(f"{url} {what}", kind="invalid_input", cause="bad_document", hint=hint)


def request_of(operation: Operation, arguments: Mapping[str, Any]) -> tuple[str, dict[str, str], bytes | None]:
    """URL, headers and body of a call with checked arguments."""
    path, query = operation.path, list[tuple[str, str]]()
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, parameter in operation.parameters.items():
        if arguments.get(name) is None:
            continue
        value = arguments[name]
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.key}}}", _segment(name, value, operation))
        elif parameter.place == "query":
            many = isinstance(value, list) and parameter.explode
            query += [(parameter.key, _text(one)) for one in (value if many else [value])]
        elif parameter.place == "header":
            headers[parameter.key] = _line(name, value, operation)
        else:
            cookies.append(f"{parameter.key}={quote(_text(value), safe='')}")
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    content = None
    if operation.body is not None and BODY in arguments:
        headers["content-type"] = operation.body if "*" not in operation.body else "application/json"
        content = json.dumps(arguments[BODY], ensure_ascii=False).encode()
    return f"{operation.server}{path}{'?' + urlencode(query) if query else ''}", headers, content


def header_key(key: str) -> str:
    """A key as a header can hold it: as it is, or its hash."""
    fits = key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY
    return key if fits else hashlib.sha256(key.encode()).hexdigest()


def _segment(name: str, value: Any, operation: Operation) -> str:
    """A value in a path. One that would lead elsewhere (`..`, nothing) is refused."""
    text = _text(value)
    if text in ("", ".", ".."):
        raise bad_arguments([((name,), f"{text!r} can't stand in a path")], operation.schema)
    return quote(text, safe="")


def _line(name: str, value: Any, operation: Operation) -> str:
    """A value in a header."""
    text = _text(value)
    if not text.isascii() or not text.isprintable():
        raise bad_arguments([((name,), "only printable ASCII can stand in a header")], operation.schema)
    return text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(item, list | Mapping) for item in value):
        return ",".join(_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sign(scheme: Mapping[str, Any], value: str, url: str, headers: dict[str, str]) -> str:
    """Put a secret where its scheme wants it."""
    kind, place, name = scheme.get("type"), scheme.get("in"), str(scheme.get("name", ""))
    if kind == "apiKey" and place == "query":
        return f"{url}{'&' if '?' in url else '?'}{urlencode({name: value})}"
    if kind == "apiKey":
        headers["cookie" if place == "cookie" else name] = f"{name}={value}" if place == "cookie" else value
    elif kind == "http" and str(scheme.get("scheme", "")).lower() == "basic":
        headers["authorization"] = f"Basic {value}"
    else:
        headers["authorization"] = f"Bearer {value}"
    return url


def result_of(answer: Answer) -> Any:
    """The data of a good answer: JSON, else text; null where there is none."""
    if not answer.body:
        return None
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        try:
            return freeze(json.loads(answer.body))
        except (ValueError, RecursionError, CodecError) as error:
            message = f"the server said JSON, and it isn't: {str(error)[:100]}"
            raise NodeError(message, kind="invalid_output") from error
    if media.startswith("text/") or not media or "xml" in media:
        return answer.text()
    raise NodeError(f"the server answered with {media!r}, which is no text", kind="invalid_output")
