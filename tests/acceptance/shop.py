"""A project on disk and its command line, in processes that may be killed; functions note their calls in a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from graphagent import concurrency
from graphagent.ports import Store
from graphagent.snapshot import EffectRow, SessionQuery, SessionRow, Span
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.sqlite import SqliteStore
from tests import warm

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
HEAD = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: shop }
"""
NOTE = """
import os, pathlib, time

HERE = pathlib.Path(__file__).parent

def note(call):
    fd = os.open(HERE / "calls.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, call.encode() + b"\\n")
    os.fsync(fd)
    os.close(fd)
    return call
"""


class Shop:
    """A project folder with `shop.graph.yaml` and `shop_floor.py`. `postgres` is the URL of a store instead of a file."""

    def __init__(self, folder: Path, graph: str, functions: str, *, postgres: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.graph = folder / "shop.graph.yaml"
        self.floor = folder / "shop_floor.py"
        self.graph.write_text(HEAD + textwrap.dedent(graph))
        self.floor.write_text(NOTE + textwrap.dedent(functions))
        (folder / ".graphagent").mkdir(exist_ok=True)
        self.store = folder / ".graphagent" / "sessions.db"
        self.postgres = postgres

    def spawn(self, *command: str, fault: str | None = None) -> subprocess.Popen[str]:
        """Start a command and return at once."""
        line = [sys.executable, "-m", "graphagent", *command, "--json"]
        return subprocess.Popen(
            line, cwd=self.folder, env=self._environment(fault), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def _environment(self, fault: str | None) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
        env |= {"PYTHONPATH": str(ROOT)} | ({"GRAPHAGENT_FAULT": fault} if fault else {})
        return env | ({"GRAPHAGENT_STORE": self.postgres} if self.postgres else {})

    def run(self, *more: str, fault: str | None = None) -> tuple[int, dict[str, Any]]:
        """`graphagent run` of the graph, with a fixed seed."""
        return self.do("run", self.graph.name, "--seed", "1", *more, fault=fault)

    def do(self, *command: str, fault: str | None = None) -> tuple[int, dict[str, Any]]:
        """Any command: its exit code, negative for a signal, and its document."""
        done = warm.graphagent([*command, "--json"], self.folder, self._environment(fault))
        return done.returncode, document(done.stdout, done.stderr)

    def calls(self) -> Counter[str]:
        """How often each function was called, in all processes together."""
        file = self.folder / "calls.log"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    def rows(self) -> list[SessionRow]:
        """All sessions that nobody called, newest first."""

        async def read(store: Store) -> list[SessionRow]:
            return [entry.row for entry in await store.sessions(SessionQuery())]

        return self.stored(read)

    def digest(self) -> bytes:
        """The head digest of the only session."""
        (row,) = self.rows()
        return row.head_digest

    def outcomes(self) -> list[EffectRow]:
        """The effects of the only session whose outcome is durable: nothing makes their calls again."""
        (row,) = self.rows()

        async def read(store: Store) -> list[EffectRow]:
            return [
                effect for effect in await store.effects([Span(row.session, 0, None)]) if effect.outcome is not None
            ]

        return self.stored(read)

    def stored(self, read: Callable[[Any], Awaitable[T]]) -> T:
        """What `read` finds in the store."""

        async def run() -> T:
            store: Store
            if self.postgres:
                store = await PostgresStore.open(self.postgres)
            else:
                store = await SqliteStore.open(self.store)
            try:
                return await read(store)
            finally:
                await store.aclose()

        return concurrency.run_sync(run)


def document(out: str, err: str) -> dict[str, Any]:
    """The JSON document of a command, with what it told people."""
    found: dict[str, Any] = json.loads(out) if out.strip() else {}
    return {**found, "told": err}
