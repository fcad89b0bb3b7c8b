"""Colours of the SVG in both themes. Every text and route has a contrast of at least 4.5:1 with what it
stands on, borders and routes that weren't taken one of 3:1."""

from __future__ import annotations

from typing import Literal

Theme = Literal["auto", "light", "dark"]
Palette = dict[str, str]

LIGHT: Palette = {
    "paper": "#ffffff",
    "ink": "#18202c",
    "muted": "#566071",
    "node": "#ffffff",
    "border": "#7f8a9a",
    "line": "#5d6878",
    "faint": "#838e9d",
    "group": "#f4f6f9",
    "groupborder": "#838e9e",
    "red": "#b3231b",
    "onaccent": "#ffffff",
    "set": "#5c6878",
    "code": "#0b7080",
    "llm": "#6741d9",
    "agent": "#9231ab",
    "tool": "#95500c",
    "router": "#1862a8",
    "map": "#297339",
    "graph": "#364fc7",
    "human": "#bd2257",
    "emit": "#a04a05",
    "wait": "#5b6600",
    "idle": "#566071",
    "queued": "#1b5cc9",
    "running": "#1b5cc9",
    "done": "#187434",
    "replayed": "#0b7080",
    "skipped": "#566071",
    "failed": "#b3231b",
    "waiting": "#85560a",
    "cancelled": "#6b4a9e",
}

DARK: Palette = {
    "paper": "#0f141b",
    "ink": "#e8edf4",
    "muted": "#a6b1c0",
    "node": "#1a222d",
    "border": "#667487",
    "line": "#94a1b3",
    "faint": "#5d6b7e",
    "group": "#151c25",
    "groupborder": "#5f6e83",
    "red": "#ff8a80",
    "onaccent": "#10151c",
    "set": "#a9b5c4",
    "code": "#56c7d6",
    "llm": "#b39dff",
    "agent": "#dd97f2",
    "tool": "#f0ad6a",
    "router": "#7db8f7",
    "map": "#7fd393",
    "graph": "#9db0ff",
    "human": "#ff92b5",
    "emit": "#ffad72",
    "wait": "#cdd765",
    "idle": "#a6b1c0",
    "queued": "#84b4ff",
    "running": "#84b4ff",
    "done": "#74d48b",
    "replayed": "#56c7d6",
    "skipped": "#a6b1c0",
    "failed": "#ff8a80",
    "waiting": "#f2c063",
    "cancelled": "#c7aef5",
}

KINDS = ("set", "code", "llm", "agent", "tool", "router", "map", "graph", "human", "emit", "wait")
STATES = ("idle", "queued", "running", "done", "replayed", "skipped", "failed", "waiting", "cancelled")

FAMILY = "Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif"

_RULES = """
text{font-family:{family};fill:{ink};font-size:11px}
.paper{fill:{paper}}
.title{font-size:14px;font-weight:bold}
.small,.note{fill:{muted}}
.note{font-style:italic}
.status{font-weight:bold}
.shape{fill:{node};stroke:{border};stroke-width:1.5}
.behind{fill:{node};stroke:{border};stroke-width:1}
.ring{fill:none;stroke:{running};stroke-width:3}
.group .shape{fill:{group};stroke:{groupborder}}
.group .behind{fill:{group};stroke:{groupborder}}
.bar{fill:{ink}}
.bartext{font-size:11px;font-weight:bold;fill:{paper};text-anchor:middle}
.icon{fill:none;stroke:{onaccent};stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.solid{fill:{onaccent}}
.pill{fill:none;stroke:{muted}}
.start .shape{fill:{ink};stroke:{ink}}
.start .title{fill:{paper}}
.start .title,.end .title,.fail .title,.limit .title,.errors .title{font-size:12px;text-anchor:middle}
.end .shape,.end .inner{stroke:{ink}}
.inner{fill:none;stroke:{border}}
.fail .shape,.errors .shape{stroke:{red};stroke-width:2.5}
.fail .title,.errors .title{fill:{red}}
.errors .shape{stroke-dasharray:5 3;stroke-width:1.5}
.limit .shape{stroke:{waiting};stroke-dasharray:5 3}
.limit .title{fill:{waiting}}
.line{fill:none;stroke:{line};stroke-width:1.5}
.head{fill:{line}}
.idleline .line{stroke:{faint}}
.idleline .head{fill:{faint}}
.taken .line{stroke-width:3.5;stroke:{ink}}
.taken .head{fill:{ink}}
.red .line{stroke:{red}}
.red .head{fill:{red}}
.back .line{stroke-dasharray:6 4}
.chip{fill:{paper}}
.word{text-anchor:middle}
.last{text-anchor:end;fill:{muted}}
.channel .line{stroke-dasharray:2 3}
.red .word{fill:{red}}
.loop{fill:none;stroke:{ink};stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.red .loop{stroke:{red}}
.flag{fill:none;stroke:{muted};stroke-width:1.3;stroke-linejoin:round;stroke-linecap:round}
.mark{fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
"""


def style_sheet(theme: Theme, family: str = FAMILY) -> str:
    """The rules of a drawing with the class `ga-THEME`; only these elements are touched, wherever it is inlined.

    `auto` follows the viewer by CSS variables; the others have plain colours, which every renderer understands.
    """
    root = f".ga-{theme}"
    rules = _RULES.strip().splitlines()
    rules += [f".k-{kind} .tile{{fill:{{{kind}}}}}" for kind in KINDS]
    for state in STATES:
        rules.append(f".s-{state}{{stroke:{{{state}}}}}")
        rules.append(f".f-{state}{{fill:{{{state}}}}}")
        if state != "idle":
            rules.append(f".run-{state} .shape{{stroke:{{{state}}};stroke-width:2.5}}")
    palette = DARK if theme == "dark" else LIGHT
    colours = {name: f"var(--ga-{name})" for name in palette} if theme == "auto" else palette
    colours = {**colours, "family": family}
    lines = [_scoped(root, rule, colours) for rule in rules]
    if theme == "auto":
        lines.insert(0, f"{root}{{{_variables(LIGHT)}}}")
        lines.insert(1, f"@media (prefers-color-scheme:dark){{{root}{{{_variables(DARK)}}}}}")
    return "\n".join(lines)


def _scoped(root: str, rule: str, colours: Palette) -> str:
    selectors, body = rule.split("{", 1)
    for name, colour in colours.items():
        body = body.replace(f"{{{name}}}", colour)
    return ",".join(f"{root} {selector}" for selector in selectors.split(",")) + "{" + body


def _variables(palette: Palette) -> str:
    return ";".join(f"--ga-{name}:{colour}" for name, colour in palette.items())


def contrast(one: str, other: str) -> float:
    """Contrast of two colours `#rrggbb`, from 1 to 21. Source: WCAG 2.2, relative luminance."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
