"""Results of tools that are too long for a model or for the journal: artifacts, of which a model reads pieces."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from graphagent.codec import encode, freeze
from graphagent.errors import NodeError
from graphagent.ports import EffectCall, Task, ToolInfo

SHOWN_WHOLE: Final = 64 * 1024
READ: Final = "read_artifact"
HEAD, TAIL = 4_000, 2_000
"""What a model sees of a longer result, in characters."""
JOURNAL_LIMIT: Final = 4 * 1024 * 1024
"""A result with more bytes isn't in the journal: the artifact stands there."""
PIECE: Final = 16_000
LEAST, MOST = 4, 32_000
"""How much of an artifact a model reads at once, in bytes; the least is a whole character."""
KEPT: Final = "x.artifact"
"""The key under which a journaled outcome names the artifact that holds the result."""
NAMED = re.compile(r"\bart_[0-9a-hjkmnp-tv-z]{26}\b")
"""An id of an artifact in a text."""


def as_text(result: Any) -> str:
    """A value as a model reads it: text as it is, all else as JSON with its keys in the journal's order."""
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """A result that isn't in the journal: the artifact that holds it, and its ends."""

    artifact: Any
    head: str
    tail: str
    left_out: int


async def kept(task: Task, tool: str, result: Any) -> Any:
    """The result as it stands in the journal: itself, or where it is too long, what says where it is."""
    if len(encode(freeze(result))) <= JOURNAL_LIMIT:
        looks_kept = isinstance(result, Mapping) and KEPT in result
        return {KEPT: None, "value": result} if looks_kept else result
    text = as_text(result)
    artifact = await put(task, tool, result, text)
    return {KEPT: artifact, "head": text[:HEAD], "tail": text[-TAIL:], "left_out": len(text) - HEAD - TAIL}


def from_journal(left: Any) -> Any:
    """The result of what `kept` has left: itself, or a `Kept`."""
    names = set(left) if isinstance(left, Mapping) else set()
    if names == {KEPT, "value"} and left[KEPT] is None:
        return left["value"]
    if names == {KEPT, "head", "tail", "left_out"}:
        return Kept(left[KEPT], left["head"], left["tail"], left["left_out"])
    return left


async def told(task: Task, tool: str, result: Any) -> tuple[str, Any]:
    """What a model reads of a journaled result, and what the graph gets of it: of one that isn't in the journal it is
    the artifact."""
    if isinstance(result, Kept):
        return _shortened(result.artifact, result.head, result.tail, result.left_out), result.artifact
    text = as_text(result)
    if len(text) <= SHOWN_WHOLE:
        return text, result
    artifact = await put(task, tool, result, text)
    return _shortened(artifact, text[:HEAD], text[-TAIL:], len(text) - HEAD - TAIL), result


async def put(task: Task, tool: str, result: Any, text: str) -> dict[str, Any]:
    """Keep a result as an artifact that is called as its tool is."""
    media_type, ending = ("text/plain", "txt") if isinstance(result, str) else ("application/json", "json")
    return await task.put_artifact(text.encode(), media_type, f"{tool}.{ending}")


def _shortened(artifact: Mapping[str, Any], head: str, tail: str, left_out: int) -> str:
    where = f"the whole result is artifact {artifact['id']} ({artifact['size']:,} bytes): {READ} reads pieces of it"
    return f"{head}\n[... {left_out:,} characters are left out; {where} ...]\n{tail}"


def names_one(messages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a conversation names an artifact, so that a model may want to read it."""
    return any(NAMED.search(json.dumps(message.get("content"), ensure_ascii=False)) for message in messages)


@dataclass(frozen=True, slots=True)
class ArtifactReader:
    """How a model reads artifacts; see `offers.Offer`. A call is an effect, so a replay needs no bytes."""

    info: ClassVar[ToolInfo] = ToolInfo(
        READ, "std", "Read a piece of an artifact, such as a long result of another tool.",
        {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "The artifact, art_..."},
                "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "The first byte."},
                "limit": {
                    "type": "integer", "minimum": 1, "maximum": MOST, "default": PIECE, "description": "How many bytes."
                },
            },
            "required": ["id"],
            "additionalProperties": False,
        },
        None, "read", float("inf"),
    )  # fmt: skip

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """See `Offer`."""
        given = {"offset": 0, "limit": PIECE, **arguments}
        numbers = type(given["offset"]) is int and type(given["limit"]) is int
        if set(given) != {"id", "offset", "limit"} or not isinstance(given["id"], str) or not numbers:
            _refuse("give `id`, and `offset` and `limit` as whole numbers")
        if given["offset"] < 0 or given["limit"] < 1:
            _refuse("`offset` begins at 0, `limit` at 1")
        return {**given, "limit": min(max(given["limit"], LEAST), MOST)}

    async def run(self, task: Task, arguments: dict[str, Any]) -> Any:
        """See `Offer`."""

        async def execute(effect: EffectCall) -> str:
            data = await task.read_artifact(arguments["id"], arguments["offset"], arguments["limit"])
            return piece(data, arguments["offset"], ends=len(data) < arguments["limit"])

        return await task.effect("artifact", READ, "read", arguments, execute)


def _refuse(hint: str) -> None:
    raise NodeError(
        "the arguments don't fit", kind="invalid_input", cause="bad_arguments", hint=f"nothing was read: {hint}"
    )


def piece(data: bytes, offset: int, *, ends: bool) -> str:
    """Bytes as text, without the halves of characters at both ends, and where the next piece begins.

    Args:
        ends: There is nothing behind them.

    Raises:
        NodeError: cause `not_text`.
    """
    start = 0
    while offset > 0 and start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data[start:], final=ends)
    except UnicodeDecodeError as error:
        hint = "a model can't read it"
        raise NodeError("this artifact isn't text", kind="invalid_input", cause="not_text", hint=hint) from error
    end = offset + len(data) - len(decoder.getstate()[0])
    then = "the end" if ends else f"the next piece begins at offset {end}"
    return f"[bytes {offset + start} to {end}; {then}]\n{text}"
