"""Where a prompt's template text comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphagent.codec import digest, encode
from graphagent.graph.importing.renaming import beside
from graphagent.graph.plan import Plan, Template
from graphagent.graph.project import SKILLS
from graphagent.graph.spec import Prompt
from graphagent.graph.template_syntax import included

FILTERS: Final = 1
"""Goes up when a filter gives another text than before."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a node's prompts are made of: a hash of all texts, and how they are called in messages."""

    hash: bytes
    names: tuple[str, ...]


def template_of(plan: Plan, prompt: Prompt) -> Template:
    """The template of a prompt. The text of a file was stored in the plan when it was compiled; a named prompt may
    have blocks replaced where it is used."""
    blocks = tuple(prompt.blocks.items())
    if prompt.use is not None:
        named = template_of(plan, plan.prompts[prompt.use])
        return Template(named.text, (*named.blocks, *blocks), named.file)
    return Template(
        prompt.text if prompt.text is not None else plan.templates[prompt.file or ""], blocks, prompt.file or ""
    )


def sources_of(plan: Plan, prompts: Mapping[str, Template | None], added: str = "") -> Sources:
    """The sources of a node's prompts, with what they include and what is added to the system text."""
    found = {key: template for key, template in prompts.items() if template is not None}
    texts = [[key, t.text, [list(block) for block in t.blocks]] for key, t in found.items()]
    files: dict[str, str] = {}
    todo = [(t.file, text) for t in found.values() for text in (t.text, *(block for _, block in t.blocks))]
    while todo:
        file, text = todo.pop()
        for name in included(text):
            full = beside(file, name)
            if full in plan.templates and full not in files:
                files[full] = plan.templates[full]
                todo.append((full, files[full]))
    names = [t.file or f"`{key}`" for key, t in found.items()]
    names += [SKILLS] if added else []
    parts: list[Any] = [FILTERS, texts, files, *([added] if added else [])]
    return Sources(digest(encode(parts)), (*names, *sorted(files)))
