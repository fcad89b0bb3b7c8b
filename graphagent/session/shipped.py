"""Ready-made graphs: in the wheel beside the package's code, in a checkout beside the package."""

from __future__ import annotations

from pathlib import Path

from graphagent.errors import NotFound

_PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS = (_PACKAGE / "_graphs", _PACKAGE.parent / "graphs")


def find_shipped(name: str) -> Path:
    """The file of that name among the ready-made graphs. Raises NotFound."""
    for folder in FOLDERS:
        file = folder / name
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            return file.resolve()
    names = sorted({f.name for folder in FOLDERS if folder.is_dir() for f in folder.glob("*.graph.yaml")})
    raise NotFound(f"no ready-made graph {name!r}", hint=f"there are: {', '.join(names) or 'none'}")
