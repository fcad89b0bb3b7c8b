"""One HTML file with the drawing and tables of what is in it. It needs no script and fetches nothing.

The policy in its head allows the two style sheets in it, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphagent.drawing.content import Shown, edge_texts
from graphagent.drawing.diagram import MARKS, Diagram, DiagramNode, Group
from graphagent.drawing.layout import Layout
from graphagent.drawing.svg import escape, to_svg
from graphagent.drawing.text import plain
from graphagent.drawing.theme import DARK, FAMILY, LIGHT, Palette, Theme, style_sheet


@dataclass(frozen=True, slots=True)
class Table:
    """A table below the drawing: the first row is its head."""

    title: str
    rows: Sequence[Sequence[str]]


_CSS = """
:root{color-scheme:{scheme};{light}}
{dark}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px;max-width:1600px;font:15px/1.5 {family};color:var(--ink);background:var(--paper)}
h1{font-size:24px;margin:0}
h2{font-size:17px;margin:32px 0 8px}
p{margin:4px 0 12px;color:var(--muted)}
label{display:inline-block;margin:8px 0;cursor:pointer}
.sheet{overflow:auto;max-height:88vh;border:1px solid var(--groupborder);border-radius:8px;padding:8px}
.sheet svg{display:block;margin:0 auto}
#fit:checked~.sheet svg{width:100%;height:auto}
:focus-visible{outline:3px solid var(--queued);outline-offset:2px}
.wide{overflow-x:auto}
table{border-collapse:collapse;min-width:50%}
th,td{text-align:start;vertical-align:top;padding:4px 16px 4px 0;border-bottom:1px solid var(--groupborder)}
td{overflow-wrap:anywhere;min-width:5em;max-width:32em}
"""


def to_html(layout: Layout, shown: Shown, *, theme: Theme = "auto", tables: Sequence[Table] = ()) -> str:
    """The page of a drawing. `tables` come before those of its nodes, routes and channels."""
    diagram = layout.diagram
    css, drawn = _style(theme), f"\n{style_sheet(theme)}\n"
    name = escape(plain(diagram.name))
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(css, drawn)}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{name}</title>",
        f"<style>{css}</style>",
        "</head>",
        "<body>",
        f'<h1 dir="auto">{name}</h1>',
        *([f'<p dir="auto">{escape(plain(diagram.description))}</p>'] if diagram.description else []),
        '<input type="checkbox" id="fit"> <label for="fit">fit to the width of the window</label>',
        '<div class="sheet" role="region" aria-label="drawing" tabindex="0">',
        to_svg(layout, shown, theme=theme).rstrip(),
        "</div>",
        *(line for table in (*tables, *_tables(diagram, shown)) for line in _table(table)),
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(parts)


def _style(theme: Theme) -> str:
    """The page's own style sheet."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}" if theme == "auto" else ""
    values = {
        "{scheme}": "light dark" if theme == "auto" else theme,
        "{light}": _variables(DARK if theme == "dark" else LIGHT),
        "{dark}": dark,
        "{family}": FAMILY,
    }
    css = _CSS
    for key, value in values.items():
        css = css.replace(key, value)
    return css


def _variables(palette: Palette) -> str:
    return ";".join(f"--{name}:{palette[name]}" for name in ("paper", "ink", "muted", "groupborder", "queued"))


def _policy(*styles: str) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" for style in styles
    )
    return f"default-src 'none'; style-src {hashes}; base-uri 'none'; form-action 'none'"


def _tables(diagram: Diagram, shown: Shown) -> Iterator[Table]:
    nodes = [["node", "kind", "does", "reads", "writes", "description"]]
    for box in _in_order(diagram):
        if box.kind not in MARKS:
            about = ", ".join(part for part in (box.sublabel, *box.flags) if part)
            nodes.append([box.id, box.kind, about, ", ".join(box.reads), ", ".join(box.writes), box.description])
    yield Table("Nodes", nodes)
    texts = edge_texts(diagram)
    routes = [["from", "to", "kind", "when"]]
    routes += [[edge.source, edge.target, edge.kind, texts[edge.id]] for edge in diagram.edges]
    if shown.overlay:
        counts = ["taken", *(str(shown.taken(edge.id)) for edge in diagram.edges)]
        routes = [[*row, count] for row, count in zip(routes, counts, strict=True)]
    yield Table("Routes", routes)
    channels = [["channel", "type", "reducer", "written by", "read by"]]
    for channel in diagram.channels:
        around = ", ".join(channel.writers), ", ".join(channel.readers)
        channels.append([channel.id, channel.type, channel.reducer, *around])
    if shown.overlay:
        versions = ["version", *(shown.overlay.channels.get(channel.id, "") for channel in diagram.channels)]
        channels = [[*row, version] for row, version in zip(channels, versions, strict=True)]
    yield Table("Channels", channels)


def _in_order(diagram: Diagram) -> Iterator[DiagramNode | Group]:
    """All boxes in the order of the text, each group before what is in it."""
    groups = {group.id: group for group in diagram.groups}
    seen: set[str] = set()
    for node in diagram.nodes:
        around = []
        at = node.group
        while at is not None and at not in seen:
            seen.add(at)
            around.append(groups[at])
            at = groups[at].parent
        yield from reversed(around)
        yield node


def _table(table: Table) -> Iterator[str]:
    used = [any(column[1:]) for column in zip(*table.rows, strict=True)]
    head, *rows = ([cell for cell, use in zip(row, used, strict=True) if use] for row in table.rows)
    if not rows:
        return
    yield f"<h2>{escape(plain(table.title))}</h2>"
    yield '<div class="wide"><table>'
    yield f"<thead><tr>{''.join(_cell(text, 'th') for text in head)}</tr></thead>"
    yield "<tbody>"
    for row in rows:
        yield f"<tr>{''.join(_cell(text, 'td') for text in row)}</tr>"
    yield "</tbody></table></div>"


def _cell(text: str, tag: str) -> str:
    attribute = ' scope="col"' if tag == "th" else ' dir="auto"'
    return f"<{tag}{attribute}>{escape(plain(text))}</{tag}>"
