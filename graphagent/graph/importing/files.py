"""The files that a document imports: found, read, and checked for themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphagent.graph.analysis import Analysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.plan import Position
from graphagent.graph.project import ImportedFile, Project
from graphagent.graph.reporter import Reporter
from graphagent.graph.spec import ImportSpec, Path, Spec

MAX_DEPTH = 16
"""How deep imports of imports may go."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An import that was read.

    `analysis` is None where its file can't be read at all; `found` are the findings about it and its own imports, by
    whose names `texts` has the files. `linked` is None if it has errors. `folder` is its folder from the importer's,
    `folders` are those of its imports from there. `skills` are the files of skills of all of them.
    """

    analysis: Analysis | None
    found: tuple[Diagnostic, ...]
    texts: Mapping[str, str]
    linked: Spec | None
    positions: Mapping[Path, Position]
    template: Callable[[str], str | None]
    folder: str
    folders: tuple[str, ...]
    skills: tuple[str, ...]
    sound: bool


Check = Callable[[ImportedFile, tuple[str, ...]], Loaded]
"""Reads and checks a file that the files with these keys import, the outermost first."""


@dataclass(slots=True)
class Imports:
    """The imports of one document: those that could be read, and what is wrong with the others."""

    loaded: dict[str, Loaded] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    @property
    def analyses(self) -> Mapping[str, Analysis]:
        return {name: item.analysis for name, item in self.loaded.items() if item.analysis is not None}

    @property
    def sound(self) -> bool:
        return not self.findings and all(item.sound for item in self.loaded.values())


def load_imports(reporter: Reporter, project: Project, seen: tuple[str, ...], check: Check) -> Imports:
    """Read every file that a document imports.

    Args:
        reporter: The importing document.
        project: Where it stands.
        seen: The keys of the files on the way to this one, itself the last.
        check: Reads and checks one file.
    """
    out = Imports()
    for name, item in reporter.spec.imports.items():
        file = project.imported(item.source)
        if isinstance(file, str):
            out.findings.append(_wrong(reporter, "GA103", item, file))
        elif file.key in seen:
            out.findings.append(_wrong(reporter, "GA106", item, "the import leads back to this file"))
        elif len(seen) > MAX_DEPTH:
            out.findings.append(_wrong(reporter, "GA106", item, f"imports are nested deeper than {MAX_DEPTH}"))
        else:
            out.loaded[name] = check(file, (*seen, file.key))
    return out


def _wrong(reporter: Reporter, code: str, item: ImportSpec, message: str) -> Diagnostic:
    short = (*item.path, "from")
    path = short if reporter.document.node(short) is not None else item.path
    return reporter.finding(code, message, path)
