"""The files that a graph may name: Python modules and prompts of the project folder."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graphagent.graph.class_types import Classes
from graphagent.graph.shipped import SHIPPED, shipped_file

_MAX_BYTES = 1 << 20
SKILLS = "prompts/skills"
ReadClass = Callable[[str], Mapping[str, Mapping[str, str]]]


class Project(Protocol):
    """Where the checks look functions and prompts up. Texts only: nothing is imported."""

    def module(self, name: str) -> str | None:
        """The text of the Python module `pkg.mod`, None if the project has no such module."""

    def template(self, file: str) -> str | None:
        """The text of a prompt file as a graph names it, None if there is none within the project."""

    def skills(self) -> Mapping[str, str | None] | None:
        """The texts of the files in `prompts/skills` by path, None for one that can't be read; None without folder."""

    def imported(self, source: str) -> ImportedFile | str:
        """The file that a graph imports, by its path from the graph's folder; else what is wrong with it."""
        ...

    def classes(self, reference: str) -> Mapping[str, Mapping[str, str]]:
        """The fields of the class `pkg.mod:Model` and of those that they refer to, by reference. Raises NoType."""
        ...

    def allows(self, module: str) -> bool:
        """Whether the host lets graphs name this module although it isn't in the project."""
        ...


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that a graph imports: `name` is how messages call it, `key` tells it from all others.

    `folder` is its folder from that of the importing graph, or `graphagent:` for a ready-made one. `project` is what
    it sees itself.
    """

    key: str
    name: str
    folder: str
    text: bytes
    project: Project


class ProjectFolder:
    """A project on disk.

    Args:
        root: The project folder.
        graph_folder: The folder of the graph file, which is looked into first; by default the root.
        allow_modules: Modules outside of the project that graphs may name; `pkg` stands for all that is in it.
        read_class: Reads a class of such a module: what `classes` gives.
        planned: What is going to be in files that graphs import, by their real paths.
    """

    def __init__(
        self, root: Path, graph_folder: Path | None = None, allow_modules: Iterable[str] = (),
        read_class: ReadClass | None = None, planned: Mapping[Path, bytes] | None = None,
    ) -> None:  # fmt: skip
        self.allow_modules, self._read_class = tuple(allow_modules), read_class
        self._classes: dict[str, Mapping[str, Mapping[str, str]]] = {}
        self.planned = planned or {}
        self.root = root
        self.roots = tuple(dict.fromkeys(folder.resolve() for folder in (graph_folder or root, root)))
        self._texts: dict[Path, str | None] = {}
        self._files: list[Path] = []
        self._imported: list[ProjectFolder] = []

    @property
    def looked_up(self) -> tuple[Path, ...]:
        """All files that were asked for, those that aren't there too."""
        inner = (path for other in self._imported for path in other.looked_up)
        return (*self._texts, *self._files, *inner)

    def module(self, name: str) -> str | None:
        parts = name.split(".")
        for root in self.roots:
            packages = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts))]
            if not all(package.resolve().is_relative_to(root) for package in packages):
                continue  # importing the module would run a file outside of the project
            for path in (root.joinpath(*parts[:-1], parts[-1] + ".py"), root.joinpath(*parts, "__init__.py")):
                text = self._read(path, root)
                if text is not None:
                    return text
        return None

    def allows(self, module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in self.allow_modules)

    def classes(self, reference: str) -> Mapping[str, Mapping[str, str]]:
        if reference not in self._classes:
            module = reference.partition(":")[0]
            foreign = self._read_class is not None and self.module(module) is None and self.allows(module)
            read = self._read_class if self._read_class is not None and foreign else Classes(self.module).read
            self._classes[reference] = read(reference)
        return self._classes[reference]

    def template(self, file: str) -> str | None:
        if file.startswith("/") or ".." in file.split("/"):
            return None
        for root in self.roots:
            text = self._read(root / file, root)
            if text is not None:
                return text
        return None

    def skills(self) -> Mapping[str, str | None] | None:
        for root in self.roots:
            folder = root / SKILLS
            if folder.is_dir() and folder.resolve().is_relative_to(root):
                files = sorted(f"{SKILLS}/{file.name}" for file in folder.glob("*.md"))
                return {file: self._read(root / file, root) for file in files}
        return None

    def imported(self, source: str) -> ImportedFile | str:
        here = self.roots[0]
        if source.startswith(SHIPPED):
            file = shipped_file(source.removeprefix(SHIPPED))
            if file is None:
                return f"there is no ready-made file `{source}`"
            root, name, folder = file.parent, source, SHIPPED
        else:
            file = (here / source).resolve()
            roots = [folder for folder in self.roots if file.is_relative_to(folder)]
            if not roots or Path(source).is_absolute():
                return f"`{source}` lies outside of the project"
            root, name = self.root, file.relative_to(roots[-1]).as_posix()
            folder = posixpath.relpath(file.parent.as_posix(), here.as_posix())
        self._files.append(file)
        try:
            text = self.planned[file] if file in self.planned else file.read_bytes()
        except OSError:
            return f"there is no file `{source}`"
        self._imported.append(ProjectFolder(root, file.parent, self.allow_modules, self._read_class, self.planned))
        return ImportedFile(str(file), name, folder, text, self._imported[-1])

    def _read(self, path: Path, root: Path) -> str | None:
        if path not in self._texts:
            self._texts[path] = self._load(path, root)
        return self._texts[path]

    def _load(self, path: Path, root: Path) -> str | None:
        """The text of a file that really is below `root`: a link that leaves it is not followed."""
        try:
            if not path.is_file() or not path.resolve().is_relative_to(root) or path.stat().st_size > _MAX_BYTES:
                return None
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError):
            return None
