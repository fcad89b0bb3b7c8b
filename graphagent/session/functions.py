"""Finding the author's functions: `pkg.mod:name` in the folder of the graph, then in the project folder."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from graphagent.errors import NodeError

_ours: dict[str, ModuleType] = {}
"""Modules that were imported from a project folder, by name."""


class Functions:
    """The functions of one project. `roots` are searched in order.

    Nothing outside of them is imported by name but `allow_modules` and what is in them.
    """

    def __init__(self, roots: tuple[Path, ...], allow_modules: tuple[str, ...] = ()) -> None:
        self.roots = tuple(dict.fromkeys(r.resolve() for r in roots))
        self.allow_modules = allow_modules
        self._found: dict[str, Callable[..., Any]] = {}

    def load(self, reference: str) -> Callable[..., Any]:
        """The function of a reference.

        Raises:
            NodeError: kind `code_failed`: there is no such module or function, or importing it failed.
        """
        if reference not in self._found:
            module, _, name = reference.partition(":")
            found = None if name.startswith("__") else getattr(self._module(module), name, None)
            if not callable(found):
                raise NodeError(f"{module} has no function {name!r}", hint=f"define `{name}` in {module}")
            self._found[reference] = found
        return self._found[reference]

    def marked(self, module: str, mark: str) -> list[Callable[..., Any]]:
        """The functions of a module that bear a mark, in order.

        Raises:
            NodeError: kind `code_failed`: there is no such module, or importing it failed.
        """
        return [f for f in vars(self._module(module)).values() if callable(f) and hasattr(f, mark)]

    def fingerprint(self, reference: str) -> bytes:
        """SHA-256 of the function's source, 32 bytes; of its name where there is none, or no such function now."""
        try:
            source = inspect.getsource(self.load(reference))
        except (OSError, TypeError, NodeError):
            source = reference
        return hashlib.sha256(source.encode()).digest()

    def _module(self, name: str) -> ModuleType:
        file, root = self._file(name)
        if file is None and any(name == a or name.startswith(f"{a}.") for a in self.allow_modules):
            return _imported(name)
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise NodeError(
                f"{name!r} is a module of Python itself", hint="give the module of the project another name"
            )
        if file is None or root is None:
            folders = ", ".join(str(r) for r in self.roots)
            raise NodeError(f"no module {name!r} in the project", hint=f"looked in: {folders}")
        loaded = sys.modules.get(name)
        if loaded is not None and getattr(loaded, "__file__", None) == str(file):
            return loaded
        if loaded is not None and name not in _ours:
            raise NodeError(f"the module name {name!r} is taken by another package", hint=f"rename {file.name}")
        return self._import(name, str(root))

    def _import(self, name: str, root: str) -> ModuleType:
        top = name.partition(".")[0]
        for other in [m for m in _ours if m == top or m.startswith(top + ".")]:
            sys.modules.pop(other, None)
            del _ours[other]
        sys.path.insert(0, root)
        try:
            importlib.invalidate_caches()
            module = _imported(name)
        finally:
            sys.path.remove(root)
        for known, loaded in list(sys.modules.items()):
            if known == top or known.startswith(top + "."):
                _ours[known] = loaded
        return module

    def _file(self, name: str) -> tuple[Path, Path] | tuple[None, None]:
        """The file of a module, and the root from which it has this name."""
        parts = name.split(".")
        for root in self.roots:
            packages = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts))]
            if not all(package.resolve().is_relative_to(root) for package in packages):
                continue  # importing the module would run a file outside of the project
            for file in (root.joinpath(*parts[:-1], parts[-1] + ".py"), root.joinpath(*parts, "__init__.py")):
                if file.is_file() and file.resolve().is_relative_to(root):
                    return file, root
        return None, None


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise NodeError(f"importing {name!r} failed: {type(error).__name__}: {error}") from error
