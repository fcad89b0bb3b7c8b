"""Flipped bytes in the file: a session goes on with the same digest, or is refused as `StoreCorrupt`; nothing else."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import apsw
import pytest

from graphagent import concurrency
from graphagent.codec import decode
from graphagent.errors import StoreCorrupt
from graphagent.graph.plan import Plan
from graphagent.ids import SessionId
from graphagent.session import operations as ops
from graphagent.session.documents import history_document
from graphagent.session.graph_file import read_graph_file
from graphagent.session.host import Host
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.stores.sqlite import SqliteStore

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: ledger }
inputs: { rounds: int }
outputs: { log: "list[str]", long: str }
channels:
  log: { type: "list[str]", reducer: append }
  long: { type: str, default: "" }
  n: { type: int, reducer: sum }
start: work
nodes:
  work:
    kind: code
    python: "ledger:work"
    with: { n: "${ n }" }
    writes: { log: "${ out.lines }", long: "${ out.long }", n: 1 }
    next: [{ when: "n < inputs.rounds", to: work }, { to: ask }]
  ask: { kind: human, mode: choose, prompt: "Close it?", options: [now, later], writes: { log: "${ [out.choice] }" }, next: count }
  count: { kind: code, python: "ledger:count", effects: pure, with: { log: "${ log }" }, writes: { long: "${ out }" }, next: end }
"""
FUNCTIONS = """
import hashlib

def work(n):
    lines = [f"entry {n}.{i} " + hashlib.sha256(b"%d.%d" % (n, i)).hexdigest() for i in range(25)]
    return {"lines": lines, "long": "".join(hashlib.sha256(line.encode()).hexdigest() for line in lines)}

def count(log):
    return hashlib.sha256("".join(log).encode()).hexdigest()
"""
TABLES = ("blobs", "checkpoints", "deltas", "effects", "events")
"""What a session is made of, apart from its authority row."""


class Ledger:
    """A project with a session that waits, stored in a file whose bytes are known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ledger.graph.yaml").write_text(GRAPH)
        (folder / "ledger.py").write_text(FUNCTIONS)
        self.plan: Plan = read_graph_file(folder / "ledger.graph.yaml").compiled()
        self.file = folder / "sessions.db"
        self.session: SessionId = concurrency.run_sync(self.record)
        self.pages = self.pages_by_table()
        self.bytes = self.file.read_bytes()
        self.golden = concurrency.run_sync(self.everything)

    async def host(self) -> Host:
        settings = Settings(self.folder, str(self.file))
        return Host(settings, await SqliteStore.open(self.file), SystemClock(), Models(settings, {}))

    async def record(self) -> SessionId:
        host = await self.host()
        try:
            outcome = await ops.start(host, self.plan, {"rounds": 8}, ops.Options(seed=1))
            assert outcome.row.status == "waiting"
            return outcome.row.session
        finally:
            await host.aclose()

    async def everything(self) -> dict[str, Any]:
        """History, replay and a resume to the end: all that must be right."""
        host = await self.host()
        try:
            row = await host.store.session(self.session)
            history = (await history_document(host, row, values=True)).data()
            replayed = await ops.replay(host, self.session)
            questions = await ops.open_interrupts(host, self.session)
            assert len(questions) == 1
            await ops.answer(host, questions[0], decode(questions[0].question)["options"][0])
            outcome = await ops.drive(host, self.session)
            return {
                "supersteps": history["supersteps"], "replay": [s.recorded for s in replayed.supersteps],
                "identical": replayed.identical, "status": outcome.row.status, "digest": outcome.row.head_digest,
                "outputs": outcome.outputs,
            }  # fmt: skip
        finally:
            await host.aclose()

    def pages_by_table(self) -> dict[str, list[int]]:
        """Offsets of the pages of each table. An index has no seals of its own: a flip there may hide a row."""
        db = apsw.Connection(str(self.file))
        try:
            query = "select name, (pageno - 1) * 4096 from dbstat"
            tables = {name for (name,) in db.execute("select name from sqlite_schema where type = 'table'")}
            found: dict[str, list[int]] = {}
            for name, offset in db.execute(query):
                if name in tables:
                    found.setdefault(name, []).append(offset)
            return found
        finally:
            db.close()

    def damaged(self, offset: int, flip: int) -> str | None:
        """How a file with one changed byte is refused; None if all that matters is as it was."""
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        changed = bytearray(self.bytes)
        changed[offset] ^= flip
        self.file.write_bytes(changed)
        try:
            found = concurrency.run_sync(self.everything)
        except StoreCorrupt as error:
            return f"{error.message}; {error.hint}"
        for key, value in self.golden.items():
            assert found[key] == value, f"a flip at {offset} changed {key}"
        return None


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("ledger"))


def test_the_ledger_is_worth_damaging(ledger: Ledger) -> None:
    assert ledger.golden["identical"]
    assert ledger.golden["status"] == "done"
    assert all(ledger.pages[table] for table in TABLES)
    assert len(ledger.bytes) > 4096 * 20


def test_flips_in_the_pages_of_a_session(ledger: Ledger) -> None:
    chance = random.Random(40)
    pages = [offset for table in TABLES for offset in ledger.pages[table]]
    told = [ledger.damaged(chance.choice(pages) + chance.randrange(4096), 1 << chance.randrange(8)) for _ in range(40)]
    refused = [text for text in told if text is not None]
    assert len(refused) >= 20, "the flips hit nothing that matters"
    assert all("None" not in text for text in refused), "what to do?"


@pytest.mark.long
def test_flips_in_the_pages_of_any_table(ledger: Ledger) -> None:
    chance = random.Random(7)
    pages = [offset for offsets in ledger.pages.values() for offset in offsets]
    for _ in range(1000):
        ledger.damaged(chance.choice(pages) + chance.randrange(4096), 1 << chance.randrange(8))
