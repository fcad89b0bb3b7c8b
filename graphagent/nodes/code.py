"""Kind `code`: calls a Python function with the arguments of `with`; what it returns is `out`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphagent.calling import call, code_failed, failure
from graphagent.codec import freeze
from graphagent.errors import NodeError
from graphagent.faults import fault
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import CodeBody
from graphagent.graph.types import TypeMismatch
from graphagent.nodes.arguments import arguments
from graphagent.nodes.code_context import context_for
from graphagent.ports import EffectCall, Finished, Task

KEY = "idempotency_key"
"""The parameter that gets the key of a write, if the function has it."""


class CodeNode:
    """A `pure` function runs inline. Any other is one effect of the node's class, unless it asks for `context`:
    then its body runs again on resume and in a replay, and its calls through the context are the effects."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, CodeBody)
        self.node, self.body = node, node.body
        self.immediate = node.effects == "pure"
        self._function: Callable[..., Any] | None = None
        self.open = False

    def function(self, task: Task) -> Callable[..., Any]:
        """The author's function, looked up at the first call."""
        if self._function is None:
            self._function = task.services.function(self.body.python)
            self.open = "context" in inspect.signature(self._function).parameters
        return self._function

    def run_now(self, task: Task) -> Finished:
        """See `ports.Node`."""
        function = self.function(task)
        try:
            out = function(**self.arguments(task))
        except SystemExit as error:
            raise code_failed(error) from error
        except Exception as error:
            raise failure(error) from error
        return Finished(out=self.check(freeze(out)))

    async def run(self, task: Task) -> Finished:
        """See `ports.Node`."""
        function, kwargs = self.function(task), self.arguments(task)
        if self.open:
            kwargs["context"] = context_for(function, task, self.node.name)
            return Finished(out=self.check(freeze(await call(function, kwargs))))

        async def execute(effect: EffectCall) -> Any:
            fault("effect.during")
            return self.check(freeze(await call(function, kwargs, effect)))

        request = {"function": self.body.python, "with": dict(kwargs)}
        name = self.body.python
        key = self.node.values.get(KEY)
        keyed = key is not None
        if key is not None and KEY in inspect.signature(function).parameters:
            kwargs[KEY] = str(key.evaluate(task.env))  # no part of the request: it may hold the run's id
        return Finished(out=await task.effect("code", name, self.node.effects, request, execute, keyed=keyed))

    def arguments(self, task: Task) -> dict[str, Any]:
        """Copies: a function may change what it gets, and nobody else sees it."""
        return {name: freeze(value) for name, value in arguments(self.node, task).items()}

    def check(self, out: Any) -> Any:
        """The value as `returns` has it."""
        if self.node.check_returns is None:
            return out
        try:
            return self.node.check_returns(out)
        except TypeMismatch as error:
            raise NodeError(f"out{error.path[1:]}: {error.message}", kind="invalid_output") from error
