"""Running tasks: attempts, timeouts, retries, and the result that the pure core merges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import trio

from graphagent.codec import decode
from graphagent.concurrency import lone_nursery
from graphagent.engine.artifacts import left_by, note, rows_data
from graphagent.engine.caching import Reuse, keep, reused
from graphagent.engine.context import TaskContext
from graphagent.engine.doubt import takes_doubt
from graphagent.engine.emitted import EVENTS, Said, of_item, rows_of, said_in
from graphagent.engine.environment import with_scope
from graphagent.engine.failures import evaluation_error, node_error, record, view
from graphagent.engine.journal import task_row
from graphagent.engine.results import TaskResult
from graphagent.engine.step import Step
from graphagent.engine.superstep import evaluate_writes
from graphagent.engine.waiting import Held, Limited
from graphagent.errors import CodecError, EffectOrder, InDoubt, NodeError, Timeout
from graphagent.faults import fault
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import NodePlan, RetryPlan
from graphagent.graph.types import TypeMismatch
from graphagent.ids import InterruptId, digest128
from graphagent.ports import Finished, ItemEnd, Node, Parked
from graphagent.snapshot import EffectRow, EffectState, Token, Waiting


async def run_tasks(step: Step, tokens: tuple[Token, ...]) -> list[TaskResult]:
    """The results of all due tasks, in plan order. A lone task is awaited in place."""
    step.run_item = run_item
    if len(tokens) == 1:
        token = tokens[0]
        return [run_immediate(step, token) if _immediate(step, token) else await run_token(step, token)]
    results: list[TaskResult | None] = [None] * len(tokens)
    later = []
    for i, token in enumerate(tokens):
        if _immediate(step, token):
            results[i] = run_immediate(step, token)
        else:
            later.append((i, token))
    if len(later) == 1:
        results[later[0][0]] = await run_token(step, later[0][1])
    elif later:

        async def run_one(i: int, token: Token) -> None:
            results[i] = await run_token(step, token)

        async with lone_nursery() as nursery:
            for i, token in later:
                nursery.start_soon(run_one, i, token)
    return [r for r in results if r is not None]


def task_env(step: Step, token: Token) -> Mapping[str, Any]:
    """What the expressions of the token's node see before it runs."""
    return step.env if token.error is None else {**step.env, "error": token.error}


def _immediate(step: Step, token: Token) -> bool:
    return step.kinds[token.node].immediate or token.failure is not None


def run_immediate(step: Step, token: Token) -> TaskResult:
    """Run a kind that only computes. There is nothing to time, to retry or to journal but a failure."""
    if token.failure is not None:
        return unsatisfied(step, token)
    node, kind = step.graph.nodes[token.node], step.kinds[token.node]
    attempt, before = step.journal.next_attempt(step.superstep, node.name) if step.journal.rows else (0, None)
    if before is not None and attempt != step.resumed.get(node.name, 0):
        attempt -= 1  # it failed for good; a replay computes that again
        if not step.replaying:
            return _stored_failure(step, node.name, token, attempt, before)
    context = TaskContext(step, node, node.name, attempt, task_env(step, token), token.placed)
    context.error, context.answer = token.error, token.answer
    started = step.clock.now_us()
    step.show("x.task.started", node.name, attempt, {})
    try:
        outcome = kind.run_now(context)
        if isinstance(outcome, Parked):
            return parked(context, token, outcome)
        return finished(context, token, outcome, started)
    except (NodeError, EvaluationError, TypeMismatch, CodecError) as error:
        result = failed(context, token, error, started)
        keep_failure(context, result)
        return result


async def run_token(step: Step, token: Token) -> TaskResult:
    """Run the task of one token to its end, over as many attempts as its policy gives."""
    node = step.graph.nodes[token.node]
    return await _attempts(step, node, node.name, task_env(step, token), token, step.resumed.get(node.name, 0))


async def run_item(parent: TaskContext, index: int, env: Mapping[str, Any]) -> ItemEnd:
    """Run one item of a map as a task of its own; its path is `node[index]`."""
    step, node = parent.step, parent.node.item
    assert node is not None
    path, token = f"{parent.node.name}[{index}]", Token(parent.node.index, parent.born)
    try:
        result = await _attempts(step, node, path, env, token, max(step.resumed.get(path, 0), _spent(parent, path)))
    except trio.Cancelled:
        if path in step.abandoned:
            parent.items[index] = of_item(step.abandoned.pop(path), index)
        raise
    if result.events:
        parent.items[index] = of_item(result.events, index)
    for artifact in result.artifacts:
        parent.note_artifact(artifact)
    if result.status == "done":
        return ItemEnd(scope=result.scope)
    return ItemEnd(error=result.error) if result.status == "failed" else ItemEnd()


