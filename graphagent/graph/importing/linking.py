"""One spec of a document and all that it imports: names of imports become `imp.name`, overrides are applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graphagent.graph.importing.renaming import Renaming
from graphagent.graph.spec import Defaults, GraphSpec, ImportSpec, Path, Prompt, Spec


def link(spec: Spec, imported: Mapping[str, Spec]) -> Spec:
    """The spec with everything that its imports offer.

    Args:
        imported: The spec of each import, linked itself, as its file has it.
    """
    out = replace(spec, imports={})
    for name, item in spec.imports.items():
        out = _add(out, item, imported[name])
    return out


def _add(spec: Spec, item: ImportSpec, inner: Spec) -> Spec:
    renaming = Renaming(item.name, inner, item.override.graphs)
    override, prefix = item.override, item.name
    models = {
        **renaming.models(),
        **{f"{prefix}.{n}": replace(m, name=f"{prefix}.{n}") for n, m in override.models.items()},
    }
    tools = {
        **renaming.tools(),
        **{f"{prefix}.{n}": replace(t, name=f"{prefix}.{n}") for n, t in override.tools.items()},
    }
    prompts = renaming.prompts()
    for name, prompt in override.prompts.items():
        key = f"{prefix}.{name}"
        prompts[key] = overridden(prompts[key], prompt)
    graphs = renaming.all_graphs()
    if override.defaults is not None:
        graphs = {name: _with_defaults(graph, override.defaults, name == prefix) for name, graph in graphs.items()}
    return replace(
        spec, types={**spec.types, **renaming.named_types()}, models={**spec.models, **models},
        tools={**spec.tools, **tools}, prompts={**spec.prompts, **prompts}, graphs={**spec.graphs, **graphs},
        secrets=tuple(dict.fromkeys((*spec.secrets, *inner.secrets))),
    )  # fmt: skip


def moved(prefix: str, path: Path) -> Path:
    """Where a part of an import stands in the linked document."""
    if path[:1] == ("graphs",):
        return ("graphs", f"{prefix}.{path[1]}", *path[2:])
    return ("graphs", prefix, *path)


def overridden(prompt: Prompt, by: Prompt) -> Prompt:
    """A prompt that an importer replaces, or whose blocks it fills."""
    if by.text is None and by.file is None:
        return replace(prompt, blocks={**prompt.blocks, **by.blocks})
    return by if by.vars is not None else replace(by, vars=prompt.vars)


def _with_defaults(graph: GraphSpec, by: Defaults, main: bool) -> GraphSpec:
    """The model reaches every graph of an import, the rest its main one."""
    keys = ("retry", "timeout", "model", "on_error") if main else ("model",)
    given: dict[str, Any] = {key: getattr(by, key) for key in keys if getattr(by, key) is not None}
    return replace(graph, defaults=replace(graph.defaults, **given))
