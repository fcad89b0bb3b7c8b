"""What tests of tool sources share: a call as a node makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from graphagent.ids import StepId
from graphagent.ports import EffectCall, ToolCall
from graphagent.tools.bounded import BoundedSource
from graphagent.tools.functions import FunctionSource

STEP = StepId.of(b"s" * 16)


def tool_call(key: str | None = None, **more: Any) -> ToolCall:
    """A call of session `ses_1` under the key `6b6b...`."""
    return ToolCall(
        "ses_1", EffectCall(b"k" * 16, STEP), key, more.pop("progress", lambda fraction, note: None), **more
    )


def function_tool(function: Callable[..., Any], **more: Any) -> BoundedSource:
    """A function as the tool `it`."""
    effects, timeout_s = more.pop("effects", "read"), more.pop("timeout_s", 60.0)
    source = FunctionSource("it", lambda: function, effects, more.pop("about", None), timeout_s)
    return BoundedSource(source, lambda _: effects, timeout_s)


def called(function: Callable[..., Any], arguments: dict[str, Any], call: ToolCall | None = None, **more: Any) -> Any:
    """What a function gives as a tool."""

    async def main() -> Any:
        return await function_tool(function, **more).call("it", arguments, call or tool_call())

    return trio.run(main)