def _spent(parent: TaskContext, path: str) -> int:
    """How many attempts of an item belong to earlier attempts of its map: a retry of the map gives it new ones."""
    count = 0
    if parent.failed is not None:
        find, before = parent.step.journal.find, parent.failed.ended_at or 0
        while (row := find(parent.superstep, path, count, -1)) and row.state is EffectState.FAILED:
            if (row.ended_at or 0) > before:
                break
            count += 1
    return count


async def _attempts(
    step: Step, node: NodePlan, path: str, env: Mapping[str, Any], token: Token, base: int
) -> TaskResult:
    """Run attempts of a task until one is final; its budget counts from attempt `base` on."""
    kind = step.kinds[token.node] if path == node.name else step.services.kind(node, step.graph, step.plan)
    first = token.answer.get("attempt", 0) if token.answer else 0
    attempt, before = step.journal.next_attempt(step.superstep, path, first)
    if before is not None and attempt != base:
        error = decode(before.outcome or b"{}")
        if step.replaying or not _more(node.retry, error, attempt - base):
            return _stored_failure(step, path, token, attempt - 1, before)
    while True:
        result = await _attempt(step, node, path, env, token, kind, attempt)
        if result.status != "failed" or result.error is None:
            return result
        done = attempt - base + 1
        if step.replaying or not _more(node.retry, result.error, done):
            return result
        await step.journal.flush()
        wait_s = _backoff(step, node.retry, result.error, path, attempt, done)
        notice = {"task": path, "attempt": attempt, "seq_to": None}
        step.show("x.superstep.rolled_back", path, attempt, notice)
        step.show("x.task.retry", path, attempt, {"cause": result.error["kind"], "wait_ms": round(wait_s * 1000)})
        await trio.sleep(wait_s)
        attempt += 1


def _stored_failure(step: Step, path: str, token: Token, attempt: int, row: EffectRow) -> TaskResult:
    """A failure of this superstep that was final before the process died."""
    error = decode(row.outcome or b"{}")
    said = said_in(error.pop(EVENTS, ()), path, attempt)
    return TaskResult(token, "failed", attempt, {"error": view(error)}, error=error, journaled=True, events=said,
                      started_us=step.opened_at, ended_us=step.opened_at)  # fmt: skip


def _more(retry: RetryPlan, error: Mapping[str, Any], done: int) -> bool:
    """Whether the policy gives another attempt after `done` ones."""
    if done >= retry.max or error.get("details") == "exhausted" or error["kind"] in ("in_doubt", "expression"):
        return False
    return bool(error["retryable"]) if retry.on is None else error["kind"] in retry.on


def _backoff(step: Step, retry: RetryPlan, error: Mapping[str, Any], path: str, attempt: int, done: int) -> float:
    """Seconds until the next attempt; jitter is up to half either way, from the session's seed."""
    delay = retry.delay_s * (2 ** (done - 1) if retry.exponential else 1)
    if retry.jitter:
        chance = digest128(step.seed, step.superstep, path, attempt, "backoff")[0] / 255
        delay *= 0.5 + chance
    return min(delay, retry.max_delay_s)


async def _attempt(
    step: Step, node: NodePlan, path: str, env: Mapping[str, Any], token: Token, kind: Node, attempt: int
) -> TaskResult:
    """One attempt: read from the journal if it finished, else run and journaled."""
    item = path != node.name
    row = None if step.replaying else step.journal.find(step.superstep, path, attempt, -1)
    if row is not None and row.outcome is not None:
        step.journal.replayed += 1
        result = _from_journal(step, node, env, token, row, item=item)
        if node.cache is not None and not kind.immediate:
            context = TaskContext(step, node, path, attempt, env, token.placed)
            keep(context, node.cache, Reuse.of(node.cache, context), result)
        return result
    context = TaskContext(step, node, path, attempt, env, token.placed)
    context.error, context.answer = token.error, token.answer
    context.failed = step.journal.find(step.superstep, path, attempt - 1, -1)
    if context.failed is not None and context.failed.ended_at:
        context.opened_at = max(step.opened_at, context.failed.ended_at)
    started = step.clock.now_us()
    step.show("x.task.started", path, attempt, {})
    result = await _run_kind(context, token, kind, started, item=item)
    if result.status == "done" and node.effects != "pure":
        _keep(context, result)
    elif result.status == "failed":
        keep_failure(context, result)
    if result.status in ("done", "failed"):
        data = {"status": result.status, "error": result.error}
        step.show("x.task.finished", path, attempt, data)
        fault("task.done")
    return result


