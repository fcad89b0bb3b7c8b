"""Ready-made graphs, as people name them."""

from __future__ import annotations

from pathlib import Path

from graphagent.errors import NotFound
from graphagent.graph.shipped import FOLDERS, shipped_file, shipped_names

__all__ = ["FOLDERS", "find_shipped"]


def find_shipped(name: str) -> Path:
    """The file of that name among the ready-made graphs. Raises NotFound."""
    file = shipped_file(name)
    if file is None:
        raise NotFound(f"no ready-made graph {name!r}", hint=f"there are: {', '.join(shipped_names()) or 'none'}")
    return file
