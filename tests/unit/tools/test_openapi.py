"""OpenAPI documents as tools, against a real server that remembers what it was asked."""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_network
from typing import Any

import pytest
import trio

from graphagent.errors import NodeError
from graphagent.ports import ToolInfo
from graphagent.tools.http import HttpClient, HttpPolicy
from graphagent.tools.openapi import PIN, OpenApiSource
from tests.unit.tools.web import Asked, Given, Web
from tests.unit.tools.world import tool_call

DOCUMENT = """
openapi: 3.0.3
info: {{ title: Shop, version: 2026-01-01 }}
servers: [{{ url: "{url}/{{base}}", variables: {{ base: {{ default: v1 }} }} }}]
security: [{{ shop_key: [] }}]
paths:
  /orders/{{id}}:
    parameters:
      - {{ name: id, in: path, required: true, description: Its number, schema: {{ type: string }} }}
    get:
      operationId: getOrder
      summary: Finds an order
      description: Any order at all.
      parameters:
        - {{ $ref: "#/components/parameters/fields" }}
        - {{ name: since, in: query, schema: {{ type: string, format: date, example: 2026-01-01 }} }}
        - {{ name: X-Trace, in: header, schema: {{ type: string }} }}
        - {{ name: Authorization, in: header, schema: {{ type: string }} }}
        - {{ name: tint, in: cookie, schema: {{ type: string }} }}
      responses:
        200:
          description: One
          content: {{ application/json: {{ schema: {{ $ref: "#/components/schemas/Order" }} }} }}
    put:
      operationId: putOrder
      security: [{{}}]
      requestBody:
        required: true
        content: {{ application/json: {{ schema: {{ $ref: "#/components/schemas/Order" }} }} }}
      responses: {{ "204": {{ description: Done }} }}
  /health: {{ get: {{ responses: {{ "200": {{ description: Unnamed }} }} }} }}
components:
  securitySchemes: {{ shop_key: {{ type: apiKey, in: header, name: X-Key }} }}
  parameters: {{ fields: {{ name: fields, in: query, schema: {{ type: array, items: {{ type: string }} }} }} }}
  schemas:
    Order:
      type: object
      required: [lines]
      properties:
        note: {{ type: string, nullable: true }}
        lines: {{ type: array, items: {{ $ref: "#/components/schemas/Line" }} }}
    Line: {{ type: object, properties: {{ price: {{ type: number, minimum: 0, exclusiveMinimum: true }} }} }}
"""
ORDER = {"lines": [{"price": 2}]}


def source(text: str, **more: Any) -> OpenApiSource:
    client = HttpClient(HttpPolicy(private=(ip_network("127.0.0.1/32"),)), more.pop("total_s", 30.0))
    secrets, effects = more.pop("secrets", {}), more.pop("effects", {"getOrder": "read"})
    return OpenApiSource(
        "shop", more.pop("document", "shop.yaml"), client, lambda path: text.encode(),
        lambda name: effects.get(name, "write"), secrets.get, **more,
    )  # fmt: skip


def call(api: OpenApiSource, name: str, arguments: dict[str, Any], key: str | None = None) -> Any:
    return trio.run(lambda: api.call(f"shop.{name}", arguments, tool_call(key)))


def infos(api: OpenApiSource) -> dict[str, ToolInfo]:
    return {info.name: info for info in api.known() or ()}


def test_operations_are_listed_without_asking_anybody() -> None:
    found = infos(source(DOCUMENT.format(url="http://127.0.0.1:1")))
    assert list(found) == ["shop.getOrder", "shop.putOrder"]
    get, put = found.values()
    assert get.description == "Finds an order\n\nAny order at all."
    assert (get.effects, put.effects, get.source) == ("read", "write", "openapi")
    assert list(get.parameters["properties"]) == ["id", "fields", "since", "X-Trace", "tint"]
    assert get.parameters["properties"]["id"] == {"type": "string", "description": "Its number"}
    assert get.parameters["properties"]["since"] == {"type": "string", "format": "date"}
    assert (get.parameters["required"], get.parameters["additionalProperties"]) == (["id"], False)
    assert put.parameters["properties"]["body"] == {"$ref": "#/$defs/Order"}
    order, line = put.parameters["$defs"]["Order"], put.parameters["$defs"]["Line"]
    assert order["properties"]["note"]["type"] == ["string", "null"]
    assert line["properties"]["price"] == {"type": "number", "exclusiveMinimum": 0}
    assert get.returns is not None
    assert set(get.returns["$defs"]) == {"Order", "Line"}