async def _run_kind(context: TaskContext, token: Token, kind: Node, started: int, *, item: bool) -> TaskResult:
    node = context.node
    cache = None if kind.immediate else node.cache
    try:
        reuse = None if cache is None else Reuse.of(cache, context)
        known = None if reuse is None else await reused(context, reuse)
        if known is not None:
            return finished(context, token, known, started, item=item)
        if kind.immediate:
            outcome = kind.run_now(context)
        elif node.timeout_s is None or node.kind == "human" or context.step.replaying:
            outcome = await kind.run(context)
        else:
            outcome = await _timed(context, kind, node.timeout_s)
        if isinstance(outcome, Parked):
            return parked(context, token, outcome)
        result = finished(context, token, outcome, started, item=item)
        if cache is not None and reuse is not None:
            keep(context, cache, reuse, result)
        return result
    except (Held, Limited):
        return _open(context, token)
    except InDoubt as error:
        result = failed(context, token, error, started)
        return result if takes_doubt(node, context.step.env, result.error or {}) else doubted(context, token, error)
    except (NodeError, EvaluationError, TypeMismatch, CodecError, EffectOrder) as error:
        return failed(context, token, error, started)
    except trio.Cancelled:
        context.abandon("cancelled")
        if item:
            context.step.abandoned[context.path] = _unchained(context)
        raise
    finally:
        context.abandon("cancelled")
        context.end()


def _open(context: TaskContext, token: Token) -> TaskResult:
    """A task that waits inside its superstep. What it said counts only where a limit closes the superstep over it."""
    context.abandon("deferred")
    return TaskResult(token, "open", context.attempt, events=_unchained(context))


def _unchained(context: TaskContext) -> list[Said]:
    return [said for said in context.said() if not said.chained]


async def _timed(context: TaskContext, kind: Node, timeout_s: float) -> Finished | Parked:
    with trio.move_on_after(timeout_s) as scope:
        outcome = await kind.run(context)
        if not scope.cancel_called:  # what swallowed the cancellation, or kept the loop from it, comes late
            return outcome
    unfinished = context.unfinished_write()
    if unfinished is not None and unfinished.writing is not None:
        error = unfinished.doubt(unfinished.writing, unfinished.writing.write_key or b"")
        context.doubtful = unfinished.doubtful
        raise error
    raise Timeout(
        f"attempt {context.attempt + 1} took longer than {timeout_s:g} s",
        hint="raise `timeout`, or make the node faster",
    )


def finished(context: TaskContext, token: Token, outcome: Finished, started: int, *, item: bool = False) -> TaskResult:
    """The result of a task that ran to its end; its `writes` are evaluated here, on snapshot k."""
    scope = outcome.scope()
    node = context.node
    writes = (
        evaluate_writes(context.step.graph, node.writes, with_scope(context.env, scope))
        if node.writes and not item
        else []
    )
    own = list(context.written)
    said = [] if outcome.history is None else [outcome.history]
    return TaskResult(
        token, "done", context.attempt, scope, [*said, *own, *writes], events=context.said(), started_us=started,
        ended_us=context.step.clock.now_us(), history=outcome.history, own=own,
        artifacts=tuple(context.put[id] for id in sorted(context.put)),
    )  # fmt: skip


def unsatisfied(step: Step, token: Token) -> TaskResult:
    """The failure of a node whose join can't be satisfied any more: the barrier has found it, nothing runs."""
    data = dict(token.failure or {})
    if token.error is not None:
        data["causes"] = [dict(token.error)]
    return TaskResult(token, "failed", 0, {"error": view(data)}, error=data, started_us=step.opened_at,
                      ended_us=step.opened_at)  # fmt: skip


