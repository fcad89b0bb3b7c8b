"""Where a prompt's template text comes from."""

from __future__ import annotations

from graphagent.graph.plan import Plan
from graphagent.graph.spec import Prompt


def template_of(plan: Plan, prompt: Prompt) -> str:
    """The text of a prompt; that of a file was stored in the plan when it was compiled."""
    return prompt.text if prompt.text is not None else plan.templates[prompt.file or ""]
