"""The schema for editors takes what the compiler reads, and refuses what it refuses about keys and forms."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from graphagent.graph import keys
from graphagent.graph.document import Document
from graphagent.graph.reader import Reader
from graphagent.graph.schema import FRAGMENTS, graph_schema
from graphagent.graph.source import parse_yaml
from graphagent.graph.walker import read_spec

ROOT = Path(__file__).parents[3]
SCHEMA = graph_schema()
CHECK = jsonschema.Draft7Validator(SCHEMA)
VALID = sorted([
    *(ROOT / "tests" / "golden" / "valid").glob("*.yaml"), *ROOT.glob("examples/*/*.graph.yaml"),
    *ROOT.glob("graphs/*.graph.yaml"), *ROOT.glob("graphs/*.library.yaml"),
])  # fmt: skip


def data_of(path: Path) -> Any:
    return parse_yaml(path.read_bytes(), path.name).data()


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_what_is_valid_fits(path: Path) -> None:
    assert [error.message for error in CHECK.iter_errors(data_of(path))] == []


def test_every_reader_has_a_fragment() -> None:
    shapes = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, dict)]
    entries = [
        entry for shape in [*shapes, *keys.KINDS.values()] for entry in shape.values() if isinstance(entry, keys.Key)
    ]
    assert {entry.reader for entry in entries} - {"choice", "integer", "number"} == set(FRAGMENTS)
    assert issubclass(Reader, object)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all mappings of a document."""
    if isinstance(value, dict):
        return [path, *(found for key, item in value.items() for found in places(item, (*path, key)))]
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in places(item, (*path, i))]
    return []


def inside(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


@pytest.mark.slow
@pytest.mark.parametrize("name", ["every_key.graph.yaml", "every_kind.graph.yaml", "every_name.library.yaml"])
def test_a_key_that_the_compiler_does_not_know_is_refused_at_the_same_places(name: str) -> None:
    plain = data_of(ROOT / "tests" / "golden" / "valid" / name)
    for path in places(plain):
        broken = copy.deepcopy(plain)
        inside(broken, path)["no-such-key"] = 1
        document = document_from(broken)
        spec, walker = read_spec(document)
        wrong = [d for d in walker.diagnostics if d.severity == "error"]
        if any("none of the events" in d.message for d in wrong):  # what is named elsewhere a schema can't know
            continue
        assert bool(list(CHECK.iter_errors(broken))) == bool(wrong), path
        assert spec is not None


def document_from(data: Any) -> Document:
    from graphagent.graph.document import document_of

    return document_of(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nodes", "ask", "mode"), "aprove"),
        (("nodes", "ask", "timeout"), "4 hours"),
        (("nodes", "each", "concurrency"), 0),
        (("nodes", "classify", "kind"), "lllm"),
        (("nodes", "classify", "next"), []),
        (("limits", "supersteps"), "many"),
        (("models", "main"), "no provider"),
        (("defaults", "retry", "on"), ["tiemout"]),
        (("metadata", "name"), "Every Kind"),
        (("channels", "alarm", "scope"), "forever"),
    ],
    ids=lambda value: str(value),
)
def test_wrong_forms_are_refused(path: tuple[Any, ...], value: Any) -> None:
    broken = data_of(ROOT / "tests" / "golden" / "valid" / "every_kind.graph.yaml")
    inside(broken, path[:-1])[path[-1]] = value
    assert list(CHECK.iter_errors(broken))
