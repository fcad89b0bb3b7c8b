"""A stage for tests of events: scripted models, functions, a store in memory, and every event that was seen."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphagent.artifacts.memory import MemoryArtifacts
from graphagent.events import Event
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import validate_text
from graphagent.ids import SessionId
from graphagent.ports import Model
from graphagent.session import operations as ops
from graphagent.session.host import Host
from graphagent.session.observer import Observer
from graphagent.session.operations import Options, Outcome
from graphagent.session.reading import read_events
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.snapshot import SessionRow
from graphagent.stores.memory import MemoryStore

HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: staged }\n"


class Stage:
    """One project in a folder. `seen` has all events in the order in which they were shown, provisional ones too."""

    def __init__(self, folder: Path, functions: str = "", **settings: Any) -> None:
        self.folder = folder
        self.models: dict[str, Model] = {}
        self.seen: list[Event] = []
        self.store = MemoryStore()
        self.settings = Settings(folder, "memory:", **settings)
        if functions:
            file = folder / "fns.py"
            file.write_text("from graphagent import ToolFailed\nimport trio\n" + textwrap.dedent(functions))
            Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)
            sys.modules.pop("fns", None)
        self.boot()

    def boot(self) -> None:
        """A new process on the same store."""
        self.host = Host(
            self.settings, self.store, SystemClock(), Models(self.settings, self.models),
            MemoryArtifacts(clock=SystemClock()),
        )  # fmt: skip

    def plan(self, graph: str) -> Plan:
        files = ProjectFolder(self.folder)
        spec, found, _ = validate_text(HEAD + textwrap.dedent(graph), "staged.graph.yaml", files)
        assert spec is not None, found
        return compile_spec(spec, files.template)

    async def start(self, graph: str, inputs: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
        return await ops.start(
            self.host, self.plan(graph), inputs or {}, Options(seed=1, **options), Observer(self.seen.append)
        )

    async def answer(self, row: SessionRow, value: Any) -> Outcome:
        """Answer the oldest open question and run on."""
        question = (await ops.open_interrupts(self.host, row.session))[0]
        await ops.answer(self.host, question, value)
        return await ops.drive(self.host, row.session, Options(seed=1), Observer(self.seen.append))

    async def events(self, session: SessionId) -> list[Event]:
        """The committed events of a session, as they are stored."""
        row = await self.store.session(session)
        return await read_events(self.store, row, (await self.host.plan_of(row)).graph)


def kinds(events: list[Event], *prefixes: str) -> list[str]:
    """The kinds of the events whose kind starts so."""
    return [e.kind for e in events if e.kind.startswith(prefixes)]
