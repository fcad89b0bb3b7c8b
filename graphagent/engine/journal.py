"""The journal of one session's open superstep: which effects it made, and which of them are durable.

Rows travel folded into the barrier commit, or are appended ahead of it: intents of writes at once, outcomes when
their superstep hasn't reached its barrier after 5 ms, so that a slow sibling never costs the paid results of the
fast ones. The barrier sends again what isn't acknowledged; stores never lower a state, so no order is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import trio

from graphagent.codec import decode, digest, encode, freeze, hash_value
from graphagent.engine.commits import CommitQueue
from graphagent.engine.failures import view
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.snapshot import TASK_ORDINAL, EffectClass, EffectRow, EffectState

APPEND_AFTER_S = 0.005
Key = tuple[int, str, int, int]


class Journal:
    """Rows by (superstep, path, attempt, ordinal), kept until their superstep is committed."""

    def __init__(self, store: Store, session: SessionId, epoch: int, rows: Iterable[EffectRow] = ()) -> None:
        self.store, self.session, self.epoch = store, session, epoch
        self.queue: CommitQueue | None = None
        self.rows: dict[Key, EffectRow] = {row.key: row for row in rows}
        self._write_keys = {row.write_key: row.key for row in self.rows.values() if row.write_key is not None}
        self.replayed = 0
        self.recorded = 0
        self._pending: dict[Key, EffectRow] = {}
        self.sealing = False
        """The barrier is on its way with all rows, so none of them is late."""
        self._nursery: trio.Nursery | None = None
        self._wake: trio.Event | None = None
        self._sending = trio.Lock()

    def attach(self, nursery: trio.Nursery | None) -> None:
        """Send late rows from this nursery; None while no run is going on."""
        self._nursery = nursery
        self._wake = None

    def find(self, superstep: int, path: str, attempt: int, ordinal: int) -> EffectRow | None:
        """The row of one call."""
        return self.rows.get((superstep, path, attempt, ordinal))

    def taken(self, write_key: bytes, key: Key) -> bool:
        """Whether another call of the same attempts has this key of a write; a retry has that of what it repeats."""
        owner = self._write_keys.get(write_key)
        return owner is not None and owner != key and owner[2] == key[2]

    def next_attempt(self, superstep: int, path: str, first: int = 0) -> tuple[int, EffectRow | None]:
        """The attempt that is to run or to be read, from `first` on, and the row of the failed one before it."""
        attempt, failed = first, None
        while True:
            row = self.rows.get((superstep, path, attempt, TASK_ORDINAL))
            if row is None or row.state is not EffectState.FAILED:
                return attempt, failed
            attempt, failed = attempt + 1, row

    def record(self, row: EffectRow) -> None:
        """Note a row; it becomes durable with the barrier, or a little later than now."""
        self.rows[row.key] = row
        self._pending[row.key] = row
        if row.write_key is not None:
            self._write_keys[row.write_key] = row.key
        if self._nursery is None:
            return
        if self._wake is None:
            self._wake = trio.Event()
            self._nursery.start_soon(self._send_late)
        self._wake.set()

    @property
    def writing(self) -> bool:
        """Whether a write is under way: its outcome isn't known yet."""
        return any(row.effect_class == "write" and row.state is EffectState.INTENT for row in self.rows.values())

    async def settle(self) -> None:
        """Return when the supersteps before the open one are durable: no row of it may be before they are."""
        if self.queue is not None:
            await self.queue.flush()

    async def flush(self) -> None:
        """Return when every row noted so far is durable."""
        await self.settle()
        async with self._sending:
            if not self._pending:
                return
            sent = dict(self._pending)
            # A store finishes what it has sent, whoever is cancelled; its wait for a server can end.
            await self.store.append(self.session, self.epoch, list(sent.values()))
            for key, row in sent.items():
                if self._pending.get(key) is row:
                    del self._pending[key]

    def fold(self, superstep: int) -> list[EffectRow]:
        """All rows of the superstep that is being closed which aren't known to be durable."""
        return [row for key, row in self._pending.items() if key[0] == superstep] if self._pending else []

    def sealed(self, superstep: int) -> list[EffectRow]:
        """All rows of the superstep in the order of the digest."""
        if not self.rows:
            return []
        return [self.rows[key] for key in sorted(self.rows) if key[0] == superstep]

    def close(self, superstep: int) -> None:
        """Forget a superstep that is committed."""
        if self.rows:
            for key in [k for k in self.rows if k[0] <= superstep]:
                del self.rows[key]
                self._pending.pop(key, None)
            self._write_keys = {w: key for w, key in self._write_keys.items() if key in self.rows}

    def testify(self, row: EffectRow) -> None:
        """Keep the evidence about a write in doubt, unless the session has gone on or has another owner."""
        doubtful = next((r for r in self.rows.values() if r.attempt_token == row.attempt_token), None)
        if doubtful is not None and doubtful.state is EffectState.IN_DOUBT:
            # A system task, since whoever made the call has left.
            trio.lowlevel.spawn_system_task(self._append_alone, row, name="graphagent-evidence")

    async def _append_alone(self, row: EffectRow) -> None:
        try:
            await self.store.append(self.session, self.epoch, [row])
        except trio.Cancelled:
            raise
        except BaseException:
            return  # evidence is kept if it can be; a system task that raises would end the whole program

    async def _send_late(self) -> None:
        while self._wake is not None:
            await self._wake.wait()
            await trio.sleep(APPEND_AFTER_S)
            if self._wake is not None:
                self._wake = trio.Event()
            if not self.sealing:
                await self.flush()


def task_row(
    superstep: int, path: str, attempt: int, node: str, effect_class: EffectClass, left: Any, times: tuple[int, int],
    *, failed: bool = False, fingerprint: bytes | None = None,
) -> EffectRow:  # fmt: skip
    """The row that says how a task ended: `left` is its scope and events, or its error record."""
    return EffectRow(
        superstep, path, attempt, TASK_ORDINAL, "task", node, effect_class,
        EffectState.FAILED if failed else EffectState.DONE, outcome=encode(freeze(left)), fingerprint=fingerprint,
        started_at=times[0], ended_at=times[1],
    )  # fmt: skip


def digest_rows(rows: Sequence[EffectRow]) -> list[list[Any]]:
    """What the digest chain sees of the journal: no time, no token, no number of tries, and no evidence."""
    return [
        [
            r.path, r.attempt, r.ordinal, r.kind, r.name, r.effect_class, int(r.state), r.request_hash.hex(),
            None if r.outcome is None else _outcome_hash(r.state, r.outcome).hex(),
        ]
        for r in rows
        if r.ordinal >= TASK_ORDINAL
    ]  # fmt: skip


def _outcome_hash(state: EffectState, outcome: bytes) -> bytes:
    """Of a failure, what a graph reads of it: its details and frames may hold keys, times and places of code."""
    return hash_value(view(decode(outcome))) if state is EffectState.FAILED else digest(outcome)


def request_hash(kind: str, name: str, effect_class: str, request: Any) -> bytes:
    """What two calls have in common that are the same call."""
    return hash_value([kind, name, effect_class, request])
