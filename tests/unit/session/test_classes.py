"""Modules outside of the project: what the host allows, and classes of theirs as types."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from graphagent import Project, load
from graphagent.errors import GraphInvalid, InputInvalid, NodeError
from graphagent.graph.class_types import Classes, NoClass
from graphagent.graph.python_types import NoType
from graphagent.session import classes
from graphagent.session.classes import read_class
from graphagent.session.functions import Functions
from graphagent.session.settings import allowed_modules
from tests.unit.graph.test_class_types import MODULES

pytestmark = pytest.mark.slow

GRAPH = """\
apiVersion: graphagent/v1
kind: Graph
metadata: { name: far }
inputs: { doc: "faraway.models:Doc" }
outputs: { size: int }
channels: { size: { type: int, default: 0 } }
start: measure
nodes:
  measure:
    kind: code
    python: faraway.work:measure
    with: { doc: "${ inputs.doc }" }
    returns: int
    writes: { size: "${ out }" }
    next: end
"""
MODELS = """
import sys
from pydantic import BaseModel, Field
from enum import Enum

print("models say hello")
sys.stdout.flush()

class Kind(Enum):
    SMALL = "small"
    BIG = "big"

class Part(BaseModel):
    words: int = 0

class Doc(BaseModel):
    title: str
    parts: list[Part] = Field(default_factory=list)
    kind: Kind = Kind.SMALL
    note: str | None = None

class Wrong(BaseModel):
    at: complex

class Plain:
    pass
"""
WORK = "from pathlib import Path\ndef measure(doc):\n    return len(doc['title'])\n"


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which Python imports the package `faraway`, as if it were installed."""
    folder = tmp_path / "outside"
    package = folder / "faraway"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(MODELS)
    (package / "work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "far.graph.yaml").write_text(GRAPH)
    (folder / "graphagent.toml").write_text('allow_modules = ["faraway"]\n')
    return folder


def test_an_allowed_module_gives_types_and_functions(outside: Path, project: Path) -> None:
    where = Project(project, store="memory:")
    result = load(project / "far.graph.yaml", project=where).run({"doc": {"title": "four"}}, project=where)
    assert result.outputs == {"size": 4}
    with pytest.raises(InputInvalid, match=r"doc\.kind"):
        load(project / "far.graph.yaml", project=where).run({"doc": {"title": "x", "kind": "huge"}}, project=where)
    where.close()
    assert "faraway.models" not in sys.modules  # types are read in a process of their own


def test_without_it_they_are_refused_and_nothing_is_imported(outside: Path, project: Path) -> None:
    (outside / "faraway" / "models.py").write_text(f"open({str(project / 'ran')!r}, 'w')\n" + MODELS)
    for text in ("", 'allow_modules = ["far", "faraway.other"]'):
        (project / "graphagent.toml").write_text(text)
        with pytest.raises(GraphInvalid) as caught:
            load(project / "far.graph.yaml")
        assert [d.code for d in caught.value.diagnostics] == ["GA108", "GA108"]
    with pytest.raises(NodeError, match=r"no module 'faraway\.work' in the project"):
        Functions((project,)).load("faraway.work:measure")
    assert not (project / "ran").exists()


def test_the_project_says_it_in_python_too(outside: Path, project: Path) -> None:
    (project / "graphagent.toml").unlink()
    where = Project(project, store="memory:", allow_modules=["faraway"])
    assert load(project / "far.graph.yaml", project=where).run({"doc": {"title": "x"}}, project=where).outputs == {
        "size": 1
    }
    where.close()
    with pytest.raises(GraphInvalid):
        load(project / "far.graph.yaml")


def test_a_class_read_by_import_and_by_its_text_is_the_same(outside: Path) -> None:
    assert read_class("faraway.models:Doc") == Classes({"faraway.models": MODELS}.get).read("faraway.models:Doc")
    for name, text in MODULES.items():
        file = outside.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert read_class("models:Doc") == Classes(MODULES.get).read("models:Doc")


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        ("faraway.models:Wrong", NoType, "`complex` is not a type"),
        ("faraway.models:Plain", NoType, "`Plain` is not a type"),
        ("faraway.models:None_", NoClass, "AttributeError"),
        ("faraway.nothing:Doc", NoClass, "ModuleNotFoundError"),
        ("faraway.models:sys", NoType, "is not a type"),
    ],
)
def test_what_the_process_says_is_told(outside: Path, reference: str, kind: type[NoType], message: str) -> None:
    with pytest.raises(kind, match=message):
        read_class(reference)


def test_a_module_that_hangs_or_ends_the_process(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (outside / "faraway" / "bad.py").write_text("import os\nos._exit(3)\n")
    with pytest.raises(NoClass, match="ended the process"):
        read_class("faraway.bad:Doc")
    monkeypatch.setattr(classes, "TIME_LIMIT_S", 0.5)
    (outside / "faraway" / "slow.py").write_text("import time\ntime.sleep(600)\n")
    with pytest.raises(NoClass, match="took longer"):
        read_class("faraway.slow:Doc")


def test_the_setting_holds_names_of_modules(tmp_path: Path) -> None:
    file = tmp_path / "graphagent.toml"
    for wrong in ('["a-b"]', "[1]", '[""]', '["a..b"]', '["a."]'):
        file.write_text(f"allow_modules = {wrong}\n")
        with pytest.raises(InputInvalid, match="is no name of a module"):
            allowed_modules(tmp_path)
    file.write_text('allow_modules = "faraway"\n')
    with pytest.raises(InputInvalid, match="list is expected"):
        allowed_modules(tmp_path)
    file.write_text('allow_modules = ["a", "b.c"]\n')
    assert allowed_modules(tmp_path) == ("a", "b.c")
    assert json.dumps(allowed_modules(tmp_path / "none")) == '["a", "b.c"]'
