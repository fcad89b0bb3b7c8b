"""Skills: files of `prompts/skills`, each with a name and a description before its text, for agents with `std.skills`.

Their texts are templates of the plan, though nothing renders them: a replay needs no file, and a changed skill is
another plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from graphagent.graph.diagnostics import Note, Span
from graphagent.graph.document import Document, Scalar
from graphagent.graph.document import Mapping as Object
from graphagent.graph.importing.renaming import FILE_MARK
from graphagent.graph.project import SKILLS
from graphagent.graph.source import parse_yaml

SET: Final = "std.skills"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
DESCRIPTION_LIMIT: Final = 1024
_FENCE: Final = re.compile(r"---[ \t]*$", re.MULTILINE)
_CLOSING: Final = re.compile(r"\n---[ \t]*$", re.MULTILINE)
_EXAMPLE: Final = "begin it with the lines `---`, `name: refunds`, `description: How to pay money back.` and `---`"


@dataclass(frozen=True, slots=True)
class Skill:
    """What a model is told of it, and the text that it may read."""

    name: str
    description: str
    text: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a skill file, and where in it."""

    message: str
    span: Span
    help: str | None = None
    notes: tuple[Note, ...] = ()


def skills_of(templates: Mapping[str, str], graph: str) -> tuple[Skill, ...]:
    """The skills that the agents of a graph of a plan see: those beside its own file.

    Args:
        templates: Those of the plan, in which the files of an import are called `import:file`.
        graph: Its name in the plan: `import`, `import.graph`, or the path of a delegate.
    """
    groups: dict[str, dict[str, str]] = {}
    for file, text in templates.items():
        at, _, name = file.rpartition(FILE_MARK)
        if name.startswith(f"{SKILLS}/"):
            groups.setdefault(at, {})[name] = text
    parts = _document_of(graph).split(".")
    for count in range(len(parts), 0, -1):
        at = FILE_MARK.join(parts[:count])
        if at in groups:
            return _read(tuple(groups[at].items()))
    return _read(tuple(groups.get("", {}).items()))


def _document_of(graph: str) -> str:
    """The graph in which a delegate stands, whose own name is a path: `graphs/NAME/nodes/hub/delegates/x`."""
    if "/" not in graph:
        return graph
    section, name, *_ = graph.split("/")
    return name if section == "graphs" else ""


@cache
def _read(files: tuple[tuple[str, str], ...]) -> tuple[Skill, ...]:
    return tuple(read_skills(files)[0])


def read_skills(files: Iterable[tuple[str, str]]) -> tuple[list[Skill], list[Fault]]:
    """The skills in these files by name, and what is wrong with the others."""
    skills: dict[str, Skill] = {}
    places: dict[str, Span] = {}
    faults: list[Fault] = []
    for file, text in sorted(files):
        found = _Reader(file, text)
        skill = found.skill()
        faults += found.faults
        if skill is None:
            continue
        span = found.place("name")
        if skill.name in skills:
            note = Note("the other one is here", places[skill.name])
            faults.append(Fault(f"two skills are called `{skill.name}`", span, "rename one of them", (note,)))
            continue
        skills[skill.name], places[skill.name] = skill, span
    return [skills[name] for name in sorted(skills)], faults


class _Reader:
    """One file: a front matter between two lines `---`, then its text."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text.removeprefix("\ufeff").replace("\r\n", "\n")
        self.first = Span(file, 1, 1, 1, 4)
        self.faults: list[Fault] = []
        self.document: Document | None = None

    def skill(self) -> Skill | None:
        """The skill; None if something is wrong."""
        begin = _FENCE.match(self.text)
        end = None if begin is None else _CLOSING.search(self.text, begin.end())
        if begin is None or end is None:
            message = "a skill begins with its name and description" if begin is None else "its front matter has no end"
            self.fault(message, self.first, _EXAMPLE)
            return None
        # A comment in place of the first fence: so lines are counted as in the file.
        self.document = parse_yaml(f"#{self.text[begin.end() : end.start() + 1]}", self.file)
        if self.document.diagnostics:
            self.faults += [Fault(found.message, found.span, found.help) for found in self.document.diagnostics]
            return None
        if not isinstance(self.document.root, Object):
            self.fault("its front matter is no mapping", self.first, _EXAMPLE)
            return None
        name, description, text = self.name(), self.description(), self.text[end.end() :].strip()
        if not text:
            line = self.text.count("\n", 0, end.end()) + 1
            span = Span(self.file, line, 1, line, 4)
            self.fault("there is no text below its front matter", span, "write there what the model is to read")
            return None
        return None if name is None or description is None else Skill(name, description, text)

    def name(self) -> str | None:
        """Its name."""
        name = self.field("name", "it is what models call it")
        if name is None or NAME.fullmatch(name):
            return name
        help = "write it with a-z, 0-9, - and _, at most 64 of them"
        self.fault(f"`{name[:64]}` is no name for a skill", self.place("name"), help)
        return None

    def description(self) -> str | None:
        """Its description."""
        found = self.field("description", "say when it is of use: models choose by it")
        if found is None or len(found) <= DESCRIPTION_LIMIT:
            return found
        message = f"the description has {len(found):,} characters, {DESCRIPTION_LIMIT:,} are allowed"
        self.fault(message, self.place("description"), "move what is long into the text below")
        return None

    def field(self, key: str, help: str) -> str | None:
        """A text of the front matter on one line."""
        assert self.document is not None
        root = self.document.root
        assert isinstance(root, Object)
        found = root.get(key)
        if found is None:
            self.fault(f"`{key}` is missing", self.first, help)
            return None
        if not isinstance(found, Scalar) or not isinstance(found.value, str) or not found.value.strip():
            self.fault(f"`{key}` has to be a text", found.span, "put it in quotes")
            return None
        return " ".join(found.value.split())

    def place(self, key: str) -> Span:
        """Where a value of the front matter stands."""
        assert self.document is not None
        return self.document.span((key,))

    def fault(self, message: str, span: Span, help: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(message, span, help))
