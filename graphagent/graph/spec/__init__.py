"""What an author may write, as frozen dataclasses: `document` draws the whole, `bodies` has one class a kind,
`declarations` what stands beside the nodes, `parts` what these have in common."""

from __future__ import annotations

from graphagent.graph.spec.bodies import (
    OUT,
    AgentBody,
    Approval,
    Body,
    CodeBody,
    Delegate,
    EmitBody,
    GraphBody,
    HumanBody,
    LLMBody,
    MapBody,
    OtherBody,
    RouterBody,
    SetBody,
    ToolBody,
    UnknownBody,
    WaitBody,
)
from graphagent.graph.spec.declarations import (
    ChannelSpec,
    ClientTool,
    Defaults,
    ImportSpec,
    Limits,
    McpServer,
    ModelSpec,
    Override,
    ToolSpec,
)
from graphagent.graph.spec.document import API_VERSION, END, FAIL, SELF, GraphSpec, Metadata, NodeSpec, Spec
from graphagent.graph.spec.parts import (
    AtLeast,
    Cache,
    EffectWord,
    History,
    Join,
    Path,
    Prompt,
    RawValue,
    Retry,
    Route,
    Sandbox,
    TypeText,
    put,
    routes_data,
)

__all__ = [
    "API_VERSION", "END", "FAIL", "OUT", "SELF", "AgentBody", "Approval", "AtLeast", "Body", "Cache", "ChannelSpec",
    "ClientTool", "CodeBody", "Defaults", "Delegate", "EffectWord", "EmitBody", "GraphBody", "GraphSpec", "History",
    "HumanBody", "ImportSpec", "Join", "LLMBody", "Limits", "MapBody", "McpServer", "Metadata", "ModelSpec", "NodeSpec",
    "OtherBody", "Override", "Path", "Prompt", "RawValue", "Retry", "Route", "RouterBody", "Sandbox", "SetBody", "Spec",
    "ToolBody", "ToolSpec", "TypeText", "UnknownBody", "WaitBody", "put", "routes_data",
]  # fmt: skip
