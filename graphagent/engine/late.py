"""What comes too late: how an execution ended for which nobody waits any more.

It is dropped. Of a write in doubt it is kept as evidence, in a row of its own beside the write's: shown with the
question, never applied by itself, and in no digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from graphagent.codec import encode, freeze
from graphagent.engine.doubt import doubt_id
from graphagent.errors import CodecError
from graphagent.ids import InterruptId, SessionId
from graphagent.snapshot import TASK_ORDINAL, EffectRow, EffectState

KIND: Final = "late"


def evidence(row: EffectRow, result: Any, failure: dict[str, Any] | None, at: int) -> EffectRow:
    """The row that says how the execution ended which began the write of `row`."""
    state, ended = (EffectState.DONE, result) if failure is None else (EffectState.FAILED, failure)
    try:
        outcome = encode(freeze(ended))
    except CodecError as error:
        state, outcome = EffectState.FAILED, encode({"kind": "invalid_output", "message": str(error)})
    return replace(
        row, ordinal=beside(row.ordinal), kind=KIND, state=state, outcome=outcome, request=None, request_hash=b"",
        write_key=None, ended_at=at,
    )  # fmt: skip


def beside(ordinal: int) -> int:
    """The ordinal of the evidence of a call: all of them are below that of the task row."""
    return TASK_ORDINAL - 1 - ordinal


def evidence_for(interrupt: InterruptId, session: SessionId, journal: Sequence[EffectRow]) -> EffectRow | None:
    """The evidence that stands beside the write about which `interrupt` asks."""
    rows = {row.key: row for row in journal}
    for row in journal:
        if row.state is EffectState.IN_DOUBT and doubt_id(session, row) == interrupt:
            found = rows.get((row.superstep, row.path, row.attempt, beside(row.ordinal)))
            return found if found is not None and found.attempt_token == row.attempt_token else None
    return None