def test_arguments_go_where_the_document_says() -> None:
    with Web(
        {"/v1/orders/a%20b%2F..": Given(body=b'{"lines": []}', headers={"content-type": "application/json"})}
    ) as web:
        api = source(DOCUMENT.format(url=web.url()), secrets={"shop_key": "s3cret"})
        arguments = {"id": "a b/..", "fields": ["x", "y z"], "since": "2026-01-01", "X-Trace": "t", "tint": "ü"}
        assert call(api, "getOrder", arguments) == {"lines": []}
        asked = web.asked[0]
    assert (asked.method, asked.path) == ("GET", "/v1/orders/a%20b%2F..?fields=x&fields=y+z&since=2026-01-01")
    assert (asked.headers["x-trace"], asked.headers["x-key"]) == ("t", "s3cret")
    assert asked.headers["cookie"] == "tint=%C3%BC"
    assert "idempotency-key" not in asked.headers


@pytest.mark.parametrize(("key", "sent"), [("order-1", "order-1"), (None, "6b" * 16), ("ü", None)])
def test_a_write_sends_its_body_and_key(key: str | None, sent: str | None) -> None:
    with Web({"/v1/orders/1": Given(204)}) as web:
        api = source(DOCUMENT.format(url=web.url()), secrets={"shop_key": "s3cret"})
        assert call(api, "putOrder", {"id": "1", "body": ORDER}, key) is None
        asked = web.asked[0]
    assert (asked.method, json.loads(asked.body), asked.headers["content-type"]) == ("PUT", ORDER, "application/json")
    assert asked.headers["idempotency-key"] == (sent or hashlib.sha256("ü".encode()).hexdigest())
    assert "x-key" not in asked.headers


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("getOrder", {}, "$.id"), ("getOrder", {"id": 1}, "$.id"), ("getOrder", {"id": ".."}, "$.id"),
        ("getOrder", {"id": "1", "X-Trace": "a\r\nX-Evil: 1"}, "$.X-Trace"), ("putOrder", {"id": "1"}, "$.body"),
        ("putOrder", {"id": "1", "body": {"lines": [{"price": 0}]}}, "$.body.lines[0].price"),
        ("getOrder", {"id": "1", "other": 1}, "$.other"),
    ],
)  # fmt: skip
def test_wrong_arguments_send_nothing(name: str, arguments: dict[str, Any], field: str) -> None:
    with Web({}) as web:
        with pytest.raises(NodeError) as caught:
            call(source(DOCUMENT.format(url=web.url())), name, arguments)
        assert (caught.value.kind, caught.value.cause) == ("invalid_input", "bad_arguments")
        assert caught.value.details["field"] == field
        assert web.asked == []


def test_a_failing_status_is_the_cause_and_says_what_the_server_said() -> None:
    with Web({"/v1/orders/1": Given(404, b"no such order")}) as web, pytest.raises(NodeError) as caught:
        call(source(DOCUMENT.format(url=web.url())), "getOrder", {"id": "1"})
    assert (caught.value.kind, caught.value.cause) == ("tool_failed", "http_404")
    assert "no such order" in caught.value.message


@pytest.mark.parametrize(
    ("media", "body", "result"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}), ("application/problem+json; charset=utf-8", b"[]", []),
        ("text/plain", b"words", "words"), ("", b"words", "words"), ("text/plain", b"", None),
    ],
)  # fmt: skip
def test_results_are_json_or_text(media: str, body: bytes, result: Any) -> None:
    headers = {"content-type": media} if media else {}
    with Web({"/v1/orders/1": Given(body=body, headers=headers)}) as web:
        assert call(source(DOCUMENT.format(url=web.url())), "getOrder", {"id": "1"}) == result


