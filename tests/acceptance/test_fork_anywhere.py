"""A fork at each snapshot of a session: one row each, and what had been called before is never called again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import apsw
import pytest

import graphagent
from graphagent.concurrency import run_sync
from graphagent.session import operations as ops
from graphagent.session.project import Project

SUPERSTEPS = 50
GRAPH = """
    apiVersion: graphagent/v1
    kind: Graph
    metadata: { name: visits }
    inputs: { port: int }
    outputs: { pages: "list[str]" }
    channels: { n: { type: int, default: 0 }, pages: { type: "list[str]", reducer: append } }
    start: visit
    nodes:
      visit:
        kind: code
        python: "visiting:page"
        effects: read
        with: { port: "${ inputs.port }", n: "${ n }" }
        returns: str
        writes: { n: "${ n + 1 }", pages: "${ [out] }" }
        next: [{ when: n < %d, to: visit }, { to: end }]
"""
VISITING = """
from urllib.request import urlopen

def page(port: int, n: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/{n}") as answer:
        return answer.read().decode()
"""


@pytest.fixture
def server() -> Iterator[tuple[int, Counter[str]]]:
    """A server that counts what it is asked for."""
    asked: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[self.path] += 1
            body = f"page {self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield found.server_address[1], asked
        found.shutdown()
        thread.join()


def rows(file: Path) -> Counter[str]:
    """How many rows each table of the store has."""
    with closing(apsw.Connection(str(file))) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        return Counter({table: next(db.execute(f"select count(*) from {table}"))[0] for table in tables})


def test_a_fork_at_each_snapshot_is_one_row_and_repeats_nothing(
    tmp_path: Path, server: tuple[int, Counter[str]]
) -> None:
    port, asked = server
    (tmp_path / "visiting.py").write_text(VISITING)
    file = tmp_path / "visits.graph.yaml"
    file.write_text(GRAPH % SUPERSTEPS)
    project = Project(tmp_path)
    store = tmp_path / ".graphagent" / "sessions.db"
    plan = graphagent.load(file).compile()

    async def work() -> None:
        try:
            host = await project.host()
            whole = await ops.start(host, plan, {"port": port})
            origin = whole.row.session
            assert asked == Counter({f"/{n}": 1 for n in range(SUPERSTEPS)})
            forks = []
            before = rows(store)
            for at in range(1, SUPERSTEPS + 2):
                forks.append((await ops.fork(host, origin, at)).row)
                now = rows(store)
                assert now - before == Counter({"sessions": 1})
                before = now
            assert asked.total() == SUPERSTEPS
            for at in (1, 2, 17, 33, SUPERSTEPS, SUPERSTEPS + 1):
                asked.clear()
                outcome = await ops.resume(host, forks[at - 1].session)
                assert outcome.outputs == whole.outputs
                assert asked == Counter({f"/{n}": 1 for n in range(at - 1, SUPERSTEPS)})
        finally:
            await project.aclose()

    run_sync(work)
