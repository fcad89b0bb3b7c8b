"""Watching a document: pictures over each other on a terminal, else what is new."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from graphagent.cli.main import main
from graphagent.cli.redraw import Picture, Watch, fitted
from graphagent.errors import StoreUnavailable
from graphagent.session.documents import sessions_document
from graphagent.snapshot import SessionQuery
from graphagent.stores.memory import MemoryStore
from tests.corpus.sessions import host_on, start
from tests.unit.cli.screen import err, out, terminal


def test_a_picture_is_cut_to_the_rows_that_there_are() -> None:
    lines = [f"line {i}" for i in range(10)]
    assert fitted(lines, 80, 10) == (lines, 10)
    assert fitted(lines, 80, 4) == ([*lines[:3], "… 7 more lines"], 4)
    assert fitted(["x" * 25, "y", "", "世" * 6], 10, 9) == (["x" * 25, "y", "", "世" * 6], 7)
    assert fitted(["x" * 25, "y", "z"], 10, 4) == (["x" * 25, "… 2 more l"], 4)


def test_on_a_terminal_it_replaces_the_one_before() -> None:
    screen = terminal(tty=True, environ={"TERM": "xterm"})
    picture = Picture(screen)
    for text in ("a\n✔ b\x1b[2J", "a"):
        picture.draw(text)
    first, second = out(screen).split("\x1b[2A\r\x1b[J")
    assert first == "a\n\x1b[32m✔\x1b[0m b\N{REPLACEMENT CHARACTER}[2J\n"
    assert second == "a\n"


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "xterm", "CI": "1"}])
def test_where_no_cursor_moves_only_new_lines_are_written(environ: dict[str, str]) -> None:
    screen = terminal(tty=True, environ=environ)
    picture = Picture(screen)
    for text in ("head\na\nb", "head\na\nc\nb", "head\na", "head\na\nc"):
        picture.draw(text)
    assert out(screen) == "head\na\nb\nc\nc\n"


class Frail(MemoryStore):
    """A store that is away for a while, and never tells of anything."""

    away = False


def watch(act: Callable[[Any, Frail], Awaitable[None]], **flags: Any) -> Any:
    """The screen of a watch of all sessions while `act` happens; a look takes no real time."""
    screen = terminal(**flags)
    nowhere: Any = None

    async def body() -> None:
        store = Frail()
        host = host_on(store)

        async def read(host: Any, project: Any) -> Any:
            if store.away:
                raise StoreUnavailable("no route to it")
            return await sessions_document(host, SessionQuery(limit=9))

        watched = Watch(screen, str)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.run, host, read, nowhere)
            await act(host, store)
            await trio.sleep(10)
            watched.end()

    trio.run(body, clock=MockClock(autojump_threshold=0))
    return screen


def test_a_document_is_written_when_it_has_changed() -> None:
    async def act(host: Any, store: Frail) -> None:
        await trio.sleep(30)
        for _ in range(2):
            await start(host, "ledger", {"rounds": 1})
            await trio.sleep(30)

    documents = [json.loads(line) for line in out(watch(act, json=True)).splitlines()]
    assert list(dict.fromkeys(len(d["sessions"]) for d in documents)) == [0, 1, 2]
    assert all(one != other for one, other in pairwise(documents))


def test_a_store_that_is_away_is_told_of_once_and_waited_for() -> None:
    async def act(host: Any, store: Frail) -> None:
        store.away = True
        await trio.sleep(30)
        store.away = False
        await start(host, "ledger", {"rounds": 1})

    screen = watch(act)
    assert err(screen) == "the store is away: no route to it\n"
    assert "ledger" in out(screen)


def test_a_snapshot_that_cant_change_isnt_watched(tmp_path: Path) -> None:
    screen = terminal(project=str(tmp_path))
    assert main(["show", "@last@3", "--watch"], screen) == 2
    assert " show @last --watch" in err(screen)
