"""An override of something that the import doesn't have, or of something with another contract.

What: a name under `override` that the imported file doesn't declare, a block that its prompt doesn't have, or a graph
with other inputs or outputs.
Why: the importer would believe that it had changed something.
Example: `override: { prompts: { sytem: { blocks: { tone: Be brief. } } } }`
Instead: `override: { prompts: { system: { blocks: { tone: Be brief. } } } }`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import ImportSpec, Path
from graphagent.graph.types import ObjectOf, assignable, describe

CODE = "GA107"
TITLE = "override of what isn't there"
_BLOCK = re.compile(r"\{%-?\s*block\s+(\w+)")


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    if graph.graph.name:
        return
    for name, item in graph.whole.spec.imports.items():
        other = graph.whole.imports.get(name)
        if other is not None:
            yield from _override(graph.whole, item, other)


def _override(whole: Analysis, item: ImportSpec, other: Analysis) -> Iterator[Diagnostic]:
    override, path = item.override, (*item.path, "override")
    yield from _names(whole, "model", override.models, other.spec.models, (*path, "models"))
    yield from _names(whole, "tool", override.tools, other.spec.tools, (*path, "tools"))
    yield from _names(whole, "prompt", override.prompts, other.spec.prompts, (*path, "prompts"))
    yield from _names(whole, "sub-graph", override.graphs, other.spec.graphs, (*path, "graphs"))
    yield from _blocks(whole, item, other)
    for inner, mine in override.graphs.items():
        if inner in other.spec.graphs:
            yield from _graph(whole, other, inner, mine, (*path, "graphs", inner))


def _names(
    whole: Analysis, what: str, given: Mapping[str, Any], declared: Mapping[str, Any], path: Path
) -> Iterator[Diagnostic]:
    for name in given:
        if name not in declared:
            at = (*path, name)
            listed = f"{what}s of the import: {', '.join(declared)}" if declared else f"the import has no {what}s"
            guess = whole.guess(name, declared, whole.document.key_span(at), listed)
            yield whole.at_key(CODE, f"the import has no {what} `{name}`", at, **guess)


def _blocks(whole: Analysis, item: ImportSpec, other: Analysis) -> Iterator[Diagnostic]:
    for name, prompt in item.override.prompts.items():
        inner = other.spec.prompts.get(name)
        text = inner.text if inner is not None else None
        if inner is not None and inner.file is not None and other.project is not None:
            text = other.project.template(inner.file)
        if text is None:
            continue
        blocks = blocks_of(text)
        for block in prompt.blocks:
            if block not in blocks:
                at = (*prompt.path, "blocks", block)
                listed = f"blocks of the prompt: {', '.join(blocks)}" if blocks else "the prompt has no blocks"
                guess = whole.guess(block, blocks, whole.document.key_span(at), listed)
                yield whole.at_key(CODE, f"the prompt `{name}` has no block `{block}`", at, **guess)


def blocks_of(text: str) -> list[str]:
    """The names of a template's blocks."""
    return _BLOCK.findall(text)


def _graph(whole: Analysis, other: Analysis, inner: str, mine: str, path: Path) -> Iterator[Diagnostic]:
    theirs, ours = other.environment_of(inner), whole.environment_of(mine)
    if ours is None:
        guess = whole.guess(mine, whole.graph_names, whole.document.span(path), "declare it under `graphs`")
        yield whole.finding("GA103", f"unknown graph `{mine}`", path, **guess)
    elif theirs is not None:
        # it gets what the other one gets, and has to give what the other one gives
        for what, given, wanted in (("inputs", theirs.inputs, ours.inputs), ("outputs", ours.outputs, theirs.outputs)):
            if not assignable(_plain(given), _plain(wanted)):
                shown = f"`{describe(_plain(theirs.inputs if what == 'inputs' else theirs.outputs))}`"
                message = f"the {what} of `{mine}` aren't those of `{inner}`"
                yield whole.finding(CODE, message, path, help=f"`{inner}` has the {what} {shown}")


def _plain(found: ObjectOf) -> ObjectOf:
    return ObjectOf(found.fields)
