"""Ready-made graphs: in the wheel beside the package's code, in a checkout beside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SHIPPED: Final = "graphagent:"
"""What the path of a ready-made file begins with."""
_PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS: Final = (_PACKAGE / "_graphs", _PACKAGE.parent / "graphs")


def shipped_file(name: str) -> Path | None:
    """The file of that name among the ready-made ones."""
    for folder in FOLDERS:
        file = folder / name
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            return file.resolve()
    return None


def shipped_names() -> list[str]:
    """The names of all ready-made graphs and libraries."""
    found = {f.name for folder in FOLDERS if folder.is_dir() for f in folder.iterdir()}
    return sorted(name for name in found if name.endswith((".graph.yaml", ".library.yaml")))
