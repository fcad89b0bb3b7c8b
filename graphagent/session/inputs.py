"""Checking what comes from outside before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.codec import freeze
from graphagent.errors import CodecError, InputInvalid
from graphagent.graph.plan import GraphPlan
from graphagent.graph.suggest import suggest
from graphagent.graph.types import TypeMismatch, describe
from graphagent.snapshot import UNSET


def check_inputs(graph: GraphPlan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with defaults filled in.

    Raises:
        InputInvalid: one is missing, unknown or of the wrong type; its path names the field.
    """
    known = [port.name for port in graph.inputs]
    for name in inputs:
        if name not in known:
            near = suggest(name, known)
            hint = f"did you mean {near!r}?" if near else f"inputs are: {', '.join(known) or 'none'}"
            raise InputInvalid(f"$.{name}", "the graph has no such input", hint=hint)
    out = {}
    for port in graph.inputs:
        if port.name in inputs:
            out[port.name] = checked(f"$.{port.name}", port.check, inputs[port.name])
        elif port.default is UNSET:
            hint = f"give it: -i {port.name}=..."
            raise InputInvalid(f"$.{port.name}", f"this input is missing ({describe(port.type)})", hint=hint)
        else:
            out[port.name] = port.default
    return out


def check_edits(graph: GraphPlan, edits: Mapping[str, Any]) -> dict[str, Any]:
    """New channel values of a fork, checked.

    Raises:
        InputInvalid: there is no such channel, or the value doesn't fit its type.
    """
    out = {}
    for name, value in edits.items():
        if name not in graph.channel_index:
            near = suggest(name, graph.channel_index)
            hint = f"did you mean {near!r}?" if near else f"channels are: {', '.join(graph.channel_index)}"
            raise InputInvalid(f"$.{name}", "the graph has no such channel", hint=hint)
        out[name] = checked(f"$.{name}", graph.channels[graph.channel_index[name]].check, value)
    return out


def checked(path: str, check: Any, value: Any) -> Any:
    """The value as its type has it, with `path` in front of where it doesn't fit."""
    try:
        return check(freeze(value, path))
    except TypeMismatch as error:
        raise InputInvalid(path + error.path[1:], error.message, hint=error.hint) from None
    except CodecError as error:
        raise InputInvalid(error.path, error.message, hint=error.hint) from None
