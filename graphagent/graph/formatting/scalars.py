"""How a scalar is written: plain where every YAML reader takes it for the same text, else in double quotes."""

from __future__ import annotations

import io
import json
import re
from functools import lru_cache
from typing import Any, Final

import yaml
from yaml.emitter import Emitter
from yaml.resolver import Resolver

from graphagent.graph.formatting.tree import Leaf
from graphagent.graph.resolver import TooBig, old_boolean, resolve

_BREAK: Final = re.compile("(\r\n|[\n\r\x85\u2028\u2029])")
_TRAILING: Final = re.compile(r"(?<!\\)[ \t]+$")
_BLANK: Final = " \t"
_WORDS: Final = {"True": "true", "False": "false"}
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


def one_line(leaf: Leaf, *, flow: bool) -> str | None:
    """A scalar or alias on one line without its anchor, None if that can't be.

    Args:
        flow: It stands inside of `{ }` or `[ ]`.
    """
    breaks = set(_BREAK.findall(leaf.raw))
    if leaf.style in {"|", ">"} or "\n" in breaks:
        return None
    if breaks:
        return quoted(leaf.text)
    if leaf.style not in {"'", '"'}:
        return _WORDS.get(leaf.raw, leaf.raw)
    escaped = leaf.style == '"' and "\\" in leaf.raw
    if not escaped and plain_reads_back(leaf.text, flow=flow):
        return leaf.text
    if leaf.style == "'" and not set(leaf.text) & {'"', "\\"}:
        return f'"{leaf.text}"'
    return leaf.raw


def key_text(leaf: Leaf, *, flow: bool) -> str:
    """A key with what comes before its value's space."""
    text = one_line(leaf, flow=flow)
    if text is None:
        text = quoted(leaf.text)
    anchor = f"&{leaf.anchor} " if leaf.anchor else ""
    return f"{anchor}{text}{' ' if leaf.style == '*' else ''}:"


def lines_of(leaf: Leaf, indent: int) -> list[str]:
    """The lines of a scalar that doesn't fit on one: the first as it follows its key, the rest with `indent`.

    A block scalar keeps its text, the spaces at the end of a line too, which are part of it.
    """
    if leaf.style in {"|", ">"}:
        return _block(leaf, indent)
    first, *rest = leaf.raw.split("\n")
    if set(_BREAK.findall(leaf.raw)) != {"\n"}:
        return [quoted(leaf.text)]
    lines = [_stripped(first), *(_stripped(line.lstrip(_BLANK)) for line in rest)]
    return [lines[0], *(" " * indent + line if line else "" for line in lines[1:])]


def quoted(text: str) -> str:
    """A text on one line in double quotes, with escapes for what can't be seen."""
    out = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" if ord(c) > 0xFFFF else f"\\u{ord(c):04X}" for c in out)


def _stripped(line: str) -> str:
    return _TRAILING.sub("", line)


def _block(leaf: Leaf, indent: int) -> list[str]:
    pieces = _BREAK.split(leaf.raw)
    header, lines, breaks = pieces[0], pieces[2::2], pieces[1::2]
    first = next((line for line in lines if line.strip(" ")), None)
    meant = next((line for line in _BREAK.split(leaf.text)[::2] if line.strip(" ")), None)
    if first is None or meant is None or set(breaks) != {"\n"}:
        return [quoted(leaf.text)]
    depth = _spaces(first) - _spaces(meant)
    content = [line[depth:] for line in lines]
    while content and not content[-1]:
        content.pop()
    chomp = "-"
    if leaf.text.endswith("\n"):
        chomp = "+" if "+" in header else ""
    if chomp == "+":
        content += [""] * (len(leaf.text) - len(leaf.text.rstrip("\n")) - 1)
    leading = content[: 1 + next(k for k, line in enumerate(content) if line.strip(" "))]
    digit = "2" if any(line.startswith((" ", "\t")) for line in leading) else ""
    return [header[0] + digit + chomp, *(" " * indent + line if line else "" for line in content)]


def _spaces(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def plain_reads_back(text: str, *, flow: bool) -> bool:
    """Whether plain text means the same to readers of YAML 1.1 and 1.2, ours among them."""
    return _analysis(text)[flow] and _is_text(text)


@lru_cache(maxsize=1024)
def _analysis(text: str) -> tuple[bool, bool]:
    emitter: Any = Emitter(io.StringIO(), allow_unicode=True)
    found = emitter.analyze_scalar(text)
    fits = not found.multiline and text.isprintable()
    return fits and found.allow_block_plain, fits and found.allow_flow_plain


def _is_text(text: str) -> bool:
    try:
        if resolve(text) != text:
            return False
    except TooBig:
        return False
    tag = _resolver.resolve(yaml.ScalarNode, text, (True, False))
    return tag == _TEXT_TAG and old_boolean(text) is None


_resolver: Final[Any] = Resolver()
