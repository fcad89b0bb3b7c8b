"""The files that a graph may name: Python modules and prompts of the project folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

_MAX_BYTES = 1 << 20


class Project(Protocol):
    """Where the checks look functions and prompts up. Texts only: nothing is imported."""

    def module(self, name: str) -> str | None:
        """The text of the Python module `pkg.mod`, None if the project has no such module."""

    def template(self, file: str) -> str | None:
        """The text of a prompt file as a graph names it, None if there is none within the project."""

    def allows(self, module: str) -> bool:
        """Whether the host lets graphs name this module although it isn't in the project."""
        ...


class ProjectFolder:
    """A project on disk.

    Args:
        root: The project folder.
        graph_folder: The folder of the graph file, which is looked into first; by default the root.
        allow_modules: Modules outside of the project that graphs may name; `pkg` stands for all that is in it.
    """

    def __init__(self, root: Path, graph_folder: Path | None = None, allow_modules: Iterable[str] = ()) -> None:
        self.allow_modules = tuple(allow_modules)
        self.roots = tuple(dict.fromkeys(folder.resolve() for folder in (graph_folder or root, root)))
        self._texts: dict[Path, str | None] = {}

    def module(self, name: str) -> str | None:
        parts = name.split(".")
        for root in self.roots:
            for path in (root.joinpath(*parts[:-1], parts[-1] + ".py"), root.joinpath(*parts, "__init__.py")):
                text = self._read(path, root)
                if text is not None:
                    return text
        return None

    def allows(self, module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in self.allow_modules)

    def template(self, file: str) -> str | None:
        if file.startswith("/") or ".." in file.split("/"):
            return None
        for root in self.roots:
            text = self._read(root / file, root)
            if text is not None:
                return text
        return None

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