def failed(context: TaskContext, token: Token, error: Exception, started: int) -> TaskResult:
    """The result of a task whose attempt failed: the error as data."""
    node = context.node
    if isinstance(error, NodeError):
        data = node_error(node, error, context.attempt)
        if error.exhausted:
            data["details"] = "exhausted"
        if error.trace:
            data["trace"] = error.trace
    elif isinstance(error, EvaluationError | TypeMismatch):
        data = evaluation_error(node, error, context.attempt)
    elif isinstance(error, CodecError):
        kind = "invalid_output"
        data = record(kind, str(error), node=node.name, attempt=context.attempt, cause="unserialisable",
                      hint=error.hint)  # fmt: skip
    else:
        data = record("code_failed", str(error), node=node.name, attempt=context.attempt,
                      hint=getattr(error, "hint", None))  # fmt: skip
    if token.error is not None:
        data["causes"] = [dict(token.error)]
    data = context.services.redact(data)  # what an effect said of its failure is redacted already, all else isn't
    context.abandon("timeout" if _is_the_call(node, data) else "cancelled", view(data))
    return TaskResult(
        token, "failed", context.attempt, {"error": view(data)}, error=data, started_us=started,
        ended_us=context.step.clock.now_us(), events=_unchained(context),
    )  # fmt: skip


def _is_the_call(node: NodePlan, error: Mapping[str, Any]) -> bool:
    """Whether the time of the node that is over was that of its one call."""
    return node.kind == "tool" and bool(error["kind"] == "timeout")


def parked(context: TaskContext, token: Token, outcome: Parked) -> TaskResult:
    """The result of a task that waits, with the interrupt that becomes durable with the barrier."""
    if outcome.reason == "open":
        return _open(context, token)
    step = context.step
    expires = None if outcome.timeout_s is None else round(outcome.timeout_s * 1e6)
    if outcome.reason == "interrupt":
        assert outcome.question is not None
        interrupt = InterruptId.derive(step.session, step.superstep, context.path, context.attempt, 0)
        step.opened.append(context.interrupt_row(interrupt, outcome.question, expires))
    elif context.path != context.node.name:
        return _open(context, token)
    due = None if outcome.due_s is None else round(outcome.due_s * 1e6)
    waiting = Waiting(
        replace(token, answer=None), outcome.reason, step.superstep, context.attempt, 0, expires, due, outcome.until_us
    )
    context.abandon("deferred")
    return TaskResult(token, "parked", context.attempt, waiting=waiting, events=context.events)


def doubted(context: TaskContext, token: Token, error: InDoubt) -> TaskResult:
    """A task whose write has an unknown outcome and no route that takes it: the session parks and asks."""
    context.ask_about(error)
    return _open(context, token)


def _keep(context: TaskContext, result: TaskResult) -> None:
    """Note what a finished task left, so that it never runs again in this superstep."""
    said = rows_of(result.events, context.path, context.attempt)
    left: dict[str, Any] = {"scope": result.scope, EVENTS: said}
    if result.history is not None:
        left["history"] = list(result.history)
    if result.own:
        left["own"] = [list(write) for write in result.own]
    if result.artifacts:
        left["artifacts"] = rows_data(result.artifacts)
    step = context.step
    step.journal.record(
        task_row(step.superstep, context.path, context.attempt, context.node.name, context.node.effects, left,
                 (result.started_us, result.ended_us), fingerprint=step.services.fingerprint(context.node))
    )  # fmt: skip


def keep_failure(context: TaskContext, result: TaskResult) -> None:
    """Note a failed attempt, before the next one starts."""
    step = context.step
    if step.replaying:
        return
    left = dict(result.error or {})
    if result.events:
        left[EVENTS] = rows_of(result.events, context.path, context.attempt)
    step.journal.record(
        task_row(step.superstep, context.path, context.attempt, context.node.name, context.node.effects, left,
                 (result.started_us, result.ended_us), failed=True, fingerprint=step.services.fingerprint(context.node))
    )  # fmt: skip


def _from_journal(
    step: Step, node: NodePlan, env: Mapping[str, Any], token: Token, row: EffectRow, *, item: bool
) -> TaskResult:
    """The result of a task that finished before the process died; only its expressions are evaluated again."""
    left: Mapping[str, Any] = decode(row.outcome or b"{}")
    path, attempt, scope = row.path, row.attempt, left["scope"]
    writes = [] if item else evaluate_writes(step.graph, node.writes, with_scope(env, scope))
    if not item:
        before = [left["history"]] if "history" in left else []
        writes = [*((write[0], write[1]) for write in (*before, *left.get("own", ()))), *writes]
    artifacts = left_by(left, step.session, step.superstep)
    for artifact in artifacts:
        note(step.artifacts, artifact)
    return TaskResult(
        token, "done", attempt, scope, writes, events=said_in(left[EVENTS], path, attempt), journaled=True,
        started_us=step.opened_at, ended_us=step.opened_at, artifacts=artifacts,
    )  # fmt: skip
