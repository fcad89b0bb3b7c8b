"""Where a prompt's template text comes from."""

from __future__ import annotations

from graphagent.graph.plan import Plan, Template
from graphagent.graph.spec import Prompt


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
