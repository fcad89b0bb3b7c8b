"""The tool of `archive.library.yaml`: a search over the text files of a project."""

from __future__ import annotations

from pathlib import Path

FOLDER = "archive"


def search(query: str, limit: int = 5) -> list[dict[str, object]]:
    """Finds the lines of the archive that hold most words of the query.

    Args:
        query: Words to look for, in any order.
        limit: How many lines at most.
    """
    words = set(query.lower().split())
    found: list[tuple[int, str, int, str]] = []
    for file in sorted(Path(FOLDER).rglob("*")):
        if file.suffix not in {".md", ".txt"}:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            hits = len(words & set(line.lower().split()))
            if hits:
                found.append((-hits, file.relative_to(FOLDER).as_posix(), number, line.strip()))
    return [{"file": name, "line": number, "text": text} for _, name, number, text in sorted(found)[:limit]]
