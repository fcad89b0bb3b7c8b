"""The calls of one turn of an agent: each checked, approved, run in its own branch, and told to the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from graphagent.errors import CallBlocked, InDoubt, NodeError
from graphagent.graph.plan import ApprovalPlan, GraphPlan, NodePlan
from graphagent.graph.spec import AgentBody
from graphagent.nodes.approvals import decided, rule_for
from graphagent.nodes.large_results import as_text, told
from graphagent.nodes.model_calls import ModelCalls, Wanted
from graphagent.nodes.offers import GraphTool, Offer, unknown
from graphagent.nodes.spokes import Spoke
from graphagent.nodes.standard.offer import WRITTEN, StandardTool, Told
from graphagent.nodes.tool_events import CallName, Status, ToolEvents, error_view
from graphagent.ports import Task
from graphagent.snapshot import UNSET

AT_ONCE: Final = 4
ORDERED: Final = "ordered"
"""The lane of calls that run one after the other, in call order."""
ERROR_LIMIT: Final = 2_000
"""Characters of a failure that a model is told."""
FATAL: Final = frozenset({"expression", "in_doubt", "limit"})
"""Kinds of failures that are no matter of the model."""


@dataclass(frozen=True, slots=True)
class Called:
    """How one call ended. `content` is what the model reads; `args` are those that ran."""

    id: str
    name: str
    status: Status
    content: str
    args: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    error: Mapping[str, Any] | None = None
    offer: Offer | Spoke | None = None
    written: Any = UNSET

    @property
    def ends(self) -> bool:
        """Whether its arguments are the agent's answer."""
        return self.status == "ok" and isinstance(self.offer, StandardTool) and self.offer.ends

    @property
    def message(self) -> dict[str, Any]:
        """The call's result as the model is sent it."""
        return {"role": "tool", "tool_call_id": self.id, "name": self.name, "content": self.content}

    @property
    def fingerprint(self) -> tuple[Any, ...] | None:
        """What two equal failures have in common; None of a success."""
        return None if self.error is None else (self.name, self.error["kind"], self.error["cause"])


@dataclass(frozen=True, slots=True)
class Turn:
    """What the calls of one turn have in common. `said` led to them: the conversation without system text."""

    offers: Mapping[str, Offer | Spoke]
    said: Sequence[Mapping[str, Any]]
    models: list[Any]


