"""What a code function gets as `context`: plain facts, deterministic time and chance, and calls as effects."""

from __future__ import annotations

import inspect
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from graphagent import concurrency
from graphagent.calling import call, put_artifact
from graphagent.marks import TRIO_MARK
from graphagent.ports import Content, EffectCall, Task
from graphagent.snapshot import EffectClass

PIECE = 1 << 20
"""How much of an artifact is read at once, unless more is asked for."""


class CodeContext:
    """One attempt of a code node. Everything here gives the same again on resume and in a replay."""

    def __init__(self, task: Task, node: str) -> None:
        self._task = task
        self.node, self.task = node, task.path
        self.superstep, self.attempt = task.superstep, task.attempt
        self.session, self.run = task.session, task.run
        self.random = random.Random(task.random_bytes())
        self._said = 0

    def now(self) -> datetime:
        """The recorded opening time of this attempt, UTC."""
        return self._task.now()

    def uuid(self) -> uuid.UUID:
        """Another one at each call."""
        return uuid.UUID(bytes=self._task.random_bytes(), version=4)

    async def effect(
        self, name: str, fn: Callable[..., Any], /, *args: Any, effects: EffectClass = "read", **kwargs: Any
    ) -> Any:
        """Call `fn(*args, **kwargs)` once and keep what it returned. It may be `def` or `async def`.

        Raises:
            NodeError: it raised; the failure is kept as well.
        """

        async def execute(effect: EffectCall) -> Any:
            return await call(partial(fn, args), kwargs, effect)

        request = {"args": list(args), "kwargs": kwargs}
        return await concurrency.in_trio(self._task.effect, "code", name, effects, request, execute)

    async def ask(self, prompt: str, *, options: Sequence[str] | None = None, payload: Any = None) -> Any:
        """Ask a person: `choose` with options, else `approve`. The task runs again when the answer is there."""
        return await concurrency.in_trio(self._task.ask, question(prompt, options, payload))

    async def flush(self) -> None:
        """Return when all that the session did until now is durable, in mode `pipelined` too."""
        await concurrency.in_trio(self._task.flush)

    async def save_artifact(self, name: str, data: Content | str, media_type: str) -> dict[str, Any]:
        """Keep text, bytes, an open file or pieces of bytes; gives the value of type `Artifact` to return.

        The id derives from the content, so it is the same when the body runs again.

        Raises:
            NodeError: it is too long, or there is no room.
        """
        return await put_artifact(self._task, data, media_type, name)

    async def read_artifact(self, artifact: str, offset: int = 0, limit: int = PIECE) -> bytes:
        """At most `limit` bytes of an artifact of this session's family from `offset` on; none behind its end.

        Raises:
            NodeError: there is no such artifact, or it can't be read.
        """
        return await concurrency.in_trio(self._task.read_artifact, artifact, offset, limit)

    def emit(self, name: str, data: Mapping[str, Any]) -> None:
        """An event `x.user.<name>`, committed with the superstep."""
        self._task.emit(f"x.user.{name}", dict(data))

    def say(self, text: str) -> None:
        """Show text to whoever watches; it isn't kept."""
        self._task.say(f"{self.task}-{self.attempt}", self._said, text)
        self._said += 1


class BlockingContext(CodeContext):
    """The same for a plain `def`, which runs in a worker thread: its calls block that thread."""

    def effect(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """See `CodeContext.effect`."""
        import trio

        return trio.from_thread.run(lambda: CodeContext.effect(self, name, fn, *args, **kwargs))

    def ask(self, prompt: str, **kwargs: Any) -> Any:
        """See `CodeContext.ask`."""
        import trio

        return trio.from_thread.run(lambda: CodeContext.ask(self, prompt, **kwargs))

    def save_artifact(self, name: str, data: Any, media_type: str) -> Any:
        """See `CodeContext.save_artifact`."""
        import trio

        return trio.from_thread.run(lambda: CodeContext.save_artifact(self, name, data, media_type))

    def read_artifact(self, artifact: str, offset: int = 0, limit: int = PIECE) -> Any:
        """See `CodeContext.read_artifact`."""
        import trio

        return trio.from_thread.run(lambda: CodeContext.read_artifact(self, artifact, offset, limit))

    def flush(self) -> Any:
        """See `CodeContext.flush`."""
        import trio

        return trio.from_thread.run(lambda: CodeContext.flush(self))


def context_for(function: Callable[..., Any], task: Task, node: str) -> CodeContext:
    """The context that fits how the function is written."""
    return CodeContext(task, node) if inspect.iscoroutinefunction(function) else BlockingContext(task, node)


def question(prompt: str, options: Sequence[str] | None, payload: Any) -> dict[str, Any]:
    """An interrupt as data: `choose` with options, else `approve`."""
    field = {"choice": {"enum": list(options)}} if options else {"decision": {"enum": ["approve", "reject"]}}
    schema = {
        "type": "object", "properties": {**field, "note": {"type": ["string", "null"]}}, "required": list(field),
        "additionalProperties": False,
    }  # fmt: skip
    return {
        "kind": "choose" if options else "approve", "prompt": prompt, "options": list(options) if options else None,
        "payload": payload, "assignee": None, "answer_schema": schema,
    }  # fmt: skip


def partial(fn: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
    """The function with its positional arguments; it stays recognisable as `async def`, and as trio's."""
    if inspect.iscoroutinefunction(fn):

        async def run_async(**kwargs: Any) -> Any:
            return await fn(*args, **kwargs)

        setattr(run_async, TRIO_MARK, getattr(fn, TRIO_MARK, False))
        return run_async

    def run(**kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return run
