"""Classes of modules that the host allows, as types: such a module is imported, in a process of its own.

`python -m graphagent.session.classes pkg.mod:Model` writes what it found as JSON: `{fields}` or `{error, hint}`.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphagent.graph.class_types import NoClass
from graphagent.graph.project import ProjectFolder
from graphagent.graph.python_types import NoType, PythonTypes
from graphagent.session.settings import allowed_modules

TIME_LIMIT_S = 5.0

Classes = Mapping[str, Mapping[str, str]]


def project_files(
    root: Path, folder: Path, allow_modules: tuple[str, ...] | None = None, planned: Mapping[Path, bytes] | None = None
) -> ProjectFolder:
    """Where a graph in `folder` looks up modules and prompts.

    Args:
        root: The project folder.
        allow_modules: What the host allows besides; by default what the settings of the project say.
        planned: What is going to be in files that graphs import, by their real paths.
    """
    allowed = allowed_modules(root) if allow_modules is None else allow_modules
    return ProjectFolder(root, folder, allowed, read_class, planned)


def read_class(reference: str) -> Classes:
    """The fields of a class and of those that they refer to, by `pkg.mod:Name`.

    Raises:
        NoClass: it can't be imported within 5 s, or is no class of pydantic.
        NoType: a field is of no type of the language.
    """
    command = [sys.executable, "-m", "graphagent.session.classes", reference]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT_S, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        message = f"importing `{reference.partition(':')[0]}` took longer than {TIME_LIMIT_S:.0f} s"
        raise NoClass(message, hint="a module with types should only define them") from None
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        raise NoClass(f"importing `{reference.partition(':')[0]}` ended the process: {last}") from None
    if "error" in found:
        raise (NoClass if found["missing"] else NoType)(found["error"], hint=found["hint"])
    fields: dict[str, dict[str, str]] = found["fields"]
    return fields


def fields_of(reference: str) -> dict[str, dict[str, Any]]:
    """What `read_class` gives, by importing the module here."""
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise NoClass(f"importing `{reference}` failed: {type(error).__name__}: {error}") from error
    types = PythonTypes(lambda model: f"{model.__module__}:{model.__qualname__}")
    own = types.type(found)
    wrong = types.take_errors()
    if wrong:
        raise wrong[0]
    if not isinstance(own, str) or own not in types.named:
        raise NoClass(f"`{reference}` is no class of pydantic")
    return {reference: types.named[own], **types.named}


def main(reference: str) -> None:
    """Write what was found. What the module itself prints goes to stderr."""
    result, sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8"), sys.stderr
    os.dup2(2, 1)
    try:
        found: dict[str, Any] = {"fields": fields_of(reference)}
    except NoType as error:
        found = {"error": error.message, "hint": error.hint, "missing": isinstance(error, NoClass)}
    json.dump(found, result)
    result.close()
    os._exit(0)  # threads that the module started don't hold it up


if __name__ == "__main__":
    main(sys.argv[1])
