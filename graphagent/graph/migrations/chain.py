"""The chain of steps that takes a document to another version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.document import Document, Mapping, Scalar
from graphagent.graph.formatting.printing import print_tree
from graphagent.graph.formatting.reading import read_tree
from graphagent.graph.formatting.text import as_before, format_text, unix_lines
from graphagent.graph.formatting.tree import Entry, Leaf, Tree
from graphagent.graph.migrations.edits import edit_entries
from graphagent.graph.source import parse_yaml
from graphagent.graph.spec import API_VERSION
from graphagent.graph.versions import version_help

DECIDE: Final = "# graphagent: decide "
"""How the comment begins that a step leaves where only a person can decide."""


@dataclass(frozen=True, slots=True)
class Step:
    """From one version to the next. `change` leaves `apiVersion` alone, which the chain writes."""

    source: str
    target: str
    change: Callable[[Tree], Tree]


@dataclass(frozen=True, slots=True)
class Migrated:
    """A text as it was (`before`, for frames) and in the other version, None if it can't be migrated.

    `version` is the one that it had; `decisions` are (line, what a person has to decide there).
    """

    before: str
    text: str | None
    version: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    decisions: tuple[tuple[int, str], ...] = ()


def migrate_text(content: bytes, file: str, target: str, steps: Sequence[Step]) -> Migrated:
    """Takes a document to version `target`; one that has it already stays as it is, to the byte.

    Args:
        content: The file.
        file: Its name, for the messages.
        target: A version that this release reads, or that a step leads to.
        steps: The chain.
    """
    document = parse_yaml(content, file)
    before = document.source.text
    if any(found.severity == "error" for found in document.diagnostics):
        return Migrated(before, None, None, tuple(document.diagnostics))
    version = _version(document)
    if version == target:
        return Migrated(before, content.decode(), version)
    path = _path(version, target, steps)
    if path is None:
        return Migrated(before, None, version, (_unknown(document, version, target, steps),))
    old = read_tree(unix_lines(before))
    tree = old
    for step in path:
        tree = _with_version(step.change(tree), step.target)
    done = format_text(print_tree(tree).encode(), file)
    if done.text is None:
        return Migrated(before, None, version, done.diagnostics)
    lost = Counter(old.comments()) - Counter(read_tree(done.text).comments())
    if lost:
        raise AssertionError(f"a step from {version} to {target} lost comments: {sorted(lost)}")
    return Migrated(before, as_before(done.text, before), version, decisions=_decisions(done.text))


def known_versions(steps: Sequence[Step]) -> list[str]:
    """What a document can be taken to."""
    return sorted({API_VERSION, *(step.target for step in steps)})


def _version(document: Document) -> str | None:
    node = document.root.get("apiVersion") if isinstance(document.root, Mapping) else None
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _path(version: str | None, target: str, steps: Sequence[Step]) -> list[Step] | None:
    """The steps from a version to another, None if there is no way."""
    path: list[Step] = []
    while version != target:
        step = next((step for step in steps if step.source == version), None)
        if step is None:
            return None
        path.append(step)
        version = step.target
    return path


def _unknown(document: Document, version: str | None, target: str, steps: Sequence[Step]) -> Diagnostic:
    """GA001: the version is missing, unknown, or has no way to the other."""
    written = document.node(("apiVersion",))
    if written is None:
        message, help = "`apiVersion` is missing", f"write the version that it is in, such as `apiVersion: {target}`"
        return Diagnostic("GA001", "error", message, document.start, help=help)
    message, help = f"unknown `apiVersion`: `{version}`", version_help(version or "")
    if version is None:
        message = "`apiVersion` must be text"
    elif version in {API_VERSION, *(step.source for step in steps), *(step.target for step in steps)}:
        message, help = f"there is no way from `{version}` to `{target}`", "a migration only goes forward"
    return Diagnostic("GA001", "error", message, written.span, "$.apiVersion", help=help)


def _with_version(tree: Tree, version: str) -> Tree:
    def change(entry: Entry) -> Entry:
        return replace(entry, value=Leaf(version, version))

    return edit_entries(tree, ("apiVersion",), change)


def _decisions(text: str) -> tuple[tuple[int, str], ...]:
    lines = enumerate(text.split("\n"), 1)
    found = ((number, *line.partition(DECIDE)) for number, line in lines)
    return tuple((number, what) for number, before, mark, what in found if mark and not before.strip())
