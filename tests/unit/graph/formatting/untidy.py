"""Generates YAML as careless authors write it, with comments that say what they stand beside.

A comment `# above NAME` belongs to the entry NAME below it, `# beside NAME` to the entry on its line; `# loose` ends
a block. Every key and every scalar in a list has a name of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

TEXTS = (
    "plain", "two words", "list[str]", "dict[str, int]", "Literal['a', 'b'] | None", "int = 3", "str = ''", "${ a }",
    "${ [x for x in xs] }", "Hi {{ name }}.", "it's", 'say "x"', "a: b", "a #b", "#x", "- x", "yes", "no", "1", "007",
    "1.5", "null", "~", "true", "True", "12:30", "2024-01-01", "0x1f", "*x", "&x", "!x", "%x", "@x", "`x`", "<<", "=",
    "?", "? x", "x?", "-", "--- x", "[x", "{x", "x]", "a,b", "back\\slash", "汉字 と かな", "é", "emoji 🐝", " lead",
    "trail ", "", "x" * 90, "長" * 60, "tab\there", "a:b", "a: ", ":", "'", '"', "|", ">", "\u00a0", "a\u2028b",
)  # fmt: skip
LINES = ("one", "two words", "", "  deeper", "# no comment", "汉字", "trailing  ", "- x", "a: b", "\ttab", "{{ x }}")


@dataclass
class Untidy:
    """Draws a text; `data` is what it means."""

    draw: Any
    literals: bool = True
    names: int = 0
    anchors: list[tuple[str, Any]] = field(default_factory=list)

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}_"

    def file(self) -> tuple[str, Any]:
        """A text and its data."""
        head = self.pick(
            "", "", "# head\n", "\n\n# head\n\n# more\n", "---\n", "%YAML 1.1\n--- # start\n", "# c\n---\n"
        )
        text, data = self.block(0, 0, mapping=True)
        end = self.pick("", "", "\n", "\n\n\n# end", "# end\n", "\n# end\n\n\n")
        if end and not text.endswith("\n"):
            text += "\n"
        whole = head + text + end
        return (whole.replace("\n", "\r\n") if self.chance(15) else whole), data

    def blanks(self) -> str:
        return str(self.pick("", "", "", "", "\n", "\n\n", "   \n"))

    def above(self, indent: int, name: str) -> str:
        if not self.chance(25):
            return self.blanks()
        pad = " " * indent
        return f"{self.blanks()}{pad}# above {name}{self.pick('', '  ')}\n{self.blanks() if self.chance(20) else ''}"

    def beside(self, name: str) -> str:
        return f"{self.pick(' ', '  ', '          ')}# beside {name}" if self.chance(20) else ""

    def block(self, indent: int, depth: int, mapping: bool) -> tuple[str, Any]:
        """Entries in block style."""
        entries: dict[str, Any] = {}
        items: list[Any] = []
        text = ""
        for _ in range(self.draw(st.integers(1, 4))):
            name = self.name()
            text += self.above(indent, name)
            if mapping:
                key = self.pick(name, name, f'"{name}"', f"'{name}'")
                inner, entries[name] = self.value(indent, depth, name, in_list=False)
                text += f"{' ' * indent}{key}:{inner}"
            else:
                inner, value = self.value(indent, depth, name, in_list=True)
                items.append(value)
                text += f"{' ' * indent}-{inner}"
        if self.chance(10):
            text += f"{' ' * indent}# loose\n"
        return text, entries if mapping else items

    def value(self, indent: int, depth: int, name: str, *, in_list: bool) -> tuple[str, Any]:
        """What follows `:` or `-`, to the end of its last line."""
        choice = self.draw(st.integers(0, 9))
        beside, anchor = self.beside(name), self.anchor()
        if choice == 0 and self.anchors:
            label, data = self.pick(*self.anchors)
            return f" *{label}{beside}\n", data
        if choice == 1 and not in_list:
            return f"{beside}\n", None
        if depth < 3 and choice in (2, 3, 4):
            mapping = self.chance(60)
            step = self.pick(1, 2, 4) if mapping or in_list else self.pick(0, 2, 3)
            lead = f" &{anchor}" if anchor else ""
            inner, data = self.block(indent + step, depth + 1, mapping)
            self.remember(anchor, data)
            if in_list and not anchor and not beside and self.chance(50):
                inner, data = self.block(indent + 2, depth + 1, mapping)
                first = inner.lstrip("\n ")
                if not first.startswith("#"):
                    return " " + first, data
            return f"{lead}{beside}\n{inner}", data
        if depth < 3 and choice == 5:
            inner, data = self.flow(indent, depth + 1, broken=self.chance(40))
            self.remember(anchor, data)
            return f" {f'&{anchor} ' if anchor else ''}{inner}{beside}\n", data
        if choice == 6 and self.literals:
            return self.block_scalar(indent, beside, anchor, in_list=in_list)
        raw, data = self.scalar(name if in_list else "", flow=False, indent=indent)
        self.remember(anchor, data)
        return f"{self.pick(' ', '  ', '     ')}{f'&{anchor} ' if anchor else ''}{raw}{beside}\n", data

    def anchor(self) -> str:
        return f"x{self.name()}" if self.chance(8) else ""

    def remember(self, anchor: str, data: Any) -> None:
        if anchor:
            self.anchors.append((anchor, data))

    def scalar(self, name: str, *, flow: bool, indent: int) -> tuple[str, Any]:
        """A scalar in one of its styles; `name` makes it unique."""
        number = self.pick(None, None, None, None, 3, True, 2.5)
        if number is not None and not name:
            return json.dumps(number), number
        text = name + self.pick(*TEXTS)
        style = self.pick("plain", '"', "'", "folded")
        if style == "plain":
            bad = set(text) & set("#:,[]{}&*!|>'\"%@`?\\\t\u2028\u00a0") or text.strip() != text or not text
            word = text in {"~", "<<", "=", "-", "null", "true", "True", "1", "007", "1.5", "0x1f"}
            if not bad and not word and not text.startswith("-"):
                return text, text
        if style == "'" and "\u2028" not in text:
            return "'" + text.replace("'", "''") + "'", text
        if style == "folded":
            pad = "\n" + " " * (indent + 2 + self.pick(0, 3))
            return f'"{name}one{pad}two\\n \\{pad}\\ three\n{pad}four"', f"{name}one two\n  three\nfour"
        return json.dumps(text, ensure_ascii=self.chance(20)), text

    def flow(self, indent: int, depth: int, *, broken: bool) -> tuple[str, Any]:
        """A mapping or list in brackets; `broken` over several lines, with comments."""
        mapping = self.chance(60)
        parts: list[str] = []
        entries: dict[str, Any] = {}
        items: list[Any] = []
        for _ in range(self.draw(st.integers(0, 4))):
            name = self.name()
            if depth < 3 and self.chance(20):
                inner, data = self.flow(indent, depth + 1, broken=broken and self.chance(50))
            else:
                inner, data = self.scalar("" if mapping else name, flow=True, indent=indent)
            parts.append((f"{name}:{self.pick(' ', '   ')}" if mapping else "") + inner)
            entries[name] = data
            items.append(data)
        data = entries if mapping else items
        left, right = "{}" if mapping else "[]"
        if not broken:
            space = self.pick("", " ")
            return left + space + self.pick(", ", " ,", ",  ").join(parts) + space + right, data
        pad = " " * (indent + self.pick(1, 2, 5))
        text = left + self.pick("", " # loose") + "\n"
        for name, part in zip(entries, parts, strict=True):
            if self.chance(25):
                text += f"{pad}# above {name}\n"
            text += f"{pad}{part},{self.beside(name)}\n{self.blanks()}"
        if self.chance(20):
            text += f"{pad}# loose\n"
        return text + pad + right, data

    def block_scalar(self, indent: int, beside: str, anchor: str, *, in_list: bool) -> tuple[str, Any]:
        """A literal; what it means is left to the parser, which the test asks."""
        step = self.pick(1, 2, 4)
        lines = self.draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=5))
        first = next((line for line in lines if line.strip()), None)
        digit = str(step) if first is None or first.startswith((" ", "\t")) else ""
        header = self.pick("|", ">") + digit + self.pick("", "-", "+")
        content = "".join(f"{' ' * (indent + step)}{line}\n" if line else "\n" for line in lines)
        return f" {f'&{anchor} ' if anchor else ''}{header}{beside}\n{content}", ...
