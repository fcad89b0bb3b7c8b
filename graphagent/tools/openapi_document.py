"""Reading an OpenAPI document (3.0 and 3.1): its operations, each as one JSON Schema and a recipe for the request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import yaml

from graphagent.errors import NodeError
from graphagent.tools.arguments import target

METHODS: Final = ("get", "put", "post", "delete", "patch")
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
BODY: Final = "body"
_IGNORED_HEADERS: Final = frozenset({"accept", "content-type", "authorization"})
"""Source: OpenAPI 3.1, Parameter Object: parameters of these names are ignored."""
_SCHEMAS: Final = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where an argument goes. `key` is its name there; several values of a query are repeated if it `explode`s."""

    place: str
    key: str
    explode: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        parameters: By the name of the argument; the body is none of them.
        body: The media type of the body; None if it takes none.
        security: The alternatives, each with the schemes that it needs together.
        returns: The schema of a good answer; None if nobody says.
    """

    name: str
    method: str
    server: str
    path: str
    description: str
    schema: Mapping[str, Any]
    parameters: Mapping[str, Parameter]
    body: str | None
    security: tuple[tuple[str, ...], ...]
    returns: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ApiDocument:
    """The operations that have a name, and the security schemes."""

    operations: Mapping[str, Operation]
    schemes: Mapping[str, Mapping[str, Any]]


class _Loader(yaml.SafeLoader):
    """Times stay text, as they are in JSON."""


_Loader.yaml_constructors = {
    **yaml.SafeLoader.yaml_constructors,
    "tag:yaml.org,2002:timestamp": yaml.SafeLoader.yaml_constructors["tag:yaml.org,2002:str"],
}


def read_document(data: bytes, where: str) -> ApiDocument:
    """The operations of a document.

    Args:
        where: Its path or URL, to which the URL of its server may be relative.

    Raises:
        NodeError: it isn't an OpenAPI document of version 3, or two operations have one name.
    """
    try:
        tree = json.loads(data) if data.lstrip()[:1] == b"{" else yaml.load(data, _Loader)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise _invalid(where, f"it can't be read: {str(error)[:200]}") from error
    if not isinstance(tree, dict) or not str(tree.get("openapi", "")).startswith("3."):
        raise _invalid(where, "it is no OpenAPI document of version 3")
    operations: dict[str, Operation] = {}
    for operation in _Reader(tree, where).operations():
        if operation.name in operations:
            raise _invalid(where, f"two operations are called {operation.name!r}")
        operations[operation.name] = operation
    schemes = _mapping(_mapping(tree.get("components")).get("securitySchemes"))
    return ApiDocument(operations, {name: target(tree, _mapping(scheme)) for name, scheme in schemes.items()})


class _Reader:
    """Reads the operations of one document."""

    def __init__(self, tree: Mapping[str, Any], where: str) -> None:
        self.tree, self.where = tree, where

    def operations(self) -> Iterator[Operation]:
        for path, shared in _mapping(self.tree.get("paths")).items():
            item = target(self.tree, _mapping(shared))
            for method in METHODS:
                operation = item.get(method)
                if isinstance(operation, Mapping) and NAME.fullmatch(str(operation.get("operationId", ""))):
                    yield self.operation(str(path), method, item, operation)

    def operation(self, path: str, method: str, item: Mapping[str, Any], given: Mapping[str, Any]) -> Operation:
        properties: dict[str, Any] = {}
        required: list[str] = []
        parameters: dict[str, Parameter] = {}
        for found in self.parameters(item, given):
            place, key = str(found.get("in")), str(found.get("name"))
            if place == "header" and key.lower() in _IGNORED_HEADERS:
                continue
            name = key if key not in parameters and key != BODY else f"{key}_{place}"
            parameters[name] = Parameter(place, key, bool(found.get("explode", True)))
            described = {"description": str(found["description"])} if found.get("description") else {}
            properties[name] = {**self.schema(_of_content(found)), **described}
            if found.get("required") or place == "path":
                required.append(name)
        body = target(self.tree, _mapping(given.get("requestBody")))
        media = _json_type(_mapping(body.get("content")))
        if media is not None:
            properties[BODY] = self.schema(_mapping(body["content"][media]).get("schema", {}))
            required += [BODY] if body.get("required") else []
        return Operation(
            str(given["operationId"]), method.upper(), self.server(given, item), path, _description(given),
            self.whole({"type": "object", "properties": properties, "required": required}), parameters, media,
            tuple(tuple(_mapping(one)) for one in given.get("security", self.tree.get("security", ())) or ()),
            self.returns(given),
        )  # fmt: skip

    def parameters(self, item: Mapping[str, Any], given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Those of the path and of the operation, which replace those of equal name and place."""
        found: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        for one in [*(item.get("parameters") or ()), *(given.get("parameters") or ())]:
            parameter = target(self.tree, _mapping(one))
            found[parameter.get("name"), parameter.get("in")] = parameter
        return list(found.values())

    def returns(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The schema of the first good answer that has one."""
        for status, answer in sorted(_mapping(given.get("responses")).items(), key=lambda pair: str(pair[0])):
            content = _mapping(target(self.tree, _mapping(answer)).get("content"))
            media = _json_type(content)
            if str(status).startswith("2") and media is not None and "schema" in _mapping(content[media]):
                return self.whole(self.schema(content[media]["schema"]), open=True)
        return None

    def server(self, *parts: Mapping[str, Any]) -> str:
        """The URL below which the paths are: of the operation, else of its path, else of the document."""
        servers = next((part["servers"] for part in (*parts, self.tree) if part.get("servers")), [{"url": "/"}])
        first = _mapping(servers[0])
        url = str(first.get("url", "/"))
        for name, variable in _mapping(first.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(_mapping(variable).get("default", "")))
        url = urljoin(self.where, url) if "://" in self.where else url
        if not url.startswith(("http://", "https://")):
            raise _invalid(self.where, f"its server {url!r} is no URL: a file needs `servers` with a whole one")
        return url.rstrip("/")

    def schema(self, found: Any) -> Any:
        """A schema as JSON Schema has it; definitions are referred to where `whole` puts them."""
        if isinstance(found, list):
            return [self.schema(item) for item in found]
        if not isinstance(found, Mapping):
            return found
        out: dict[str, Any] = {}
        for key, value in found.items():
            if key in ("example", "examples", "discriminator", "xml", "externalDocs", "nullable", "deprecated"):
                continue
            out[str(key)] = value if key in ("enum", "const", "default") else self.schema(value)
        if isinstance(out.get("$ref"), str):
            out["$ref"] = out["$ref"].replace(_SCHEMAS, "#/$defs/")
        if found.get("nullable") is True and isinstance(out.get("type"), str):
            out["type"] = [out["type"], "null"]
        for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(out.get(exclusive), bool):  # version 3.0 marks the other one
                strictly = out.pop(exclusive)
                if strictly and limit in out:
                    out[exclusive] = out.pop(limit)
        return out

    def whole(self, schema: dict[str, Any], *, open: bool = False) -> dict[str, Any]:
        """The schema with all definitions that it needs, and closed unless it describes an answer."""
        definitions: dict[str, Any] = {}
        waiting = [schema]
        components = _mapping(_mapping(self.tree.get("components")).get("schemas"))
        while waiting:
            for name in _referred(waiting.pop()):
                if name not in definitions and name in components:
                    definitions[name] = self.schema(components[name])
                    waiting.append(definitions[name])
        out = {**schema, **({"$defs": definitions} if definitions else {})}
        return out if open else {**out, "additionalProperties": False}


def _of_content(parameter: Mapping[str, Any]) -> Any:
    """The schema of a parameter, which may stand under its media type."""
    for media in _mapping(parameter.get("content")).values():
        return _mapping(media).get("schema", {})
    return parameter.get("schema", {})


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            yield reference.removeprefix("#/$defs/")
        for value in schema.values():
            yield from _referred(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _referred(item)


def _json_type(content: Mapping[str, Any]) -> str | None:
    """The media type of JSON among those that are offered."""
    for media in content:
        plain = str(media).partition(";")[0].strip().lower()
        if plain in ("application/json", "*/*") or plain.endswith("+json"):
            return str(media)
    return None


def _description(given: Mapping[str, Any]) -> str:
    parts = (" ".join(str(given.get(key) or "").split()) for key in ("summary", "description"))
    return "\n\n".join(part for part in parts if part)[:2000]


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _invalid(where: str, message: str) -> NodeError:
    return NodeError(f"{where}: {message}", kind="invalid_input", cause="bad_document")
