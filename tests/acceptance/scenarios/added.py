"""Node kinds as somebody else might write them, for tests: what they do is set from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from graphagent.graph.keys import Key
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.ports import EffectCall, Finished, Task


class Awaited:
    """Calls `act` and leaves what that returns."""

    KEYS: ClassVar[dict[str, Key]] = {}
    OUT = "list[str]"
    immediate = False
    act: ClassVar[Callable[[], Any]]
    bind: ClassVar[Callable[[], Any]] = staticmethod(lambda: None)

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        type(self).bind()

    def run_now(self, task: Task) -> Any:
        return type(self).act()

    async def run(self, task: Task) -> Any:
        return type(self).act()


class Immediate(Awaited):
    """The same without a wait."""

    immediate = True


class Outless(Awaited):
    """Has no `out`."""

    OUT = None  # type: ignore[assignment]


class Effectful(Awaited):
    """Its call of `act` is an effect; what is in `out` is the result."""

    async def run(self, task: Task) -> Any:
        async def execute(effect: EffectCall) -> Any:
            return type(self).act().out

        return Finished(out=await task.effect("code", "act", "read", {}, execute))


KINDS = {name: f"{__name__}:{name.title()}" for name in ("awaited", "immediate", "outless", "effectful")}
