"""A skill that can't be used.

What: an agent has `std.skills`, and beside the graph there is no folder `prompts/skills`, or a file in it has no name,
no description, no text, a name that isn't one or that another one has, or can't be read.
Why: models choose a skill by its name and description, and read its text by its name. All of it is part of the graph.
Example: a file `prompts/skills/refunds.md` that begins with its text
Instead: the lines `---`, `name: refunds`, `description: How to pay money back.` and `---` before it
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note, show_path
from graphagent.graph.project import SKILLS
from graphagent.graph.skills import SET, read_skills
from graphagent.graph.spec import AgentBody, Path

CODE = "GA514"
TITLE = "skill that can't be used"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    whole = graph.whole
    places = list(_named(graph))
    if not places or whole.project is None:
        return
    files = whole.project.skills()
    if not files:
        what = "which isn't there" if files is None else "which has no skill in it"
        help = f"write one, with its name and description before the text: {SKILLS}/refunds.md"
        for place in places:
            yield whole.finding(CODE, f"`{SET}` offers what is in `{SKILLS}`, {what}", place, help=help)
        return
    for file, text in files.items():
        if text is None:
            help = "it has to be UTF-8 of at most 1 MiB, and no link that leads out of the project"
            yield whole.finding(CODE, f"the skill `{file}` can't be read", places[0], help=help)
    used = Note(f"`{SET}` stands here", whole.document.span(places[0]))
    for fault in read_skills((file, text) for file, text in files.items() if text is not None)[1]:
        notes = (*fault.notes, used)
        yield Diagnostic(CODE, "error", fault.message, fault.span, show_path(places[0]), None, notes, fault.help)


def _named(graph: GraphAnalysis) -> Iterator[Path]:
    for node, _ in graph.tasks:
        if isinstance(node.body, AgentBody):
            for i, name in enumerate(node.body.tools):
                if name == SET:
                    yield (*node.path, "tools", i)
