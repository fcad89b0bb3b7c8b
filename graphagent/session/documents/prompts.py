"""The `prompts` document: each named prompt, and the chain of what replaces it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from graphagent.codec import show_digest
from graphagent.errors import NotFound
from graphagent.graph.analysis import Analysis
from graphagent.graph.importing.renaming import FILE_MARK
from graphagent.graph.plan import NodePlan, Plan
from graphagent.graph.spec import Prompt
from graphagent.graph.suggest import suggest
from graphagent.nodes.prompts import sources_of, template_of
from graphagent.session.documents.prompt_forms import PromptEntry, PromptLayer, PromptsDocument

Layer = Literal["call", "override", "graph"]


def prompts_document(plan: Plan, analysis: Analysis | None = None, name: str | None = None) -> PromptsDocument:
    """The prompts of a plan, or one of them.

    Args:
        analysis: The graph's file, if it was read: it tells which of its imports' prompts it overrides.

    Raises:
        NotFound: there is no such prompt.
    """
    if name is not None and name not in plan.prompts:
        near = suggest(name, plan.prompts)
        hint = f"did you mean {near!r}?" if near else f"its prompts: {', '.join(plan.prompts) or 'none'}"
        raise NotFound(f"{plan.name!r} has no prompt {name!r}", hint=hint)
    return PromptsDocument(
        plan.name, [_entry(plan, analysis, one) for one in plan.prompts if name is None or one == name]
    )


def _entry(plan: Plan, analysis: Analysis | None, name: str) -> PromptEntry:
    template = template_of(plan, Prompt(use=name))
    layers = []
    if name in plan.overridden:
        layers.append(_layer("call", _without(plan.prompts[name], plan.overridden[name]), plan, None))
    base = plan.overridden.get(name, plan.prompts[name])
    layers += _layers(plan, analysis, name) if analysis is not None else [_layer("graph", base, plan, None)]
    users = [node.path for graph in plan.graphs.values() for outer in graph.nodes for node in _with_item(outer)
             if any(prompt.use == name for prompt in _prompts_of(node))]  # fmt: skip
    hashed = show_digest(sources_of(plan, {"prompt": template}).hash)
    return PromptEntry(name, hashed, template.text, dict(template.blocks), layers, users)


def _without(prompt: Prompt, base: Prompt) -> Prompt:
    """What an override has of its own: its text, or the blocks that the prompt didn't have so."""
    if prompt.text != base.text or prompt.file != base.file:
        return prompt
    return Prompt(blocks={block: text for block, text in prompt.blocks.items() if base.blocks.get(block) != text})


def _layers(plan: Plan, analysis: Analysis, name: str, prefix: str = "") -> Iterator[PromptLayer]:
    """What the file and its imports say, the outermost first; nothing below a whole text counts, but is shown."""
    at, _, inner = name.partition(".")
    if inner and at in analysis.imports:
        by = analysis.spec.imports[at].override.prompts.get(inner)
        if by is not None:
            yield _layer("override", by, plan, analysis, prefix)
        yield from _layers(plan, analysis.imports[at], inner, f"{prefix}{at}:")
    elif name in analysis.spec.prompts:
        yield _layer("graph", analysis.spec.prompts[name], plan, analysis, prefix)


def _layer(by: Layer, prompt: Prompt, plan: Plan, analysis: Analysis | None, prefix: str = "") -> PromptLayer:
    text = prompt.text
    if text is None and prompt.file is not None:
        text = plan.templates.get(f"{prefix}{prompt.file}", plan.templates.get(prompt.file))
        if text is None and analysis is not None and analysis.project is not None:  # a layer above has the whole text
            text = analysis.project.template(prompt.file)
    file, line = prompt.file, None
    if file is not None and file.endswith(FILE_MARK):
        file = None  # a text of an import: only its includes are named by it
    if analysis is not None and prompt.file is None:
        span = analysis.document.key_span(prompt.path)
        file, line = span.file, span.line
    return PromptLayer(by, file, line, text, dict(prompt.blocks))


def _with_item(node: NodePlan) -> Iterator[NodePlan]:
    yield node
    if node.item is not None:
        yield node.item


def _prompts_of(node: NodePlan) -> Iterator[Prompt]:
    for key in ("system", "prompt"):
        prompt = getattr(node.body, key, None)
        if isinstance(prompt, Prompt):
            yield prompt
