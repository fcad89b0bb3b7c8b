"""Prompts that a caller replaces: a plan with other texts, whose variables are checked before anything runs.

The result is a plan of its own, with its own hash. A session is stored with its plan, so that resume, replay and fork
render the texts that it began with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from graphagent.codec import decode, digest, encode, freeze
from graphagent.errors import GraphInvalid, InputInvalid
from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.compile import load_plan, written
from graphagent.graph.diagnostics import Diagnostic, Note, Span, render, show_path
from graphagent.graph.document import document_of
from graphagent.graph.importing.linking import overridden
from graphagent.graph.importing.renaming import beside
from graphagent.graph.plan import Plan, Position
from graphagent.graph.rules.override import blocks_of
from graphagent.graph.spec import NodeSpec, Path, Prompt
from graphagent.graph.suggest import suggest
from graphagent.graph.template_words import NOT_GIVEN
from graphagent.graph.templates import place_in, prompts_of, types_given
from graphagent.graph.walker import read_spec

if TYPE_CHECKING:
    from graphagent.graph.template_syntax import Problem, Template

Given = Mapping[str, str | Mapping[str, Any]]
"""Names of prompts, each with its new text, or with `{text}` or `{blocks: {name: text}}`."""


def with_prompts(plan: Plan, given: Given) -> Plan:
    """The plan with these prompts replaced, or with blocks of them filled. Overrides of earlier calls stay.

    Args:
        given: By the name under `prompts`; one of an import is called `imp.name`.

    Raises:
        InputInvalid: there is no such prompt or block, or the override is neither text nor blocks.
        GraphInvalid: a text can't be read, or uses a variable or field that a node doesn't give.
    """
    if not given:
        return plan
    base = {**plan.prompts, **plan.overridden}
    texts = {name: _read(plan, base, name, value) for name, value in given.items()}
    _check(plan, texts)
    data = decode(plan.document)
    graph = {**data["graph"], "prompts": dict(data["graph"]["prompts"])}
    before = dict(data.get("overridden", {}))
    for name, by in texts.items():
        before[name] = base[name].data()
        graph["prompts"][name] = overridden(base[name], by).data()
    document = encode(freeze({**data, "graph": graph, "overridden": before}))
    return replace(load_plan(document, _Known(plan)), version=plan.version, file=plan.file)


def original_hash(plan: Plan) -> bytes:
    """The hash of the plan as the graph has it, without what a caller has replaced."""
    if not plan.overridden:
        return plan.hash
    data = decode(plan.document)
    before = data.pop("overridden")
    graph = {**data["graph"], "prompts": {**data["graph"]["prompts"], **before}}
    return digest(encode(freeze({**data, "graph": graph})))


class _Known(dict[tuple[Any, ...], Position]):
    """The places of nodes that the plan knows already."""

    def __init__(self, plan: Plan) -> None:
        nodes = [node for graph in plan.graphs.values() for node in graph.nodes]
        nodes += [node.item for node in nodes if node.item is not None]
        self.shown = {node.path: node.position for node in nodes}

    def get(self, path: tuple[Any, ...], default: Any = None) -> Any:
        """The place of the node at a path."""
        return self.shown.get(show_path(path), default)


def _read(plan: Plan, base: Mapping[str, Prompt], name: str, value: Any) -> Prompt:
    """An override as the language has it."""
    path = f"prompts.{name}"
    if name not in base:
        near = suggest(name, base)
        hint = f"did you mean {near!r}?" if near else f"its prompts: {', '.join(base) or 'none'}"
        raise InputInvalid(path, f"{plan.name!r} has no prompt {name!r}", hint=hint)
    if isinstance(value, str):
        return Prompt(text=value)
    blocks = value.get("blocks") if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and set(value) == {"text"} and isinstance(value["text"], str):
        return Prompt(text=value["text"])
    if not isinstance(value, Mapping) or set(value) != {"blocks"} or not _texts(blocks):
        hint = "give its text, or {'blocks': {'tone': 'Be brief.'}}"
        raise InputInvalid(path, "an override is a text, or the texts of blocks", hint=hint)
    prompt = base[name]
    known = blocks_of(prompt.text if prompt.text is not None else plan.templates[prompt.file or ""])
    for block in blocks or {}:
        if block not in known:
            hint = f"its blocks: {', '.join(known)}" if known else "it has no blocks: give its whole text"
            raise InputInvalid(f"{path}.blocks.{block}", f"the prompt {name!r} has no block {block!r}", hint=hint)
    return Prompt(blocks=dict(blocks or {}))


def _texts(blocks: Any) -> bool:
    return isinstance(blocks, Mapping) and bool(blocks) and all(isinstance(t, str) for t in blocks.values())


# ---- what a text uses, and what the nodes give ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of an override, and where it finds what it includes."""

    path: str
    text: str
    beside: str


