"""The pure functions of `summarize.graph.yaml`."""

from __future__ import annotations


def split(texts: list[dict[str, str]], size: int) -> list[dict[str, str]]:
    """Parts of at most `size` characters, cut between paragraphs or else between sentences."""
    parts = []
    for text in texts:
        pieces = [s for paragraph in text["text"].split("\n\n") for s in sentences(paragraph.strip()) if s]
        parts += [{"title": text["title"], "text": part} for part in pack(pieces, size)]
    return parts


def regroup(notes: list[str], size: int) -> list[dict[str, str]]:
    """The notes as new, fewer parts."""
    return [{"title": "notes", "text": part} for part in pack(whole(notes), size)]


def join(notes: list[str]) -> str:
    """The notes as one text."""
    return " ".join(whole(notes))


def whole(notes: list[str]) -> list[str]:
    """The notes as sentences; what says nothing, or was said before, is left out."""
    return [note.strip().rstrip(".,;: ") + "." for note in dict.fromkeys(notes) if len(note.split()) >= 4]


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph."""
    return [s if s.endswith(".") else f"{s}." for s in paragraph.replace("\n", " ").split(". ")]


def pack(pieces: list[str], size: int) -> list[str]:
    """Pieces joined to texts of at most `size` characters; a longer piece stands alone."""
    parts: list[str] = []
    for piece in pieces:
        if parts and len(parts[-1]) + 1 + len(piece) <= size:
            parts[-1] += " " + piece
        else:
            parts.append(piece)
    return parts
