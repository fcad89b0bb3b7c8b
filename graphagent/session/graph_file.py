"""A graph's file: found, read, checked and compiled. Light, since `validate` imports nothing else of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graphagent.errors import GraphInvalid, NotFound
from graphagent.graph.compile import compile_spec
from graphagent.graph.diagnostics import Diagnostic, render
from graphagent.graph.plan import Plan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import check_text
from graphagent.session.shipped import find_shipped

SHIPPED = "graphagent:"


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A file that was checked. `name` is how messages call it, `texts` has it and its imports by such names.

    `plan` is None if it has errors, or is a library.
    """

    path: Path
    name: str
    texts: Mapping[str, str]
    diagnostics: list[Diagnostic]
    plan: Plan | None

    @property
    def text(self) -> str:
        """The file's own text."""
        return self.texts[self.name]

    @property
    def frames(self) -> str:
        """All findings as people read them."""
        return render(self.diagnostics, self.texts)

    def compiled(self) -> Plan:
        """The plan. Raises GraphInvalid with all findings, NotFound for a library."""
        if self.plan is None and not any(item.severity == "error" for item in self.diagnostics):
            hint = "a library is imported by graphs: run one of those"
            raise NotFound(f"there is no graph to run in {self.name}", hint=hint)
        if self.plan is None:
            raise GraphInvalid(self.diagnostics, self.frames)
        return self.plan


def read_graph_file(path: str | Path, root: Path | None = None) -> GraphFile:
    """Read and check a file, or a ready-made graph: `graphagent:summarize.graph.yaml`.

    Args:
        root: The project folder; functions and prompts are looked up beside the file, then there.

    Raises:
        NotFound: there is no such file.
    """
    file = find_graph(path)
    name = shown_name(file, root)
    files = ProjectFolder(root or file.parent, file.parent)
    checked = check_text(file.read_bytes(), name, files, str(file))
    plan = None
    if checked.linked is not None and checked.linked.kind == "Graph":
        plan = compile_spec(checked.linked, checked.template, checked.positions, str(file), checked.folders)
    return GraphFile(file, name, checked.texts, checked.diagnostics, plan)


def find_graph(path: str | Path) -> Path:
    """The file of a graph, ready-made ones included. Raises NotFound."""
    text = str(path)
    if text.startswith(SHIPPED):
        return find_shipped(text.removeprefix(SHIPPED))
    file = Path(path)
    if not file.is_file():
        near = sorted(p.name for p in file.parent.glob("*.graph.yaml"))[:5] if file.parent.is_dir() else []
        there = f"there are: {', '.join(near)}" if near else "give the path of a NAME.graph.yaml"
        raise NotFound(f"no file {text}", hint=there)
    return file.resolve()


def shown_name(file: Path, root: Path | None) -> str:
    """A path relative to the working folder or to the project, where it is inside."""
    for base in (Path.cwd(), root):
        if base is not None and file.is_relative_to(base.resolve()):
            return file.relative_to(base.resolve()).as_posix()
    return file.as_posix()
