"""What a document declares beside its nodes: metadata, imports, types, models, tools, prompts, channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphagent.graph import keys, spec
from graphagent.graph.document import Mapping, Node, Scalar
from graphagent.graph.node_reader import NodeReader
from graphagent.graph.reader import BROKEN
from graphagent.graph.spec import Path


class DeclarationReader(NodeReader):
    """Reads what stands in the sections of a document."""

    def read_metadata(self, node: Node, path: Path) -> Any:
        return self.build(spec.Metadata, node, path, keys.METADATA, "metadata")

    def read_types(self, node: Node, path: Path) -> Any:
        out = {}
        for name, _, value, at in self.items(node, path, "names to object types"):
            fields = self.read_object(value, at)
            if fields is not BROKEN:
                out[name] = fields
        return out

    def read_imports(self, node: Node, path: Path) -> Any:
        out = {}
        for name, _, value, at in self.items(node, path, "names to files"):
            if isinstance(value, Scalar):
                source = self.read_import_path(value, at)
                found = BROKEN if source is BROKEN else spec.ImportSpec(name, source, path=at)
            else:
                found = self.build(spec.ImportSpec, value, at, keys.IMPORT, "import", name=name)
            if found is not BROKEN:
                out[name] = found
        return out

    def read_override(self, node: Node, path: Path) -> Any:
        found = self.fields(node, path, keys.OVERRIDE, "override")
        return BROKEN if found is None else spec.Override(**found)

    def read_secrets(self, node: Node, path: Path) -> Any:
        names = self.read_names(node, path)
        return BROKEN if names is BROKEN else self.without_repeats(names, node, path)

    def read_models(self, node: Node, path: Path) -> Any:
        out = {}
        for name, _, value, at in self.items(node, path, "names to models"):
            if isinstance(value, Scalar):
                use = self.read_provider_model(value, at)
                out[name] = spec.ModelSpec(name, "" if use is BROKEN else use, path=at)
                continue
            model = self.build(spec.ModelSpec, value, at, keys.MODEL, "model", name=name)
            out[name] = spec.ModelSpec(name, "", path=at) if model is BROKEN else model
        return out

    def read_tools(self, node: Node, path: Path) -> Any:
        """name -> tool. One that can't be read is kept without a source, so that its uses give no further errors."""
        out = {}
        for name, key, value, at in self.items(node, path, "names to tools"):
            found = self.build(spec.ToolSpec, value, at, keys.TOOL, "tool", name=name)
            if found is BROKEN or not isinstance(value, Mapping):
                out[name] = spec.ToolSpec(name, path=at)
                continue
            given = [source for source in keys.TOOL_SOURCES if source in value.items]
            if len(given) != 1:
                listed = ", ".join(f"`{source}`" for source in keys.TOOL_SOURCES)
                span = value.items[given[1]][0].span if given else key.span
                self.report("GA005", f"exactly one of {listed} is needed", span, at, label="in this tool")
                found = spec.ToolSpec(name, path=at)
            out[name] = found
        return out

    def read_mcp(self, node: Node, path: Path) -> Any:
        found = self.fields(node, path, keys.MCP, "server")
        if found is None:
            return BROKEN
        if ("command" in found) == ("url" in found):
            return self.report("GA005", "exactly one of `command` and `url` is needed", node.span, path)
        for key, home in (("env", "command"), ("headers", "url")):
            if key in found and home not in found:
                self.report("GA004", f"`{key}` needs `{home}`", self.document.key_span((*path, key)), (*path, key))
        return spec.McpServer(**found)

    def read_client(self, node: Node, path: Path) -> Any:
        found = self.fields(node, path, keys.CLIENT, "client tool")
        return BROKEN if found is None else spec.ClientTool(**found)

    def read_effects(self, node: Node, path: Path) -> Any:
        """A class, or a mapping from the tools of a server to classes."""
        classes = ("pure", "read", "write")
        if not isinstance(node, Mapping):
            return self.read_choice(node, path, classes)
        found = {name: self.read_choice(value, (*path, name), classes) for name, (_, value) in node.items.items()}
        return BROKEN if BROKEN in found.values() else found

    def read_prompts(self, node: Node, path: Path, where: str = "prompts") -> Any:
        out = {}
        for name, _, value, at in self.items(node, path, "names to prompts"):
            found = self.prompt(value, at, where=where)
            out[name] = spec.Prompt(text="", path=at) if found is BROKEN else found
        return out

    def read_blocks(self, node: Node, path: Path) -> Any:
        if not isinstance(node, Mapping):
            return self.wrong(node, path, "a mapping from blocks to templates")
        found = {
            name: self.read_text(value, at) for name, _, value, at in self.items(node, path, "blocks to templates")
        }
        return {name: text for name, text in found.items() if text is not BROKEN}

    def read_channels(self, node: Node, path: Path) -> Any:
        return {name: self.channel(name, value, at) for name, _, value, at in self.items(node, path, "names to types")}

    def channel(self, name: str, node: Node, path: Path) -> spec.ChannelSpec:
        """A channel; one that can't be read has the type `any`, so that its uses give no further errors."""
        broken = spec.ChannelSpec(name, "any", path=path)
        if not isinstance(node, Mapping):
            text = self.type_text(node, path)
            return broken if text is BROKEN else spec.ChannelSpec(name, text, path=path)
        if "type" not in node.items and not set(node.items) & set(keys.CHANNEL):
            help = "an object type gets a name under `types`, and the channel takes that name"
            self.report("GA005", "the key `type` is missing", node.span, path, label="in this channel", help=help)
            return broken
        channel = self.build(spec.ChannelSpec, node, path, keys.CHANNEL, "channel", name=name,
                             has_default="default" in node.items)  # fmt: skip
        if channel is BROKEN:
            return broken
        return replace(channel, has_default=False) if (*path, "default") in self.broken else channel

    def read_defaults(self, node: Node, path: Path) -> Any:
        return self.build(spec.Defaults, node, path, keys.DEFAULTS, "defaults")

    def read_limits(self, node: Node, path: Path) -> Any:
        return self.build(spec.Limits, node, path, keys.LIMITS, "limits")

    def read_graphs(self, node: Node, path: Path) -> Any:
        out = {}
        for name, key, value, at in self.items(node, path, "names to graphs"):
            found = self.fields(value, at, keys.GRAPH, "graph", key.span)
            if found is not None:
                out[name] = spec.GraphSpec(name=name, path=at, **found)
            else:
                out[name] = spec.GraphSpec(name=name, path=at, start=(), nodes={})
        return out
