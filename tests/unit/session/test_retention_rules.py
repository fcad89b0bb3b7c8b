"""The setting `retention`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from graphagent.errors import InputInvalid
from graphagent.ids import SessionId
from graphagent.session.host import Host
from graphagent.session.retention_rules import DAY_US, HOUR_US, NEVER_US, Retention
from graphagent.session.settings import PROJECT_FILE, load_settings
from graphagent.session.worker import Worker
from graphagent.snapshot import SessionQuery, SessionRow, Status
from graphagent.stores.memory import MemoryStore
from tests.corpus.sessions import answer, host_on, start

NOW = 1000 * DAY_US


def session(n: int) -> SessionId:
    return SessionId.of(n.to_bytes(16, "big"))


def row(
    n: int, days: int, *tags: str, graph: str = "g", status: Status = "done", caller: int | None = None
) -> SessionRow:
    made = SessionRow(
        session(n), session(1), b"p", graph, b"s", tags=tags, status=status, updated_at=NOW - days * DAY_US
    )
    return made if caller is None else replace(made, caller=session(caller))


def read(tmp_path: Path, text: str) -> Retention | None:
    (tmp_path / PROJECT_FILE).write_text(text)
    return load_settings(tmp_path).retention


def test_it_is_read_from_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, "") is None
    assert read(tmp_path, "[retention]\n") is None
    assert read(tmp_path, "[retention]\nkeep_every = 7\n") == Retention(keep_every=7)
    found = read(
        tmp_path,
        """
        [retention]
        older_than = "12h"
        every = "10m"
        [retention.graphs]
        report = "90d"
        [retention.tags]
        audit = "forever"
    """,
    )
    assert found == Retention(12 * HOUR_US, 100, {"report": 90 * DAY_US}, {"audit": None}, HOUR_US // 6)
    assert read(tmp_path, '[retention]\nolder_than = "forever"\n') == Retention(NEVER_US)


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ('older_then = "3d"', "$.retention.older_then of", "did you mean 'older_than'"),
        ("older_than = 30", "$.retention.older_than of", "'30d', or 'forever'"),
        ('older_than = "soon"', "$.retention.older_than of", "'30d'"),
        ("keep_every = 0", "$.retention.keep_every of", "1 or more"),
        ("keep_every = true", "$.retention.keep_every of", "1 or more"),
        ('every = "0s"', "$.retention.every of", "10m"),
        ('every = "forever"', "$.retention.every of", "'12h'"),
        ('graphs = "x"', "$.retention.graphs of", "[retention.graphs]"),
        ("tags = { audit = 3 }", "$.retention.tags.audit of", "'forever'"),
    ],
)
def test_what_is_wrong_with_it_is_said_where_it_is(tmp_path: Path, text: str, path: str, hint: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        read(tmp_path, f"[retention]\n{text}\n")
    assert caught.value.path == f"{path} {PROJECT_FILE}"
    assert hint in str(caught.value.hint)


def test_rules_go_by_graph_and_tag_of_the_session_at_the_top() -> None:
    rules = Retention(30 * DAY_US, 100, {"report": 90 * DAY_US, "short": DAY_US}, {"audit": None, "keep": 60 * DAY_US})
    rows = [
        row(1, 31), row(2, 29), row(3, 31, status="waiting"), row(4, 89, graph="report"), row(5, 91, graph="report"),
        row(6, 900, "audit"), row(7, 61, "keep"), row(8, 59, "keep"), row(9, 2, graph="short"),
        row(10, 80, "keep", graph="report"), row(11, 900, caller=6), row(12, 900, caller=11), row(13, 2, caller=9),
    ]  # fmt: skip
    assert rules.past(rows, NOW) == {session(n) for n in (1, 5, 7, 9, 13)}
    assert Retention(NEVER_US).past(rows, NOW) == set()


class Later:
    """A clock that is some days ahead."""

    def __init__(self, days: int) -> None:
        self.days = days

    def now_us(self) -> int:
        return NOW + self.days * DAY_US


def test_a_worker_applies_the_rules() -> None:
    async def main() -> None:
        store = MemoryStore()
        host: Host = host_on(store, Later(0))
        old, kept = [await start(host, "ledger", {"rounds": 1}) for _ in range(2)]
        for one in (old, kept):
            while (await store.session(one)).status == "waiting":
                await answer(host, one)
        await store.label(kept, None, ["audit"])
        there = host_on(store, Later(31))
        there.settings = replace(there.settings, retention=Retention(30 * DAY_US, tags={"audit": None}))
        told = trio.Event()
        worker = Worker(there, tell=lambda what, facts: told.set() if what == "collected" else None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run)
            with trio.fail_after(60):
                await told.wait()
            worker.drain()
        left = {entry.row.session for entry in await store.sessions(SessionQuery(limit=9))}
        assert (old in left, kept in left) == (False, True)

    trio.run(main)
