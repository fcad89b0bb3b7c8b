"""The tools of a plan: what each entry of `tools` stands for in this project."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from graphagent.codec import digest
from graphagent.errors import NodeError, NotRunnable, SecretMissing
from graphagent.graph.plan import Plan
from graphagent.graph.spec import SELF, McpServer, ToolSpec
from graphagent.graph.types import Field, ObjectOf, Type, json_schema, parse_decl, parse_object, parse_type
from graphagent.ports import ToolCall, ToolInfo, ToolSource
from graphagent.session.functions import Functions
from graphagent.session.secrets import Secrets
from graphagent.session.settings import Settings
from graphagent.snapshot import UNSET

if TYPE_CHECKING:
    from graphagent.tools.http import HttpPolicy
    from graphagent.tools.mcp_connection import McpCommand, McpUrl

BAD_SIGNATURE = "bad_signature"
LARGEST_DOCUMENT = 10 * 1024 * 1024


class Tools:
    """The sources of one plan, each made when it is first asked for.

    Args:
        functions: Finds functions, and the folders where documents are looked for.
    """

    def __init__(self, plan: Plan, functions: Functions, settings: Settings, secrets: Secrets) -> None:
        self.plan, self.functions, self.settings, self.secrets = plan, functions, settings, secrets
        self._sources: dict[str, ToolSource] = {}

    def source(self, name: str) -> ToolSource:
        """See `ports.TaskServices.tool_source`."""
        if name not in self._sources:
            spec = self.plan.tools.get(name)
            if spec is None:
                raise NodeError(f"the graph has no tool {name!r}", kind="invalid_input", cause="unknown_tool")
            self._sources[name] = self._open(spec)
        return self._sources[name]

    def _open(self, spec: ToolSpec) -> ToolSource:
        from graphagent.tools.bounded import TIMEOUT_S, BoundedSource

        inner: ToolSource
        if spec.python is not None:
            from graphagent.tools.functions import FunctionSource

            load = partial(self.functions.load, spec.python)
            inner = FunctionSource(spec.name, load, spec.effects_of(spec.name), spec.about, TIMEOUT_S)
        elif spec.openapi is not None:
            from graphagent.tools.http import HttpClient
            from graphagent.tools.openapi import OpenApiSource

            inner = OpenApiSource(
                spec.name, spec.openapi, HttpClient(self._policy()), self._read, spec.effects_of, self._secret,
                spec.only, TIMEOUT_S,
            )  # fmt: skip
        elif spec.mcp is not None:
            from graphagent.tools.mcp import McpSource

            place = partial(self._place, spec.name, spec.mcp)
            inner = McpSource(spec.name, place, self._policy(), spec.effects_of, spec.only, TIMEOUT_S)
        else:
            return DeclaredSource(declared(spec, self.plan, TIMEOUT_S))
        return BoundedSource(inner, lambda name: spec.effects_of(name.removeprefix(f"{spec.name}.")), TIMEOUT_S)

    def _place(self, name: str, server: McpServer) -> McpCommand | McpUrl:
        """Where an MCP server is, with the secrets that it is given."""
        from graphagent.tools.mcp_connection import McpCommand, McpUrl

        try:
            if server.url is not None:
                return McpUrl(self._filled(server.url), {k: self._filled(v) for k, v in server.headers.items()})
            if tuple(server.command) not in self.settings.tools.allow_commands:
                line = shlex.join(server.command)
                hint = f"the operator allows it in graphagent.toml: [tools] allow_commands = [{line!r}]"
                message = f"the command of the MCP server {name!r} isn't allowed: {line}"
                raise NodeError(message, kind="invalid_input", cause="command_refused", hint=hint)
            env = {key: self._filled(value) for key, value in server.env.items()}
            return McpCommand(tuple(server.command), env, self.settings.root)
        except SecretMissing as error:
            raise NodeError(error.message, kind="auth", hint=error.hint) from error

    def _filled(self, raw: Any) -> str:
        return str(self.secrets.fill(raw, self.plan.secrets))

    def _policy(self) -> HttpPolicy:
        from graphagent.tools.http import HttpPolicy

        return HttpPolicy(self.settings.tools.allow_hosts, self.settings.tools.allow_private)

    def _read(self, path: str) -> bytes:
        """The bytes of a document of the project."""
        for root in self.functions.roots:
            file = (root / path).resolve()
            if file.is_relative_to(root) and file.is_file() and file.stat().st_size <= LARGEST_DOCUMENT:
                return file.read_bytes()
        hint = f"looked in: {', '.join(map(str, self.functions.roots))}"
        message = f"there is no document {path!r} in the project, or it is too large"
        raise NodeError(message, kind="invalid_input", cause="bad_document", hint=hint)

    def fingerprint(self, document: str) -> bytes:
        """A hash of an OpenAPI document: of its bytes, or of the URL, which names their hash."""
        try:
            return digest(document.encode() if "://" in document else self._read(document))
        except NodeError:
            return digest(b"")  # the call says what is wrong

    def _secret(self, name: str) -> str | None:
        """A secret that the graph declares."""
        if name not in self.plan.secrets:
            return None
        try:
            return self.secrets.get(name)
        except SecretMissing as error:
            raise NodeError(error.message, kind="auth", hint=error.hint) from error

    def check(self) -> None:
        """Refuse a function that can't be a tool. One that isn't there fails when it is called.

        Raises:
            NotRunnable: it names the parameter.
        """
        for name, spec in self.plan.tools.items():
            if spec.python is None:
                continue
            try:
                self.source(name).known()
            except NodeError as error:
                if error.cause == BAD_SIGNATURE:
                    raise NotRunnable(error.message, hint=error.hint) from error

    async def close(self, session: str) -> None:
        """Let go of what is open for a session."""
        for source in self._sources.values():
            await source.close(session)


class DeclaredSource:
    """`ports.ToolSource` of a graph or a client tool: nodes run them as child sessions and questions of their own."""

    def __init__(self, info: ToolInfo) -> None:
        self.info = info

    def known(self) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        return (self.info,)

    def check(self, info: ToolInfo, arguments: Mapping[str, Any]) -> None:
        """Never asked."""
        raise TypeError(f"{info.name!r} is run by its node")

    async def list(self, session: str) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        return (self.info,)

    async def call(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        """Never called."""
        raise TypeError(f"{name!r} is run by its node")

    async def close(self, session: str) -> None:
        """See `ports.ToolSource`; nothing is ever open."""


def declared(spec: ToolSpec, plan: Plan, timeout_s: float) -> ToolInfo:
    """A graph or a client tool as a tool."""
    if spec.client is not None:
        params = {
            name: (parse_object(text, plan.types), UNSET) if isinstance(text, Mapping) else parse_decl(text, plan.types)
            for name, text in spec.client.params.items()
        }
        returns = spec.client.returns
        kind = parse_object(returns, plan.types) if isinstance(returns, Mapping) else parse_type(returns, plan.types)
        return ToolInfo(
            spec.name, "client", spec.about or "", _object(params), json_schema(kind), "read", timeout_s
        )  # fmt: skip
    graph = plan.graphs["" if spec.graph in (SELF, None) else str(spec.graph)]
    inputs = {port.name: (port.type, port.default) for port in graph.inputs}
    outputs = {port.name: (port.type, UNSET) for port in graph.outputs}
    return ToolInfo(spec.name, "graph", spec.about or "", _object(inputs), _object(outputs), "read", timeout_s)


def _object(fields: Mapping[str, tuple[Type, Any]]) -> dict[str, Any]:
    return json_schema(ObjectOf(tuple(Field(name, kind, default) for name, (kind, default) in fields.items())))
