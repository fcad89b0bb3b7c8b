"""Real runs for the documents' tests, on both stores; every document is checked against its written schema."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import positions_of, validate_text
from graphagent.llm.scripted import ScriptedModel
from graphagent.ports import Store
from graphagent.session import operations
from graphagent.session.documents.part import Document
from graphagent.session.host import Host
from graphagent.session.operations import Options, Outcome
from graphagent.session.schemas import FOLDER
from graphagent.session.services import Models
from graphagent.session.settings import Settings
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore

HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t, version: 1.2.0 }\n"
MODULE = "documents_test_nodes"
START_US = 1_764_000_000_000_000


class TickingClock:
    """One millisecond passes at each look; `skip` lets more pass."""

    def __init__(self) -> None:
        self.now = START_US

    def now_us(self) -> int:
        self.now += 1_000
        return self.now

    def skip(self, us: int) -> None:
        self.now += us


class StillClock(TickingClock):
    """No time passes but by `skip`."""

    def now_us(self) -> int:
        return self.now


class World:
    """One project with one store."""

    def __init__(self, folder: Path, store: Store, clock: TickingClock) -> None:
        self.folder, self.clock, self.store = folder, clock, store
        self.models: dict[str, Any] = {"main": ScriptedModel(["one", "two", "three", "four"])}
        self.host = self.new_host()

    def new_host(self) -> Host:
        """What another process would have: nothing in memory, the same store."""
        settings = Settings(self.folder, "memory:")
        return Host(settings, self.store, self.clock, Models(settings, self.models))

    def functions(self, text: str) -> None:
        """Write the module that `nodes:NAME` in a graph means."""
        (self.folder / f"{MODULE}.py").write_text(textwrap.dedent(text), encoding="utf-8")

    def plan(self, graph: str, file: str = "graphs/t.graph.yaml") -> Plan:
        """Compile a graph that has no errors."""
        text = HEAD + textwrap.dedent(graph).replace("nodes:", "nodes:").replace('"fns:', f'"{MODULE}:')
        files = ProjectFolder(self.folder)
        spec, found, document = validate_text(text, file, files)
        assert spec is not None, [str(d) for d in found]
        return compile_spec(spec, files.template, positions_of(spec, document), str(self.folder / file))

    async def start(self, graph: str | Plan, inputs: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
        """A new session and its first run."""
        plan = self.plan(graph) if isinstance(graph, str) else graph
        return await operations.start(self.host, plan, inputs or {}, Options(seed=1, **options))

    async def answer(self, outcome: Outcome, value: Any) -> Outcome:
        """Answer the one open question and run on."""
        row = await operations.find_interrupt(self.host, outcome.row.session)
        await operations.answer(self.host, row, value, by="ada")
        return await operations.drive(self.host, outcome.row.session)


Case = Callable[[World], Awaitable[None]]


def on_stores(case: Case) -> Callable[..., None]:
    """A test that runs the case on both stores."""

    @pytest.mark.parametrize("kind", ["memory", "sqlite"])
    def test(kind: str, tmp_path: Path) -> None:
        async def main() -> None:
            clock = TickingClock()
            folder = tmp_path / "project"
            folder.mkdir()
            store: Store = MemoryStore(clock=clock)
            if kind == "sqlite":
                store = await SqliteStore.open(tmp_path / "sessions.db", clock=clock)
            try:
                await case(World(folder, store, clock))
            finally:
                await store.aclose()
                sys.modules.pop(MODULE, None)

        trio.run(main)

    test.__name__, test.__doc__, test.__module__ = case.__name__, case.__doc__, case.__module__
    return test


def checked(document: Document) -> dict[str, Any]:
    """The document as a reader of its JSON gets it; it must fit the schema that stands in the repository."""
    text = document.json()
    data: dict[str, Any] = json.loads(text)
    name = data["schema"].removeprefix("graphagent/").removesuffix("@1")
    schema = json.loads((FOLDER / "documents" / f"{name}.json").read_text(encoding="utf-8"))
    fits(data, schema, schema["definitions"])
    assert json.dumps(document.document, ensure_ascii=False, separators=(",", ":")) == text
    return data


def fits(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str = "$") -> None:
    """Check a value against the part of draft-07 that the schemas use. Keys must stand in the schema's order."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    assert set(schema) <= {
        "$schema", "title", "description", "definitions", "type", "const", "enum", "pattern", "properties", "required",
        "additionalProperties", "items", "anyOf", "oneOf",
    }  # fmt: skip
    if "anyOf" in schema:
        assert any(_fits(value, part, definitions) for part in schema["anyOf"]), f"{path}: {value!r} fits nothing"
    if "const" in schema:
        assert value == schema["const"], path
    if "enum" in schema:
        assert value in schema["enum"], f"{path}: {value!r}"
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(_is(value, kind) for kind in kinds), f"{path}: {value!r} is no {kinds}"
    if "pattern" in schema and isinstance(value, str):
        assert re.search(schema["pattern"], value), f"{path}: {value!r}"
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            fits(item, schema["items"], definitions, f"{path}[{i}]")
    if isinstance(value, dict):
        _fits_object(value, schema, definitions, path)


def _fits_object(value: dict[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> None:
    known = schema.get("properties", {})
    assert set(schema.get("required", ())) <= set(value), f"{path}: {set(schema['required']) - set(value)} missing"
    if "oneOf" in schema:
        assert sum(set(part["required"]) <= set(value) for part in schema["oneOf"]) == 1, path
    if known:
        assert list(value) == [key for key in known if key in value], f"{path}: {list(value)}"
    for key, item in value.items():
        fits(item, known.get(key, schema.get("additionalProperties", {})), definitions, f"{path}.{key}")


def _fits(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    try:
        fits(value, schema, definitions)
    except AssertionError:
        return False
    return True


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    types: dict[str, Any] = {
        "string": str, "integer": int, "number": int | float, "boolean": bool, "null": type(None), "array": list,
        "object": dict,
    }  # fmt: skip
    return isinstance(value, types[kind])


class CountingStore:
    """A store that counts the calls that go through it."""

    def __init__(self, store: Store) -> None:
        self._store, self.calls = store, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name != "name":
            self.calls += 1
        return found
