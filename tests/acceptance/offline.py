"""A process that replays every session of a store, and can't reach anything but that file.

`python -m tests.acceptance.offline STORE [GRAPH]` prints a list of `replay` documents; with GRAPH the sessions are
replayed on the plan of that file. `python -m tests.acceptance.offline STORE --try` prints what the guard refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from graphagent import concurrency
from graphagent.graph.plan import Plan
from graphagent.session import operations as ops
from graphagent.session.documents import replay_document
from graphagent.session.graph_file import read_graph_file
from graphagent.session.host import Host
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.snapshot import SessionQuery
from graphagent.stores.sqlite import SqliteStore

REFUSED = frozenset({
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
})  # fmt: skip
CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Forbidden(BaseException):
    """Not an Exception, so that nothing swallows it."""


def guard(store: Path) -> None:
    """From now on this process reaches nothing outside, and writes no file but the store's own."""
    own = {str(store), f"{store}-wal", f"{store}-shm"}

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if event in REFUSED:
            raise Forbidden(f"{event} {args!r}")
        if event == "open" and args[2] & CHANGES and str(args[0]) not in own:
            raise Forbidden(f"open for writing: {args[0]}")

    sys.addaudithook(refuse)


async def replay_all(store: Path, graph: str | None) -> list[dict[str, Any]]:
    """The `replay` documents of all sessions, children and forks too."""
    plan: Plan | None = read_graph_file(graph).compiled() if graph else None
    guard(store)
    settings = Settings(store.parent, str(store))
    host = Host(settings, await SqliteStore.open(store), SystemClock(), Models(settings, {}))
    try:
        out = []
        for entry in await host.store.sessions(SessionQuery(children=True, limit=1000)):
            report = await ops.replay(host, entry.row.session, plan=plan)
            out.append({"graph": entry.row.graph, **replay_document(report).data()})
        return out
    finally:
        await host.aclose()


async def try_all(store: Path) -> list[str]:
    """Attempt what a replay must never do; the names of the attempts that were refused."""
    guard(store)
    attempts: dict[str, Callable[[], Any]] = {
        "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
        "bind": lambda: socket.socket().bind(("127.0.0.1", 0)),
        "resolve": lambda: socket.getaddrinfo("localhost", 80),
        "sendto": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "popen": lambda: subprocess.run(["true"], check=False),
        "system": lambda: os.system("true"),
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "write": lambda: (store.parent / "new").write_text("x"),
        "temporary": tempfile.mkstemp,
    }
    refused = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except Forbidden:
            refused.append(name)
    for connect in (trio.open_tcp_stream, asyncio_connect):
        try:
            await connect("127.0.0.1", 9)
        except (Forbidden, BaseExceptionGroup):
            refused.append(connect.__name__)
    return refused


async def asyncio_connect(host: str, port: int) -> None:
    """A connection of the asyncio loop below."""
    await concurrency.aio(asyncio.open_connection, host, port)


def main() -> None:
    """Work in a loop that exists before the guard does: it has a socket pair of its own."""
    store = Path(sys.argv[1])
    more = sys.argv[2] if len(sys.argv) > 2 else None
    work: Callable[[], Any] = lambda: replay_all(store, more)  # noqa: E731
    if more == "--try":
        work = lambda: try_all(store)  # noqa: E731
    print(json.dumps(concurrency.run_sync(work)))


if __name__ == "__main__":
    main()
