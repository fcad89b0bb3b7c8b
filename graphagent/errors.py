"""Every error that graphagent raises on purpose.

    GraphAgentError                  anything below; `hint` says what to do
    ├─ GraphInvalid                  the graph has findings of severity error: `diagnostics`
    ├─ NotRunnable                   the graph has a part that can't be run
    ├─ SecretMissing                 the host lacks a secret that the graph names
    ├─ InputInvalid                  an input, answer or edit doesn't fit its type: `path`
    ├─ CodecError                    a value is not plain data: `path`
    ├─ LoopRunning                   a blocking call inside a running event loop
    ├─ MissingExtra                  an optional package isn't installed: `extra`
    ├─ RunError                      a run that didn't end as done: `result`
    │  ├─ RunFailed
    │  ├─ RunWaiting
    │  ├─ RunLimited
    │  └─ RunCancelled
    ├─ NodeError                     a node failed; a graph reads it as data: `kind`, `cause`
    │  ├─ ModelError                 raised by model adapters, and nothing else is
    │  ├─ CallBlocked                a hook let a model call or its answer not pass
    │  ├─ ToolFailed
    │  ├─ ToolRetry
    │  ├─ Timeout
    │  ├─ InDoubt                    a write has an intent and no outcome
    │  └─ OutputTooLarge
    ├─ ReplayDivergence              the replay differs from the record: `first_difference`
    ├─ ReplayFloor                   the journal below `floor` was trimmed away
    ├─ EffectOrder                   two calls of one scope overlap
    ├─ NotFound                      no such session, checkpoint, interrupt, node or file
    ├─ Conflict                      refused, nothing changed
    │  ├─ Fenced                     another controller owns the session now
    │  ├─ SessionBusy                a living process owns the session
    │  ├─ SessionPoisoned            its process died too often in one superstep
    │  ├─ ForkOpenWrite              the open superstep has a write without an outcome
    │  ├─ ForkDepth                  forks of forks, too many of them
    │  ├─ SchemaMismatch             a channel holds a type that another plan doesn't have
    │  ├─ InterruptAnswered
    │  └─ InterruptExpired
    └─ StoreError
       ├─ StoreUnavailable
       ├─ StoreReadonly              a server that only reads, such as a standby
       ├─ StoreReplaced              another or an older store stands where the known one stood
       ├─ StoreFull
       ├─ StoreCorrupt               a stored byte isn't what was written: `checkpoint`
       ├─ ArchiveInvalid             a file to import isn't an exported session as it was written
       └─ SchemaTooNew

Catch `RunError` around `.outputs`, `NodeError` never (a graph routes it), `Conflict` to try again,
`StoreError` to tell the operator.
"""

from __future__ import annotations

from typing import Any


class GraphAgentError(Exception):
    """Base of all errors of this package.

    Args:
        message: What is wrong.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        """The name of this error in documents: the class name in snake case."""
        name = type(self).__name__
        return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


class GraphInvalid(GraphAgentError):
    """A graph has errors. `diagnostics` holds all findings, warnings too, in order of place."""

    def __init__(self, diagnostics: list[Any], text: str) -> None:
        super().__init__(text)
        self.diagnostics = diagnostics


class NotRunnable(GraphAgentError):
    """A graph without errors has a part that can't be run: this release lacks it, or a function can't be a tool."""


class SecretMissing(GraphAgentError):
    """The host doesn't supply a secret that a graph declares under `secrets`."""


