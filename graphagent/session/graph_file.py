"""A graph's file: found, read, checked and compiled. Light, since `validate` imports nothing else of this package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphagent.errors import GraphInvalid, NotFound
from graphagent.graph.analysis import Analysis
from graphagent.graph.compile import compile_spec
from graphagent.graph.diagnostics import Diagnostic, Suppression, render
from graphagent.graph.document import Document, Scalar
from graphagent.graph.document import Mapping as Object
from graphagent.graph.plan import Plan
from graphagent.graph.validate import check_text
from graphagent.session.classes import project_files
from graphagent.session.shipped import find_shipped

SHIPPED = "graphagent:"
ENDINGS = (".graph.yaml", ".library.yaml")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A file that was checked. `name` is how messages call it, `texts` has it and its imports by such names.

    `plan` is None if it has errors, or is a library. `graph` is its name; `nodes` and `channels` are counted as far
    as they could be read; `others` are the files that it was checked with, those that aren't there too.
    `analysis` is what its checks found out.
    """

    path: Path
    name: str
    texts: Mapping[str, str]
    document: Document
    diagnostics: list[Diagnostic]
    plan: Plan | None
    suppressions: tuple[Suppression, ...] = ()
    graph: str | None = None
    nodes: int = 0
    channels: int = 0
    others: tuple[Path, ...] = ()
    analysis: Analysis | None = None

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


def read_graph_file(
    path: str | Path,
    root: Path | None = None,
    content: bytes | None = None,
    planned: Mapping[Path, bytes] | None = None,
) -> GraphFile:
    """Read and check a file, or a ready-made graph: `graphagent:summarize.graph.yaml`.

    Args:
        root: The project folder; functions and prompts are looked up beside the file, then there.
        content: What to check in its place.
        planned: What is going to be in files that it imports, by their real paths.

    Raises:
        NotFound: there is no such file.
    """
    file = find_graph(path)
    name = shown_name(file, root)
    files = project_files(root or file.parent, file.parent, planned=planned)
    checked = check_text(read_content(file, name) if content is None else content, name, files, str(file))
    plan = None
    if checked.linked is not None and checked.linked.kind == "Graph":
        plan = compile_spec(
            checked.linked, checked.template, checked.positions, str(file), checked.folders, checked.skills
        )
    graph, nodes, channels = _outline(checked.document)
    return GraphFile(
        file, name, checked.texts, checked.document, checked.diagnostics, plan,
        tuple(checked.document.suppressions), graph, nodes, channels, files.looked_up, checked.analysis,
    )  # fmt: skip


def read_content(file: Path, name: str) -> bytes:
    """The bytes of a file. Raises NotFound if it may not be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"can't read {name}: {error.strerror}", hint="give a file that may be read") from error


def find_own_graphs(paths: Iterable[str | Path]) -> list[Path]:
    """As `find_graphs`, for commands that write: each file is there and none is a ready-made one. Raises NotFound."""
    found = find_graphs(paths)
    for path in found:
        if str(path).startswith(SHIPPED):
            raise NotFound(f"{path} is part of graphagent and stays as it is", hint="give a file of your own")
    return [find_graph(path) for path in found]


def _outline(document: Document) -> tuple[str | None, int, int]:
    """The name, and how many nodes and channels there are, of what could be read."""
    name = document.node(("metadata", "name"))
    inner = document.node(("graphs",))
    graphs = (
        [document.root, *(value for _, value in inner.items.values())] if isinstance(inner, Object) else [document.root]
    )
    counts = []
    for key in ("nodes", "channels"):
        parts = [graph.get(key) for graph in graphs if isinstance(graph, Object)]
        counts.append(sum(len(part.items) for part in parts if isinstance(part, Object)))
    return name.text if isinstance(name, Scalar) and isinstance(name.value, str) else None, counts[0], counts[1]


def find_graphs(paths: Iterable[str | Path]) -> list[str | Path]:
    """The graphs and libraries that are named, and those below the folders that are, each once.

    Hidden folders and those of installed packages are left out.

    Raises:
        NotFound: a folder has none.
    """
    out: dict[Path | str, str | Path] = {}
    for path in paths:
        folder = Path(path)
        if str(path).startswith(SHIPPED) or not folder.is_dir():
            out.setdefault(folder.resolve() if folder.is_file() else str(path), path)
            continue
        found = list(_below(folder))
        if not found:
            raise NotFound(f"no graph is below {path}", hint="graphs are called NAME.graph.yaml")
        for file in found:
            out.setdefault(file.resolve(), file)
    return list(out.values())


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        here = Path(where)
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and name not in _SKIPPED and not (here / name / "pyvenv.cfg").exists()
        )  # fmt: skip
        yield from (here / name for name in sorted(files) if name.endswith(ENDINGS) and not name.startswith("."))


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
