"""Taking a session over: what fails is given back, and what only waits doesn't count as dying."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from graphagent.errors import NotFound, StoreCorrupt
from graphagent.graph.plan import Plan
from graphagent.ids import InterruptId, SessionId
from graphagent.session import operations as ops
from graphagent.session.graph import loads
from graphagent.session.host import MOST_ATTEMPTS, Host
from graphagent.session.operations import Outcome
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.session.worker import Worker
from graphagent.snapshot import InterruptRow, SessionQuery
from graphagent.stores.memory import MemoryStore

pytestmark = pytest.mark.slow

ASK = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: ask }
outputs: { said: str }
channels: { said: { type: str, default: "" } }
start: ask
nodes:
  ask: { kind: human, mode: approve, prompt: Really?, timeout: 1ms, writes: { said: "${ out.decision }" }, on_error: end, next: end }
"""  # noqa: E501


class FrailStore(MemoryStore):
    """Questions of the session `of` can't be read while `broken` says why."""

    broken: BaseException | None = None
    of: SessionId | None = None

    async def interrupt(self, interrupt: InterruptId) -> InterruptRow:
        row = await super().interrupt(interrupt)
        if self.broken is not None and row.session == self.of:
            raise self.broken
        return row


def host_of(store: MemoryStore, folder: Path) -> Host:
    settings = Settings(folder, "memory:")
    return Host(settings, store, SystemClock(), Models(settings, {}))


def plan(timeout: str = "1ms") -> Plan:
    return loads(ASK.replace("1ms", timeout)).compile()


async def asked(host: Host, timeout: str = "1h") -> Outcome:
    outcome = await ops.start(host, plan(timeout), {}, ops.Options(patience_s=0))
    assert outcome.row.status == "waiting"
    return outcome


@pytest.mark.parametrize("error", [StoreCorrupt("torn"), KeyboardInterrupt(), ValueError("a mistake of ours")])
def test_a_session_that_could_not_be_opened_is_given_back(tmp_path: Path, error: BaseException) -> None:
    async def main() -> None:
        store = FrailStore()
        host, other = host_of(store, tmp_path), host_of(store, tmp_path)
        session = (await asked(host, "1h")).row.session
        before = await store.session(session)
        store.of, store.broken = session, error
        with pytest.raises(type(error)):
            await host.open(session)
        store.broken = None
        row = await store.session(session)
        assert (row.owner, row.attempts, row.epoch) == (None, before.attempts, before.epoch + 1)
        await other.release(await other.open(session))  # somebody else may have it

    trio.run(main)


def test_who_only_waits_is_never_poisoned(tmp_path: Path) -> None:
    """Processes that merely hold it open may die as often as they like."""

    async def main() -> None:
        store = MemoryStore()
        host = host_of(store, tmp_path)
        session = (await asked(host)).row.session
        for _ in range(MOST_ATTEMPTS + 3):
            dying = host_of(store, tmp_path)
            await dying.open(session)
            store.worker_died(dying.worker)
        host = host_of(store, tmp_path)
        (question,) = await ops.open_interrupts(host, session)
        await ops.answer(host, question, True)
        outcome = await ops.drive(host, session)
        assert (outcome.row.status, outcome.outputs) == ("done", {"said": "approve"})

    trio.run(main)


def test_a_worker_outlives_a_session_that_can_not_be_read(tmp_path: Path) -> None:
    """It tells of it, and the others go on."""

    async def main() -> None:
        store, told = FrailStore(), []
        host = host_of(store, tmp_path)
        first: SessionId = (await asked(host, "1h")).row.session

        def tell(what: str, facts: Any) -> None:
            told.append((what, facts.get("session")))

        worker = Worker(host_of(store, tmp_path), tell=tell)
        store.of, store.broken = first, StoreCorrupt("torn")
        second = (await asked(host, "1ms")).row.session
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run)
            with trio.fail_after(20):
                while (await store.session(second)).status != "done":
                    await trio.sleep(0.01)
            worker.drain()
        assert ("failed", first) in told
        assert ("ended", second) in told

    trio.run(main)


def test_recorded_answers_that_cant_be_read_begin_nothing(tmp_path: Path) -> None:
    """They are read before a session is stored, also if no model asks for them."""
    store, settings = MemoryStore(), Settings(tmp_path, "memory:", scripted=tmp_path / "nowhere.yaml")
    host = Host(settings, store, SystemClock(), Models(settings, {}))

    async def body() -> None:
        with pytest.raises(NotFound, match=r"nowhere\.yaml"):
            await ops.start(host, plan(), {})
        assert not await store.sessions(SessionQuery())

    trio.run(body)
