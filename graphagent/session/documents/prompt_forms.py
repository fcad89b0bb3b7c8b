"""The `prompts` document and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from graphagent.session.documents.part import Document, Part


@dataclass(frozen=True, slots=True)
class PromptLayer(Part):
    """One text in a chain: `by` the `call` that began the session, an importer's `override`, or the `graph` itself.

    `file` and `line` are where it is written. `text` is null where only `blocks` are replaced.
    """

    by: Literal["call", "override", "graph"]
    file: str | None
    line: int | None
    text: str | None
    blocks: dict[str, str]


@dataclass(frozen=True, slots=True)
class PromptEntry(Part):
    """A named prompt. `text` is its template and `blocks` stand in place of those of the text; `prompt_hash` is that of
    both with what they include. `chain` is where they are from, the layer that counts first; `used_by` are paths of
    nodes."""

    name: str
    prompt_hash: str
    text: str
    blocks: dict[str, str]
    chain: list[PromptLayer]
    used_by: list[str]


@dataclass(frozen=True, slots=True)
class PromptsDocument(Document):
    """The named prompts of a graph or of a session."""

    table = "prompts_text:prompts_text"
    schema: Literal["graphagent/prompts@1"] = field(default="graphagent/prompts@1", init=False)
    graph: str
    prompts: list[PromptEntry]