class AgentCalls:
    """Runs the calls of one agent's turns."""

    def __init__(self, node: NodePlan, graph: GraphPlan, calls: ModelCalls | None) -> None:
        """`calls` are the models that mend what is handed to delegates."""
        assert node.agent is not None
        self.node, self.calls, self.events = node, calls, ToolEvents(node, graph)
        self.approvals: Sequence[ApprovalPlan] = node.agent.approvals
        self.limits = {"delegates": node.body.parallel_delegates if isinstance(node.body, AgentBody) else 1}

    async def run(self, task: Task, turn: Turn, wanted: Sequence[Mapping[str, str]]) -> list[Called]:
        """How all calls of a turn ended, in call order. What they write is noted in this order too."""
        slots = trio.CapacityLimiter(AT_ONCE)
        names = [call["name"] for call in wanted]
        works = [
            self._work(call, turn, slots, again=name in names[:i])
            for i, (call, name) in enumerate(zip(wanted, names, strict=True))
        ]
        limits = {**self.limits, ORDERED: 1, **{lane: 1 for lane, _ in works if lane.startswith("write:")}}
        called: list[Called] = await task.gather(works, limits)
        for one in called:
            self._write(task, one)
        return called

    def _write(self, task: Task, one: Called) -> None:
        """Note what a finished call writes. A failed or denied one writes nothing."""
        assert self.node.agent is not None
        if one.status != "ok" or one.offer is None:
            return
        if isinstance(one.offer, Spoke):
            task.write(one.offer.delegate.writes, {"out": one.result})
            return
        if isinstance(one.offer, StandardTool):
            if one.written is not UNSET:
                task.write(one.offer.writes, {WRITTEN: one.written})
            return
        writes = self.node.agent.tool_writes.get(one.offer.info.name)
        if writes:
            task.write(writes, {"args": one.args, "result": one.result})

    def _work(
        self, call: Mapping[str, str], turn: Turn, slots: trio.CapacityLimiter, *, again: bool
    ) -> tuple[str, Callable[..., Any]]:
        """The lane of a call and what is done in it. Two writes of one tool never overlap."""
        offer = turn.offers.get(call["name"])
        if isinstance(offer, Spoke):
            spoke = offer

            async def delegate(task: Task) -> Called:
                return await self._delegate(task, call, turn, spoke)

            return "delegates", delegate

        async def tool(task: Task) -> Called:
            return await self._tool(task, call, turn, offer, slots)

        if isinstance(offer, StandardTool) and offer.once and again:
            only = offer

            async def refused(task: Task) -> Called:
                return self._failed(task, call, only, {}, twice(call["name"]))

            return ORDERED, refused
        if isinstance(offer, StandardTool) and offer.ordered:
            return ORDERED, tool
        writes = offer is not None and offer.info.effects == "write"
        return (f"write:{call['name']}" if writes else "tools"), tool

    async def _tool(
        self, task: Task, call: Mapping[str, str], turn: Turn, offer: Offer | None, slots: trio.CapacityLimiter
    ) -> Called:
        try:
            if offer is None:
                raise unknown(call["name"], (name for name, o in turn.offers.items() if not isinstance(o, Spoke)))
            args = offer.check(parsed(call["arguments"]))
        except NodeError as error:
            return self._failed(task, call, None, {}, error)
        rule = rule_for(self.approvals, offer.info.name, task.env, args)
        note, approval = None, None
        if rule is not None:
            try:
                decision = await decided(task, self.node.name, offer.info, args, rule)
            except NodeError as error:
                self.events.failed(task, named(call, offer), error)
                raise
            approval = decision.kind
            if decision.kind == "reject":
                return self._denied(task, call, offer, args, decision.said)
            if decision.kind == "respond":
                return await self._done(task, call, offer, args, decision.said, "a human answered in the tool's place")
            if decision.kind == "edit":
                args = decision.args
                note = f"a human changed the arguments; these ran: {as_text(args)}"
        try:
            args = offer.check(args) if approval == "edit" else args
        except NodeError as error:
            return self._failed(task, call, offer, args, error)
        async with slots:
            self.events.started(task, named(call, offer), offer.info, args, approval)
            try:
                result = await offer.run(task, args)
            except NodeError as error:
                return self._failed(task, call, offer, args, error, ran=True)
        return await self._done(task, call, offer, args, result, note, ran=True)

    async def _delegate(self, task: Task, call: Mapping[str, str], turn: Turn, spoke: Spoke) -> Called:
        async def repair(spoke: Spoke, error: NodeError) -> Any:
            return await self._arguments_again(task, turn, spoke, error)

        try:
            given = parsed(call["arguments"], strict=False)
            args, filled_by = await spoke.filled(given, last_words(turn.said), repair)
            handoff = spoke.handoff(task, args, filled_by, turn.said)
        except NodeError as error:
            return self._failed(task, call, spoke, {}, error)
        self.events.handed(task, handoff.data(hidden=self.events.hidden))
        self.events.started(task, named(call, spoke), spoke.info, args)
        try:
            result = await spoke.run(task, handoff)
        except NodeError as error:
            return self._failed(task, call, spoke, {}, error, ran=True)
        return await self._done(task, call, spoke, args, result, None, ran=True)

    async def _arguments_again(self, task: Task, turn: Turn, spoke: Spoke, error: NodeError) -> Any:
        """What the hub's model gives when it is told what was wrong with the arguments for a spoke."""
        text = (
            f"Your call of {spoke.info.name} doesn't fit: {error.message}. Give its arguments again, only as JSON: "
            f"{spoke.info.description}"
        )
        assert self.calls is not None
        schema = spoke.info.parameters
        wanted = Wanted([*turn.said, {"role": "user", "content": text}], output=schema)
        reply = await self.calls.call(task, wanted, turn.models)
        return task.services.read_answer(reply["text"], schema, reply["finish"])

    # ---- what is told -------------------------------------------------------------------------------------------

    async def _done(
        self, task: Task, call: Mapping[str, str], offer: Offer | Spoke, args: dict[str, Any], result: Any,
        note: str | None, *, ran: bool = False,
    ) -> Called:  # fmt: skip
        written = UNSET
        if isinstance(result, Told):
            result, written = result.text, result.written
        content, result = await told(task, offer.info.name, result)
        if note is not None:
            content = f"({note})\n{content}"
        called = Called(call["id"], call["name"], "ok", content, args, result, None, offer, written)
        last = task.last_call if ran else None
        self.events.ended(task, named(call, offer), "ok", result=result, ran=last, child=ran and calls_a_child(offer))
        return called

    def _denied(self, task: Task, call: Mapping[str, str], offer: Offer, args: dict[str, Any], reason: Any) -> Called:
        content = json.dumps({"status": "denied", "reason": reason or "a human said no"}, ensure_ascii=False)
        self.events.ended(task, named(call, offer), "denied", error=rejection(reason))
        return Called(call["id"], call["name"], "denied", content, args, None, None, offer)

    def _failed(
        self, task: Task, call: Mapping[str, str], offer: Offer | Spoke | None, args: dict[str, Any], error: NodeError,
        *, ran: bool = False,
    ) -> Called:  # fmt: skip
        """A call that failed, `ran` or not. Raises what is no matter of the model."""
        last = task.last_call if ran else None
        status = self.events.failed(task, named(call, offer), error, ran=last, child=ran and calls_a_child(offer))
        if isinstance(error, InDoubt | CallBlocked) or error.kind in FATAL:
            raise error
        name, view = call["name"], error_view(error)
        return Called(call["id"], name, status, failure_text(error), args, None, view, offer)


