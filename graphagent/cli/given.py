"""What people give a run: inputs, edits, models, where to stop. Nothing here starts anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphagent.codec import freeze
from graphagent.errors import CodecError, InputInvalid
from graphagent.graph.duration import parse_duration
from graphagent.graph.plan import GraphPlan, Plan
from graphagent.graph.suggest import suggest
from graphagent.graph.types import TypeMismatch, describe

if TYPE_CHECKING:
    from graphagent.session.settings import Settings

ALL = "*"
RECORDED = "scripted/recorded"
"""A scripted model without turns of its own, so that those of the graph's models count."""


def read_text(source: str, flag: str) -> str:
    """The text of `@FILE`, of `-` (stdin), or the word itself; `@@` begins a word with `@`."""
    if source == "-":
        return sys.stdin.read()
    if source.startswith("@@"):
        return source[1:]
    if not source.startswith("@"):
        return source
    try:
        return Path(source[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputInvalid(flag, f"can't read {source[1:]}: {error}") from error


def pairs(words: Iterable[str], flag: str) -> list[tuple[str, str]]:
    """`k=v` words as pairs."""
    out = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InputInvalid(flag, f"{word!r} isn't NAME=VALUE")
        out.append((name, value))
    return out


def read_inputs(graph: GraphPlan, words: Sequence[str], document: str | None) -> dict[str, Any]:
    """The inputs of `-i k=v` and of `--input`; the former win. Unknown ones are left for the check to name."""
    inputs: dict[str, Any] = {}
    if document is not None:
        data = parse_json(read_text(document, "--input"), "--input")
        if not isinstance(data, dict):
            raise InputInvalid("--input", "a JSON object is expected")
        inputs.update(data)
    ports = {port.name: port for port in graph.inputs}
    for name, value in pairs(words, "-i"):
        text = value if value == "-" else read_text(value, f"$.{name}")
        port = ports.get(name)
        inputs[name] = text if port is None else typed(text, describe(port.type), port.check)
    return inputs


def read_edits(graph: GraphPlan, words: Sequence[str]) -> dict[str, Any]:
    """The edits of `--set ch=JSON`. A word that isn't JSON is text, if the channel takes text."""
    edits: dict[str, Any] = {}
    for name, value in pairs(words, "--set"):
        text = read_text(value, f"$.{name}")
        index = graph.channel_index.get(name)
        edits[name] = text if index is None else typed(text, "", graph.channels[index].check)
    return edits


def typed(text: str, kind: str, check: Callable[[Any], Any]) -> Any:
    """A word as its type wants it: text for `str`; for the others JSON, or the text where only that fits."""
    if kind == "str":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if not fits(value, check) and fits(text, check) else value


def fits(value: Any, check: Callable[[Any], Any]) -> bool:
    """Whether the type takes the value."""
    try:
        check(freeze(value))
    except (TypeMismatch, CodecError):
        return False
    return True


def parse_json(text: str, flag: str) -> Any:
    """JSON that somebody typed."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputInvalid(flag, f"not JSON: {error}") from error


def read_models(words: Sequence[str]) -> dict[str, str]:
    """`NAME=SPEC` and bare `SPEC` words; SPEC is `provider/model`, `provider/model@base_url`, or `scripted`: each model
    then plays the turns that stand under its name in the graph."""
    out: dict[str, str] = {}
    for word in words:
        name, equals, spec = word.partition("=")
        if not equals or "/" in name:
            name, spec = ALL, word
        if spec == "scripted":
            spec = RECORDED
        provider, slash, model = spec.partition("@")[0].partition("/")
        if not (slash and provider and model):
            hint = "such as openai/gpt-5-mini, local/smollm2, scripted/echo, or name/model@http://127.0.0.1:8000/v1"
            raise InputInvalid("--model", f"{spec!r} isn't provider/model", hint=hint)
        out[name] = spec
    return out


def check_models(plan: Plan, models: Mapping[str, str], settings: Settings) -> None:
    """Every name must be one of the graph's models; recorded answers are for one that is scripted."""
    for name in models:
        if name != ALL and name not in plan.models:
            raise InputInvalid("--model", f"the graph has no model {name!r}", hint=choices(name, plan.models, "models"))
    if settings.scripted is not None:
        given = settings.models
        uses = {name: given.get(name) or given.get(ALL) or model.use for name, model in plan.models.items()}
        if uses and not any(use.startswith("scripted/") for use in uses.values()):
            told = ", ".join(f"{name} is {use}" for name, use in uses.items())
            raise InputInvalid("--scripted", f"no model of the graph is scripted: {told}", hint="add --model scripted")


def read_until(words: Sequence[str], graph: GraphPlan) -> tuple[frozenset[str], int | None]:
    """Nodes before which, and the snapshot at which, a run pauses."""
    nodes: list[str] = []
    snapshot = None
    for word in words:
        if word.isdigit():
            snapshot = int(word)
        elif word in graph.node_index:
            nodes.append(word)
        else:
            raise InputInvalid(
                "--until", f"the graph has no node {word!r}", hint=choices(word, graph.node_index, "nodes")
            )
    return frozenset(nodes), snapshot


def read_limits(
    supersteps: int | None, budget: float | None = None, tokens: int | None = None, timeout: str | None = None
) -> dict[str, Any]:
    """Bounds over those of the graph."""
    if timeout is not None and parse_duration(timeout) is None:
        raise InputInvalid("--timeout", f"{timeout!r} is no duration", hint="such as 90s, 10m or 4h")
    limits = {"supersteps": supersteps, "cost_usd": budget, "tokens": tokens, "wall": timeout}
    return {name: value for name, value in limits.items() if value is not None}


def choices(word: str, known: Iterable[str], what: str) -> str:
    """What may have been meant, or what there is."""
    names = list(known)
    near = suggest(word, names)
    return f"did you mean {near!r}?" if near else f"{what} are: {', '.join(names) or 'none'}"
