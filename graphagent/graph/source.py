"""YAML text to a tree of nodes that know their place.

`parse_yaml` never raises for what is in the text: what is wrong becomes a diagnostic (GA002, GA003, GA006,
GA007), and `Document.root` is None where nothing can be read.
"""

from __future__ import annotations

from typing import Final

from graphagent.graph.diagnostics import Diagnostic, Span
from graphagent.graph.document import Document, Mapping, Node, Scalar, Sequence, Source, document_of, plain_data
from graphagent.graph.yaml_events import read_events

__all__ = [
    "Document",
    "Mapping",
    "Node",
    "Scalar",
    "Sequence",
    "Source",
    "document_of",
    "parse_yaml",
    "plain_data",
]

MAX_BYTES: Final = 1 << 20


def parse_yaml(text: str | bytes, file: str) -> Document:
    """Reads one YAML document of at most 1 MiB.

    Args:
        text: The content of the file; bytes must be UTF-8.
        file: Its name, for the messages.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        return _refused(file, f"the file has {size:,} bytes, {MAX_BYTES:,} are allowed", "split it into several graphs")
    if isinstance(text, bytes):
        raw = text
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            return _refused(file, f"the file is not UTF-8: byte {error.start}, line {line}", "save it as UTF-8")
    document = Document(Source(text.removeprefix("\ufeff"), file), None)
    document.root = read_events(document.source, document.diagnostics)
    return document


def _refused(file: str, message: str, help: str) -> Document:
    found = Diagnostic("GA007", "error", message, Span(file, 1, 1, 1, 1), help=help)
    return Document(Source("", file), None, [found])