def _check(plan: Plan, given: Mapping[str, Prompt]) -> None:
    """Raise GraphInvalid with all that is wrong with the texts."""
    found: list[Diagnostic] = []
    for name, prompt in given.items():
        for text in _texts_of(plan, name, prompt):
            found += [_finding(text, problem, None) for problem in _parse(text.text).problems]
    for graph in _analysed(plan).graphs:
        for node, _ in graph.tasks:
            for prompt in prompts_of(node):
                use = prompt.use
                for text in _texts_of(plan, use, given[use]) if use is not None and use in given else ():
                    found += [_finding(text, p, node.path) for p in _problems(plan, graph, node, text)]
    once = {(item.code, item.span, item.message): item for item in reversed(found)}
    if once:
        texts = {text.path: text.text for name, prompt in given.items() for text in _texts_of(plan, name, prompt)}
        listed = sorted(once.values(), key=lambda item: item.span)
        raise GraphInvalid(listed, render(listed, texts))


def _texts_of(plan: Plan, name: str, prompt: Prompt) -> Iterator[_Text]:
    path = f"prompts.{name}"
    if prompt.text is not None:
        yield _Text(path, prompt.text, "")
    base = plan.overridden.get(name, plan.prompts[name])
    for block, text in prompt.blocks.items():
        yield _Text(f"{path}.blocks.{block}", text, base.file or "")


def _analysed(plan: Plan) -> Analysis:
    """The plan's document as the rules look at it."""
    document = document_of(written(plan.document))
    spec, _ = read_spec(document, linked=True)
    assert spec is not None
    return Analysis(spec, document, None)


def _parse(text: str) -> Template:
    from graphagent.graph.template_syntax import parse_template

    return parse_template(text)


def _problems(plan: Plan, graph: GraphAnalysis, node: NodeSpec, text: _Text) -> list[Problem]:
    """What a text uses that a node doesn't give it."""
    from graphagent.graph.template_scope import Usage

    def load(file: str, name: str) -> Template | None:
        found = plan.templates.get(beside(file, name))
        return None if found is None else _parse(found)

    usage = Usage(types_given(graph, node), partial(load, text.beside))
    usage.walk(_parse(text.text))
    return usage.problems


def _finding(text: _Text, problem: Problem, node: Path | None) -> Diagnostic:
    span = place_in(text.text, text.path, problem.start, problem.end)
    if problem.file is not None:
        span = Span(text.path, 1, 1, 1, 1)
    help = f"did you mean `{problem.meant}`?" if problem.meant is not None else problem.hint
    notes = [Note(f"used by `{show_path(node)}`")] if node is not None else []
    if problem.file is not None:
        notes.append(Note(f"in `{problem.file}`"))
    label = NOT_GIVEN if problem.code == "GA501" and problem.message.startswith("unknown") else None
    return Diagnostic(problem.code, "error", problem.message, span, f"$.{text.path}", label, tuple(notes), help)
