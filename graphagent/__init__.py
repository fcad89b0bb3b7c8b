"""Agent graphs written in YAML, run in supersteps, with a checkpoint of every one to replay and fork.

    import graphagent as ga

    graph = ga.load("graphs/summarize.graph.yaml")
    result = graph.run(text=...)
    print(result.outputs["summary"])

Importing this package imports nothing heavy: every name below is loaded when it is first used.
"""

# Layers; imports point downwards only, and names on one line never import each other:
#
#   cli | server | testing
#   session | cluster
#   engine | nodes | stores | llm | tools | prompts | memory | sandbox | artifacts | telemetry | drawing
#   graph
#   channels
#   registry
#   ports
#   events | messages | snapshot
#   calling | codec
#   ids | faults | concurrency | frozen | hooks | marks
#   errors

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphagent.errors import (
        ArchiveInvalid,
        CallBlocked,
        CodecError,
        Conflict,
        EffectOrder,
        Fenced,
        ForkOpenWrite,
        GraphAgentError,
        GraphInvalid,
        InDoubt,
        InputInvalid,
        InterruptAnswered,
        InterruptExpired,
        LoopRunning,
        MissingExtra,
        ModelError,
        NodeError,
        NotFound,
        NotRunnable,
        OutputTooLarge,
        ReplayDivergence,
        ReplayFloor,
        RunCancelled,
        RunError,
        RunFailed,
        RunLimited,
        RunWaiting,
        SchemaMismatch,
        SchemaTooNew,
        SecretMissing,
        SessionBusy,
        SessionPoisoned,
        StoreCorrupt,
        StoreError,
        StoreFull,
        StoreReadonly,
        StoreReplaced,
        StoreUnavailable,
        Timeout,
        ToolFailed,
        ToolRetry,
    )
    from graphagent.graph.builder import X, channel, end, fail, file, route, use
    from graphagent.hooks import Allow, Block, HookContext, Replace
    from graphagent.marks import reducer, trio_node, upcaster
    from graphagent.session.graph import Graph, load, loads, validate
    from graphagent.session.operations import Options as RunOptions
    from graphagent.session.project import Project
    from graphagent.session.session import Result, Session
    from graphagent.session.stream import Stream
    from graphagent.tools.context import ToolContext

__version__ = "0.1.0"

__all__ = [
    "Allow",
    "ArchiveInvalid",
    "Block",
    "CallBlocked",
    "CodecError",
    "Conflict",
    "EffectOrder",
    "Fenced",
    "ForkOpenWrite",
    "Graph",
    "GraphAgentError",
    "GraphInvalid",
    "HookContext",
    "InDoubt",
    "InputInvalid",
    "InterruptAnswered",
    "InterruptExpired",
    "LoopRunning",
    "MissingExtra",
    "ModelError",
    "NodeError",
    "NotFound",
    "NotRunnable",
    "OutputTooLarge",
    "Project",
    "Replace",
    "ReplayDivergence",
    "ReplayFloor",
    "Result",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunLimited",
    "RunOptions",
    "RunWaiting",
    "SchemaMismatch",
    "SchemaTooNew",
    "SecretMissing",
    "Session",
    "SessionBusy",
    "SessionPoisoned",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreReadonly",
    "StoreReplaced",
    "StoreUnavailable",
    "Stream",
    "Timeout",
    "ToolContext",
    "ToolFailed",
    "ToolRetry",
    "X",
    "channel",
    "end",
    "fail",
    "file",
    "load",
    "loads",
    "reducer",
    "route",
    "trio_node",
    "upcaster",
    "use",
    "validate",
]

_HOMES = {
    "graph.builder": ("X", "channel", "end", "fail", "file", "route", "use"),
    "hooks": ("Allow", "Block", "HookContext", "Replace"),
    "marks": ("reducer", "trio_node", "upcaster"),
    "session.graph": ("Graph", "load", "loads", "validate"),
    "session.operations": ("RunOptions",),
    "session.project": ("Project",),
    "session.session": ("Result", "Session"),
    "session.stream": ("Stream",),
    "tools.context": ("ToolContext",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_ELSEWHERE = {"RunOptions": "Options"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'graphagent' has no attribute {name!r}")
    module = import_module(f"graphagent.{_HOME.get(name, 'errors')}")
    value = getattr(module, _ELSEWHERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