class InputInvalid(GraphAgentError):
    """A value given from outside doesn't fit. `path` is a JSON path such as `$.topic`."""

    def __init__(self, path: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {message}", hint=hint)
        self.path = path


class CodecError(GraphAgentError):
    """A value is not plain JSON data. `path` says where in it, such as `$.messages[3].meta`."""

    def __init__(self, path: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {message}", hint=hint)
        self.path = path


class LoopRunning(GraphAgentError):
    """A blocking call was made inside a running event loop."""


class MissingExtra(GraphAgentError):
    """An optional package is missing. `extra` is the extra that brings it."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"{package} is not installed", hint=f"pip install 'graphagent[{extra}]'")
        self.extra = extra


class RunError(GraphAgentError):
    """A run has no outputs to give. `result` is the whole result."""

    def __init__(self, message: str, result: Any, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.result = result


class RunFailed(RunError):
    """The run ended as failed."""


class RunWaiting(RunError):
    """The run waits for an answer, an event or a time."""


class RunLimited(RunError):
    """The run reached one of its limits."""


class RunCancelled(RunError):
    """The run was cancelled."""


class NodeError(GraphAgentError):
    """A node failed. `kind` is one of the language's error kinds, `cause` is finer or None.

    `trace` has frames of the author's own code (`{file, line, function, text}`), innermost last. `exhausted` says
    that the call was already tried as often as the node's `retry` allows.
    """

    default_kind = "code_failed"

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        cause: str | None = None,
        retryable: bool | None = None,
        hint: str | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.trace: list[dict[str, Any]] = []
        self.exhausted = False
        self.kind = kind or self.default_kind
        self.cause = cause
        self.retryable = self.kind in RETRYABLE_KINDS if retryable is None else retryable
        self.details = details


class ModelError(NodeError):
    """A model call failed. `retry_after_s` is the provider's wish in seconds, if it gave one."""

    default_kind = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.retry_after_s = retry_after_s


class CallBlocked(NodeError):
    """A hook of the operator has blocked a model call or its answer, or couldn't say whether it may pass. No matter of
    the model: the node's attempt ends."""

    default_kind = "content_filter"


class ToolFailed(NodeError):
    """A tool says that it failed and that asking again won't help."""

    default_kind = "tool_failed"


class ToolRetry(NodeError):
    """A tool says that it failed and that asking again may help: the node's `retry` tries it again."""

    default_kind = "tool_failed"

    def __init__(self, message: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, cause=cause, hint=hint, retryable=True)


class Timeout(NodeError):
    """An attempt took longer than its node allows."""

    default_kind = "timeout"


class InDoubt(NodeError):
    """A write was begun and its outcome is unknown. It is never called again by itself."""

    default_kind = "in_doubt"


class OutputTooLarge(NodeError):
    """An outcome is over its size limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the output has {size:,} bytes, {limit:,} are allowed", cause="output_too_large")


class ReplayDivergence(GraphAgentError):
    """A replay, or a resume through its journal, differs from the record."""

    def __init__(self, first_difference: Any, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.first_difference = first_difference


class ReplayFloor(GraphAgentError):
    """The journal was trimmed: only supersteps from `floor` on can be replayed."""

    def __init__(self, floor: int) -> None:
        super().__init__(
            f"supersteps below {floor} can no longer be replayed: their journal was collected",
            hint=f"replay the rest: --from {floor}",
        )
        self.floor = floor


class EffectOrder(GraphAgentError):
    """A call was begun while another call of the same task is open; await one before the next."""


class NotFound(GraphAgentError):
    """No such thing."""


class Conflict(GraphAgentError):
    """Refused; nothing was changed."""


class Fenced(Conflict):
    """Another controller has taken the session over."""


class SessionBusy(Conflict):
    """A living process owns the session, or a run in it hasn't ended."""


class SessionPoisoned(Conflict):
    """Processes died in the session's open superstep again and again; it is run once more only by force."""


class ForkOpenWrite(Conflict):
    """A fork at a superstep that hasn't closed, while a write of it has no outcome yet."""


class ForkDepth(Conflict):
    """A fork of a fork of a fork, and so on: the line would go through more sessions than a reader follows."""


class SchemaMismatch(Conflict):
    """A session holds a channel of another type than the plan that it is to go on with, and nobody says how to make one
    of the other."""


class InterruptAnswered(Conflict):
    """The interrupt already has another answer."""


class InterruptExpired(Conflict):
    """The interrupt is expired, cancelled or left behind by a fork."""


class StoreError(GraphAgentError):
    """The store can't do what was asked."""


class StoreUnavailable(StoreError):
    """The store can't be reached, is locked, or isn't writable."""


class StoreReadonly(StoreError):
    """The store can be read and not written."""


class StoreReplaced(StoreError):
    """Another store, or an older copy, stands where the known one stood; nothing is written to it."""


class StoreFull(StoreError):
    """There is no space left."""


class StoreCorrupt(StoreError):
    """Stored bytes are damaged. `checkpoint` is the one that can't be read, if known."""

    def __init__(self, message: str, *, checkpoint: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.checkpoint = checkpoint


class ArchiveInvalid(StoreError):
    """A file that should be imported isn't an exported session, or isn't as it was written; nothing was stored."""


class SchemaTooNew(StoreError):
    """The store was written by a newer release."""


RETRYABLE_KINDS = frozenset({"timeout", "rate_limit", "unavailable"})

ERROR_KINDS = (
    "timeout", "rate_limit", "unavailable", "auth", "invalid_input", "invalid_output", "content_filter",
    "context_overflow", "tool_failed", "code_failed", "sandbox_failed", "approval_denied", "rejected", "max_turns",
    "item_failed", "join_unsatisfied", "child_failed", "expression", "in_doubt", "limit", "cancelled", "raised",
)  # fmt: skip
"""The closed list of kinds that a graph can see in `error.kind`."""