@pytest.mark.parametrize(
    ("media", "body"), [("application/json", b"<html>"), ("application/json", b"NaN"), ("image/png", b"\x89PNG")]
)
def test_what_is_neither_is_invalid_output(media: str, body: bytes) -> None:
    with (
        Web({"/v1/orders/1": Given(body=body, headers={"content-type": media})}) as web,
        pytest.raises(NodeError) as caught,
    ):
        call(source(DOCUMENT.format(url=web.url())), "getOrder", {"id": "1"})
    assert caught.value.kind == "invalid_output"


def test_only_what_is_listed_is_exposed() -> None:
    text = DOCUMENT.format(url="http://127.0.0.1:1")
    api = source(text, only=("getOrder",))
    assert list(infos(api)) == ["shop.getOrder"]
    with pytest.raises(NodeError, match=r"no tool 'shop\.putOrder'") as caught:
        call(api, "putOrder", {"id": "1", "body": ORDER})
    assert caught.value.cause == "unknown_tool"
    with pytest.raises(NodeError, match="no operation 'gone'"):
        source(text, only=("gone",)).known()


def test_a_document_at_a_url_has_to_be_what_the_graph_pins() -> None:
    with Web({}) as web:
        relative = DOCUMENT.format(url="").replace('"/{base}"', '"/{base}"')
        web.pages |= {"/openapi.yaml": Given(body=relative.encode()), "/v1/orders/1": Given(body=b"here")}
        url = web.url("/openapi.yaml")
        with pytest.raises(NodeError, match="isn't pinned") as caught:
            call(source("", document=url), "getOrder", {"id": "1"})
        pin = (caught.value.hint or "").split("write: ")[1]
        assert pin.startswith(f"{url}{PIN}")
        api = source("", document=pin)
        assert api.known() is None
        assert call(api, "getOrder", {"id": "1"}) == "here"
        assert [info.name for info in api.known() or ()] == ["shop.getOrder", "shop.putOrder"]
        web.pages["/openapi.yaml"] = Given(body=b"openapi: 3.1.0")
        assert call(api, "getOrder", {"id": "1"}) == "here"
        with pytest.raises(NodeError, match="another document"):
            call(source("", document=pin), "getOrder", {"id": "1"})


TWICE = """
openapi: 3.1.0
servers: [{ url: "http://a" }]
paths: { /a: { get: { operationId: a }, put: { operationId: a } } }
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no OpenAPI document"), ("{", "can't be read"), ("a: [", "can't be read"), ("swagger: '2.0'", "version 3"),
        ("openapi: 3.1.0\npaths: { /a: { get: { operationId: a, responses: {} } } }", "needs `servers`"),
        (TWICE, "two operations are called 'a'"),
    ],
)  # fmt: skip
def test_a_document_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(NodeError, match=r"shop\.yaml: ") as caught:
        source(text).known()
    assert said in caught.value.message
    assert caught.value.cause == "bad_document"


def test_a_secret_goes_where_its_scheme_says() -> None:
    schemes = {
        "a": {"type": "http", "scheme": "bearer"}, "b": {"type": "http", "scheme": "basic"},
        "c": {"type": "apiKey", "in": "query", "name": "key"}, "d": {"type": "apiKey", "in": "cookie", "name": "key"},
        "e": {"type": "oauth2", "flows": {}},
    }  # fmt: skip
    paths = {f"/{n}": {"get": {"operationId": n, "security": [{"absent": []}, {n: []}]}} for n in schemes}
    seen: dict[str, Asked] = {}
    with Web({f"/{n}": Given() for n in schemes}) as web:
        document = {"openapi": "3.1.0", "servers": [{"url": web.url()}], "paths": paths,
                    "components": {"securitySchemes": schemes}}  # fmt: skip
        api = source(
            json.dumps(document), secrets=dict.fromkeys(schemes, "s3 cret"), effects=dict.fromkeys(schemes, "read")
        )
        for name in schemes:
            call(api, name, {})
            seen[name] = web.asked[-1]
    assert [seen[n].headers.get("authorization") for n in "abe"] == [
        "Bearer s3 cret",
        "Basic s3 cret",
        "Bearer s3 cret",
    ]
    assert (seen["c"].path, seen["d"].headers["cookie"]) == ("/c?key=s3+cret", "key=s3 cret")
