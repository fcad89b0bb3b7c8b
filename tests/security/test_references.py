"""References to code: only modules of the project, by plain names, and nothing is imported to check them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphagent.errors import NodeError
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import check_text
from graphagent.session.functions import Functions
from tests.security.measure import refused_in_time

GRAPH = (
    "apiVersion: graphagent/v1\nkind: Graph\nmetadata: {{ name: t }}\nstart: a\nnodes:\n"
    "  a: {{ kind: code, python: '{}', next: end }}\n"
)
REFUSED = (
    "os:system", "builtins:eval", "builtins:exec", "subprocess:run", "sys:exit", "importlib:import_module",
    "posix:system", "nt:system", "pickle:loads", "json:loads", "code:go", "code.inner:go", "random:go", "yaml:load",
    "jinja2:Template", "graphagent.session.functions:sys", "pkg.mod:fn.__globals__", "pkg.mod:fn.__class__",
    "pkg.mod:__builtins__", "pkg.mod:__class__", "pkg.mod:__loader__", "pkg.mod:missing", "pkg.mod:", ":fn", "fn",
    "pkg.mod:fn()", "pkg.mod:fn:fn", "pkg..mod:fn", ".pkg:fn", "..pkg.mod:fn", "pkg/mod:fn", "/etc/passwd:fn",
    "../secret:fn", "pkg.mod:fn ", "pkg.mod: fn", "lambda: 0", "pkg.mod:fn\u200b", "p\u043ag.mod:fn", "\uff50kg.mod:fn",
    "__main__:fn", "link:fn", "linked.mod:fn", "halflink.mod:fn", "pkg.mod:fn\n", "${ x }", "pkg.mod:${ x }",
)  # fmt: skip
FN = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef fn() -> int:\n    return 1\ndef go() -> int:\n    return 1\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (root / "pkg", root / "code", root / "halflink", outside):
        folder.mkdir(parents=True)
    for file in (root / "pkg" / "mod.py", root / "random.py", root / "code" / "inner.py", root / "code" / "__init__.py",
                 root / "halflink" / "mod.py", outside / "mod.py", outside / "secret.py", tmp_path / "secret.py"):  # fmt: skip
        file.write_text(FN)
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "linked").symlink_to(outside)
    (root / "halflink" / "__init__.py").symlink_to(outside / "secret.py")
    return root


def ran(root: Path) -> list[Path]:
    return sorted(root.parent.rglob("ran"))


@pytest.mark.parametrize("reference", REFUSED, ids=ascii)
def test_a_reference_out_of_the_project_is_refused_with_its_place(project: Path, reference: str) -> None:
    text = GRAPH.format(reference.replace("\n", "\n\n"))
    before = set(sys.modules)

    def check() -> None:
        checked = check_text(text, "t.graph.yaml", ProjectFolder(project))
        found = [(item.code, item.span.line) for item in checked.diagnostics]
        assert found, reference
        assert found[0][0] in {"GA006", "GA108", "GA207"}
        assert found[0][1] == 6

    check()
    refused_in_time(check)
    assert not {name for name in set(sys.modules) - before if not name.startswith("graphagent")} & {"pkg", "pkg.mod"}
    assert ran(project) == []


@pytest.mark.parametrize("reference", REFUSED, ids=ascii)
def test_the_loader_refuses_it_too(project: Path, reference: str) -> None:
    with pytest.raises(NodeError):
        Functions((project,)).load(reference)
    assert [path for path in ran(project) if path.parent.name != "pkg"] == []


def test_what_is_allowed_is_found_and_runs_only_when_it_is_called_for(project: Path) -> None:
    checked = check_text(GRAPH.format("pkg.mod:fn"), "t.graph.yaml", ProjectFolder(project))
    assert checked.spec is not None
    assert ran(project) == []
    assert Functions((project,)).load("pkg.mod:fn")() == 1
    assert ran(project) == [project / "pkg" / "ran"]
