"""A variable that is passed to a template and not used there.

What: `with` of a node gives a name that neither `system` nor `prompt` uses.
Why: mostly the prompt has lost a sentence, or the name was changed in one of the two places only.
Example: `{ prompt: "Summarise it.", with: { text: "${ inputs.text }" } }`
Instead: `{ prompt: "Summarise: {{ text }}", with: { text: "${ inputs.text }" } }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.templates import checked_templates, prompts_of

CODE = "GA504"
TITLE = "unused template variable"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if not any(True for _ in prompts_of(node)):
            continue
        checked = checked_templates(graph, node)
        if not checked.complete:
            continue
        meant = {problem.meant for _, problem in checked.found}
        for name in node.arguments:
            if name not in checked.used and name not in meant:
                message = f"no template of this node uses `{name}`"
                help = f"write `{{{{ {name} }}}}` in the prompt, or leave it out of `with`"
                path = (*node.path, "with", name)
                yield graph.whole.at_key(CODE, message, path, severity="warning", help=help)
