"""Results that are reused across runs: looked up when a task begins, kept with the barrier that committed them.

A hit is an effect of kind `cache` in the journal, so a replay and a resume see what the run saw. A task that made a
call already has missed, and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.codec import decode, digest, encode, freeze
from graphagent.engine.context import TaskContext
from graphagent.engine.journal import request_hash
from graphagent.engine.results import TaskResult
from graphagent.frozen import dataclass
from graphagent.graph.plan import CachePlan
from graphagent.ports import Finished
from graphagent.snapshot import CachedResult, EffectRow, EffectState

KIND = "cache"
NO_USAGE: Mapping[str, Any] = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}


@dataclass(frozen=True, slots=True)
class Reuse:
    """A task's key: the author's value, and what it is in the store."""

    value: Any
    key: bytes

    @classmethod
    def of(cls, cache: CachePlan, context: TaskContext) -> Reuse:
        """Raises EvaluationError."""
        value = cache.key.evaluate(context.env)
        return cls(value, digest(cache.spec + context.services.identity(context.node) + encode(freeze(value))))


async def reused(context: TaskContext, reuse: Reuse) -> Finished | None:
    """What an equal task left behind earlier, if it is known."""
    step, name = context.step, context.node.name
    hashed = request_hash(KIND, name, "read", reuse.value)
    row = step.journal.find(context.superstep, context.path, context.attempt, 0)
    if row is not None:
        if row.kind != KIND:
            return None
        context.compare(row, KIND, name, hashed, reuse.value)
        step.journal.replayed += 1
        return _finished(context, decode(row.outcome or b"null"))
    if step.replaying:
        return None
    await step.journal.settle()  # what the superstep before left is known only when it is stored
    data = await step.journal.store.cached(reuse.key)
    if data is None:
        return None
    now = step.clock.now_us()
    step.journal.record(
        EffectRow(
            context.superstep, context.path, context.attempt, 0, KIND, name, "read", EffectState.DONE, hashed,
            outcome=data, started_at=now, ended_at=now,
        )
    )  # fmt: skip
    step.journal.recorded += 1
    return _finished(context, decode(data))


def keep(context: TaskContext, cache: CachePlan, reuse: Reuse, result: TaskResult) -> None:
    """Note a result for later tasks; it is stored when this superstep is committed."""
    row = context.step.journal.find(context.superstep, context.path, context.attempt, 0)
    if result.scope.get("errors") or context.step.replaying or (row is not None and row.kind == KIND):
        return
    if result.artifacts:
        return  # another family can't read them
    left: dict[str, Any] = {"scope": result.scope}
    if result.history is not None:
        index, messages = result.history
        left["history"] = [index, [{k: v for k, v in message.items() if k != "id"} for message in messages]]
    if result.own:
        left["own"] = [list(write) for write in result.own]
    expires = None if cache.ttl_us is None else context.step.clock.now_us() + cache.ttl_us
    context.step.results.append(CachedResult(reuse.key, encode(freeze(left)), expires))


def _finished(context: TaskContext, left: Mapping[str, Any]) -> Finished:
    """Nothing was used; messages that go to a history get ids of their own."""
    context.written += [(write[0], write[1]) for write in left.get("own", ())]
    scope = {k: dict(NO_USAGE) if k == "usage" else v for k, v in left["scope"].items()}
    history = None
    if "history" in left:
        index, messages = left["history"]
        history = index, [{"id": context.message_id(i), **message} for i, message in enumerate(messages)]
    return Finished(known=scope, history=history)
