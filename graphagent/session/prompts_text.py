"""The `prompts` document as text."""

from __future__ import annotations

from graphagent.drawing.text import plain
from graphagent.session.documents.prompt_forms import PromptEntry, PromptLayer, PromptsDocument


def prompts_text(document: PromptsDocument) -> str:
    """Each prompt with its chain, the layer that counts first."""
    return "\n\n".join(_prompt(prompt) for prompt in document.prompts) or "this graph has no named prompts"


def _prompt(prompt: PromptEntry) -> str:
    used = ", ".join(path.removeprefix("$.nodes.") for path in prompt.used_by) or "no node"
    return "\n".join([f"{plain(prompt.name)}  used by {used}", *(_layer(layer) for layer in prompt.chain)])


def _layer(layer: PromptLayer) -> str:
    place = "" if layer.file is None else layer.file if layer.line is None else f"{layer.file}:{layer.line}"
    parts = [] if layer.text is None else [_indented(layer.text, "    ")]
    parts += [f"    {{% block {name} %}}\n{_indented(text, '      ')}" for name, text in layer.blocks.items()]
    return "\n".join([f"  {layer.by}  {plain(place)}".rstrip(), *parts])


def _indented(text: str, by: str) -> str:
    return "\n".join(f"{by}{plain(line)}".rstrip() for line in text.rstrip().splitlines())
