"""Plain data as YAML in block style, so that our own reader, which is YAML 1.2, reads it back."""

from __future__ import annotations

from typing import Any, Final

import yaml

from graphagent.graph.resolver import TooBig, old_boolean, resolve

_TAGS: Final = {bool: "bool", int: "int", float: "float", type(None): "null", str: "str"}
_WIDTH: Final = 1 << 20
"""Long texts stay on one line: an expression that is broken up is hard to edit."""


class _Dumper(yaml.SafeDumper):
    """Decides by our own resolver what a plain scalar would be read as, and so what needs quotes."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:
            return f"tag:yaml.org,2002:{_tag_of(value)}"
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def choose_scalar_style(self) -> str:
        """Text that needs quotes and holds single ones, as expressions often do, gets double ones."""
        style = str(super().choose_scalar_style())
        text = getattr(self.event, "value", "")
        return '"' if style == "'" and "'" in text and not set(text) & {'"', "\\"} else style

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_TURNS: Final = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
"""Marks that turn text around: they are read from escapes only."""
_QUOTED: Final = frozenset("\r\x85\u2028\u2029") | frozenset(map(chr, _TURNS))
"""What the parser takes for the end of a line, besides the one that we write; and those marks."""


def yaml_text(data: Any) -> str:
    """The YAML of plain data; mappings keep their order."""
    text = str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH))
    return text.translate(_TURNS)


def _tag_of(plain: str) -> str:
    try:
        return _TAGS[type(resolve(plain))]
    except TooBig:
        return "float"


def _text(dumper: yaml.SafeDumper, value: str, as_key: bool = False) -> yaml.ScalarNode:
    style = None
    if not _QUOTED.isdisjoint(value) or value == "<<":
        style = '"'
    elif as_key:
        pass  # a key is text, whatever it looks like: `on` needs no quotes
    elif "\n" in value.strip() and not value[:1].isspace():
        style = "|"
    elif old_boolean(value) is not None:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    pairs = [(_text(dumper, key, as_key=True), dumper.represent_data(item)) for key, item in value.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False if pairs else None)


def _float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", repr(value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(float, _float)