def named(call: Mapping[str, str], offer: Offer | Spoke | None) -> CallName:
    """Which call it is: its tool as the graph calls it, or as the model did if there is none."""
    return CallName(call["name"] if offer is None else offer.info.name, call["id"])


def calls_a_child(offer: Offer | Spoke | None) -> bool:
    """Whether a call of it is a child session."""
    return isinstance(offer, Spoke | GraphTool)


def rejection(reason: Any) -> dict[str, Any]:
    """A call that a person rejected, as an error."""
    message = str(reason or "a human said no")[:500]
    return {"kind": "approval_denied", "cause": None, "message": message, "hint": None}


def twice(name: str) -> NodeError:
    """The failure of a second call in a turn of a tool that is called once at most."""
    return NodeError(
        f"{name} was called twice in one turn; the first call counts", kind="invalid_input", cause="todo_conflict",
        hint="call it once, with everything",
    )  # fmt: skip


def parsed(text: str, *, strict: bool = True) -> Any:
    """The arguments of a call as the model wrote them. None of what is no object, unless that is an error.

    Raises:
        NodeError: kind `invalid_input`, cause `bad_arguments`.
    """
    try:
        given = json.loads(text or "{}", parse_constant=_refuse)
    except (ValueError, RecursionError):
        given = None
    if isinstance(given, dict) or not strict:
        return given
    raise NodeError(
        f"the arguments are no JSON object: {text[:120]!r}", kind="invalid_input", cause="bad_arguments",
        hint="nothing was called: give the arguments as one JSON object",
    )  # fmt: skip


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def failure_text(error: NodeError) -> str:
    """A failed call as the model reads it."""
    details = error.details if isinstance(error.details, Mapping) else {}
    data = {"status": "error", "kind": error.kind, "cause": error.cause, "message": error.message, "hint": error.hint}
    for key in ("field", "expected"):
        if details.get(key) is not None:
            data[key] = details[key]
    text = as_text({k: v for k, v in data.items() if v is not None})
    if len(text) > ERROR_LIMIT:
        data = {"status": "error", "kind": error.kind, "cause": error.cause, "message": error.message[:1000],
                "hint": (error.hint or "")[:500]}  # fmt: skip
        text = as_text(data)[:ERROR_LIMIT]
    return text


def last_words(said: Sequence[Mapping[str, Any]]) -> str:
    """The last message of the conversation that holds text."""
    for message in reversed(said):
        if message["role"] != "tool" and isinstance(message.get("content"), str) and message["content"].strip():
            return str(message["content"])
    return ""
