"""The operator's hooks around a node's model calls: each an effect, so that a resume or a replay never asks it again.

A hook that raises, hangs or gives no verdict blocks the call as one that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import trio

from graphagent.calling import call, frames
from graphagent.codec import freeze, hash_value, show_digest
from graphagent.errors import CallBlocked, CodecError, NodeError
from graphagent.faults import fault
from graphagent.hooks import Allow, Block, HookContext, HookStage, Replace
from graphagent.ports import EffectCall, Hook, MadeOf, Task

KIND: Final = "hook"
LATER: Final = "hooks"
"""The key under which a journaled reply names the hooks that it has to pass."""
BLOCKED, FAILED, LATE, NO_VERDICT = "hook_blocked", "hook_failed", "hook_timeout", "hook_verdict"
"""Causes of `content_filter`: the hook says no, it raised, it took too long, it gave something else."""
SUBJECT: Final[Mapping[HookStage, str]] = {"before": "the model call", "after": "the model's message"}
EVENTS: Final[Mapping[HookStage, str]] = {"before": "PreHook", "after": "PostHook"}
ROLES: Final = ("system", "user", "assistant", "tool")
KEYS: Final = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
CALL: Final = {"id": str, "name": str, "arguments": str}
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hooked:
    """One model call of a task, on its way through the hooks. `made_of` are the sources of its prompts."""

    task: Task
    model: str
    made_of: MadeOf

    @property
    def node(self) -> str:
        """The node, of an item its map."""
        return self.task.path.partition("/")[0].partition("[")[0]

    def later(self) -> list[str]:
        """The hooks that an answer has yet to pass, so that nobody should see it before."""
        return [hook.name for hook in self.task.services.hooks("after", self.node)]

    async def before(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages that may be sent.

        Raises:
            CallBlocked: none may.
        """
        left = [hook.name for hook in self.task.services.hooks("before", self.node)]
        while (effect := self.task.foreseen(KIND, [f"before {name}" for name in left])) is not None:
            name = effect.removeprefix("before ")
            left = [other for other in left if other != name]
            given = [freeze(dict(m)) for m in messages]
            found = await self._ask("before", name, given)
            if found is not None:
                same = {id(copy): message for copy, message in zip(given, messages, strict=True)}
                messages = [same.get(id(message), message) for message in found]
        return messages

    async def after(self, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """The reply that counts: with the message that its hooks leave.

        They are those that stood there when the call was made: with others, the calls that follow would be numbered
        in another way than those that a process before this one made, and so would be made twice.

        Raises:
            CallBlocked: none does.
        """
        made = self.task.last_call
        for name in reply.get(LATER, ()):
            calls = reply.get("tool_calls")
            message = {"role": "assistant", "content": reply["text"]}
            found = await self._ask("after", name, freeze({**message, "tool_calls": calls} if calls else message))
            if found is not None:
                reply = {k: v for k, v in reply.items() if k != "tool_calls"} | {"text": found["content"]}
                if found.get("tool_calls"):
                    reply["tool_calls"] = found["tool_calls"]
        self.task.last_call = made  # whoever speaks of the reply means the model's call
        return reply

    async def _ask(self, stage: HookStage, name: str, value: Any) -> Any:
        """What takes the place of the value; None where it stays. Raises CallBlocked."""
        task, event = self.task, EVENTS[stage]
        target = show_digest(hash_value(value))
        task.emit(f"{event}Started", {"hook": name, "target_ref": target})

        def completed(verdict: str, reason: str | None, result: Any = None) -> None:
            ref = None if result is None else show_digest(hash_value(result))
            data = {"hook": name, "verdict": verdict, "reason": reason, "result_ref": ref, "call": task.last_call}
            task.emit(f"{event}Completed", data)

        async def execute(effect: EffectCall) -> Any:
            return await self._verdict(stage, name, value, effect)

        try:
            found = await task.effect(
                KIND, f"{stage} {name}", "read", {"target": target}, execute, made_of=self.made_of
            )
        except NodeError as error:
            completed("block", error.message)
            raise _as_blocked(error) from error
        result = found.get("value")
        if isinstance(result, list):
            result = [value[m] if isinstance(m, int) else m for m in result]
        completed(found["verdict"], found.get("reason"), result)
        if found["verdict"] == "block":
            hint = "say it in another way, or route it: on_error with error.kind == 'content_filter'"
            message = f"the hook {name} blocked {SUBJECT[stage]}: {found['reason']}"
            raise CallBlocked(message, cause=BLOCKED, hint=hint)
        return result

    async def _verdict(self, stage: HookStage, name: str, value: Any, effect: EffectCall) -> dict[str, Any]:
        """Call the hook, and give its verdict as the journal keeps it. Raises CallBlocked where it gives none."""
        hook = next((hook for hook in self.task.services.hooks(stage, self.node) if hook.name == name), None)
        if hook is None:
            hint = "put it back into graphagent.toml; or have the call made anew: graphagent resume"
            raise _unsure(stage, name, FAILED, "it stood there when the call was made, and is gone", hint)
        fault("effect.during")
        given: Any = None
        with trio.move_on_after(hook.timeout_s) as scope:
            given = await self._called(stage, hook, freeze(value), effect)
        if not scope.cancel_called:  # what swallowed the cancellation comes late
            try:
                found = verdict_data(stage, given, value)
            except (ValueError, CodecError) as error:
                hint = "return Allow(), Replace(value) or Block(reason) of graphagent"
                raise _unsure(stage, name, NO_VERDICT, f"its verdict can't be used: {error}", hint) from error
            return {k: self.task.services.redact(v) if k == "reason" else v for k, v in found.items()}
        hint = "make it faster, or raise its `timeout` under `hooks` in graphagent.toml"
        raise _unsure(stage, name, LATE, f"it took longer than {hook.timeout_s:g} s", hint)

    async def _called(self, stage: HookStage, hook: Hook, value: Any, effect: EffectCall) -> Any:
        context = HookContext(self.task.session, hook.graph, self.node, self.model)
        try:
            function, parameters = hook.load()
        except NodeError as error:
            hint = error.hint or "correct `hooks` in graphagent.toml"
            raise _unsure(stage, hook.name, FAILED, error.message, hint) from error
        try:
            return await call(function, dict(zip(parameters, (value, context), strict=False)), effect)
        except (Exception, SystemExit) as error:
            raise _raised(stage, hook.name, error) from error


def _as_blocked(error: NodeError) -> CallBlocked:
    """A failed hook, whether it failed now or stands so in the journal."""
    blocked = CallBlocked(error.message, kind=error.kind, cause=error.cause, retryable=error.retryable, hint=error.hint,
                          details=error.details)  # fmt: skip
    blocked.trace = error.trace
    return blocked


def _unsure(stage: HookStage, name: str, cause: str, why: str, hint: str) -> CallBlocked:
    return CallBlocked(f"the hook {name} let {SUBJECT[stage]} not pass: {why}", cause=cause, hint=hint)


def _raised(stage: HookStage, name: str, error: BaseException) -> CallBlocked:
    """What the text of an exception says may be what the hook keeps out: `details.raised` is for the operator alone."""
    raised = error.__cause__ if isinstance(error, NodeError) and error.__cause__ is not None else error
    hint = "correct the hook, or what it needs; the operator reads what it raised in the error's details"
    blocked = _unsure(stage, name, FAILED, f"it raised {type(raised).__name__}", hint)
    blocked.details = {"raised": f"{type(raised).__name__}: {raised}".removesuffix(": ")}
    blocked.trace = frames(raised)
    return blocked


def verdict_data(stage: HookStage, given: Any, value: Any) -> dict[str, Any]:
    """A verdict as plain data; of messages that take the place of others, those that stay are told by their number.

    Raises:
        ValueError: it is none.
        CodecError: its value isn't plain data.
    """
    if isinstance(given, Allow):
        return {"verdict": "allow"}
    if not isinstance(given, Block | Replace):
        raise ValueError(f"it is {type(given).__name__}, not Allow, Replace or Block")
    reason: Any = given.reason
    if isinstance(given, Block):
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError("Block needs a reason, as text")
        return {"verdict": "block", "reason": reason}
    if reason is not None and not isinstance(reason, str):
        raise ValueError("the reason of Replace isn't text")
    if stage == "after":
        return {"verdict": "replace", "reason": reason, "value": _answer(freeze(given.value))}
    messages = freeze(given.value)
    if not isinstance(messages, list) or not messages:
        raise ValueError("Replace needs a list of messages, one at least")
    for i, message in enumerate(messages):
        _check(message, f"[{i}]")
    numbers = {hash_value(m): i for i, m in enumerate(value)}
    return {"verdict": "replace", "reason": reason, "value": [numbers.get(hash_value(m), m) for m in messages]}


def _answer(message: Any) -> Any:
    _check(message, "")
    if message["role"] != "assistant" or not isinstance(message["content"], str):
        raise ValueError("Replace needs a message of role 'assistant' with text as its content")
    return message


def _check(message: Any, where: str) -> None:
    """Raise ValueError if this isn't a message that can be sent."""
    if not isinstance(message, dict):
        raise ValueError(f"the message{where} is no mapping with `role` and `content`")
    if message.get("role") not in ROLES:
        raise ValueError(f"the message{where}.role is {message.get('role')!r}, none of {', '.join(ROLES)}")
    if unknown := sorted(message.keys() - KEYS):
        raise ValueError(f"the message{where} has no key {unknown[0]!r}")
    if not isinstance(message.get("content"), str | list):
        raise ValueError(f"the message{where}.content is neither text nor a list of parts")
    if message["role"] == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise ValueError(f"the message{where} answers no call: it needs `tool_call_id`")
    calls = message.get("tool_calls", [])
    whole = isinstance(calls, list) and all(
        isinstance(c, dict) and c.keys() == CALL.keys() and all(isinstance(c[k], t) for k, t in CALL.items())
        for c in calls
    )
    if not whole or len({c["id"] for c in calls}) < len(calls):
        raise ValueError(f"the message{where}.tool_calls isn't a list of calls with `id`, `name` and `arguments`")
