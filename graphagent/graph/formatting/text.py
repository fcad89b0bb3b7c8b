"""`format_text`: a graph in the one style, with the same meaning and every comment."""

from __future__ import annotations

import json
from dataclasses import dataclass

from graphagent.graph.diagnostics import Diagnostic, Span
from graphagent.graph.document import Document
from graphagent.graph.formatting.expressions import write_expressions
from graphagent.graph.formatting.printing import print_tree
from graphagent.graph.formatting.reading import read_tree
from graphagent.graph.formatting.tree import Tree
from graphagent.graph.source import parse_yaml


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text as it was (`before`, for frames) and as it should be, None if it can't be read: see `diagnostics`."""

    before: str
    text: str | None
    diagnostics: tuple[Diagnostic, ...] = ()


def format_text(content: bytes, file: str) -> Formatted:
    """Formats a graph or library. Lines that end with CRLF keep doing so.

    Args:
        content: The file.
        file: Its name, for the messages.
    """
    document = parse_yaml(content, file)
    before = document.source.text
    if any(found.severity == "error" for found in document.diagnostics):
        return Formatted(before, None, tuple(document.diagnostics))
    plain = _parsed(unix_lines(before), document)
    meant = _parsed(write_expressions(plain), plain)
    if meant.diagnostics:  # single quotes in single quotes are written twice, which may be too much
        meant = plain
    tree = read_tree(meant.source.text)
    text = print_tree(tree)
    again = parse_yaml(text, file)
    if over_budget(again):
        text = print_tree(tree, in_brackets=True)
        again = parse_yaml(text, file)
    refusal = over_budget(again) or difference(meant, tree, again)
    if refusal is not None:
        return Formatted(before, None, (refusal,))
    return Formatted(before, as_before(text, before))


def over_budget(document: Document) -> Diagnostic | None:
    """Why nobody could read a formatted file, since lines in block style are longer by their indentation."""
    found = next((found for found in document.diagnostics if found.code == "GA007"), None)
    if found is None:
        return None
    message = f"this file was left alone, since it could not be read any more once formatted: {found.message}"
    return Diagnostic("GA007", "error", message, Span(document.file, 1, 1, 1, 1), help="split it into several graphs")


def difference(document: Document, tree: Tree, again: Document) -> Diagnostic | None:
    """What a printed text says otherwise than the document and the comments of its tree; None if it says the same."""
    lost = None
    if again.diagnostics or json.dumps(again.data()) != json.dumps(document.data()):
        lost = "meaning"
    elif list(read_tree(again.source.text).comments()) != list(tree.comments()):
        lost = "comments"
    if lost is None:
        return None
    message = f"this file can't be formatted without changing its {lost}, so it was left alone"
    return Diagnostic("GA002", "error", message, Span(document.file, 1, 1, 1, 1), help="write it in a plainer way")


def _parsed(text: str, known: Document) -> Document:
    """The document of a text, which may be the known one."""
    return known if text == known.source.text else parse_yaml(text, known.file)


def unix_lines(text: str) -> str:
    """The text with `\\n` at the end of every line, of those that end with a lone CR too."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_before(text: str, before: str) -> str:
    """The text with the line ends that most lines had before."""
    crlf = before.count("\r\n")
    return text.replace("\n", "\r\n") if crlf > before.count("\n") - crlf else text
