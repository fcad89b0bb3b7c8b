"""The tool of `deep_agent.graph.yaml` for which a human is asked. Override it by one that sends the text somewhere."""

from __future__ import annotations

import re

from graphagent import ToolRetry


def publish(title: str, text: str) -> str:
    """Publish a text for others to read.

    Args:
        title: Letters and digits; the address is made of it.
        text: What is published, in Markdown.
    """
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    if not name:
        raise ToolRetry("the title needs letters or digits")
    return f"published/{name}.md has {len(text)} characters"
