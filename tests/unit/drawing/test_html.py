from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from graphagent.drawing import Diagram, Drawing, Table
from tests.unit.drawing import corpus

VOID = {"meta", "input"}


class Page(HTMLParser):
    """Tags, attributes and the text of cells; fails if tags don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data


@pytest.mark.parametrize("diagram", corpus.NAMED.values(), ids=list(corpus.NAMED))
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_a_page_needs_no_script_and_nothing_from_outside(diagram: Diagram, theme: str) -> None:
    html = Drawing(diagram).html(theme=theme)  # type: ignore[arg-type]
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "base", "a", "form", "use"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg\")|javascript:", html)


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_policy_allows_its_own_styles_and_nothing_else(theme: str) -> None:
    page = Page(Drawing(corpus.SCRIPTS).html(theme=theme))  # type: ignore[arg-type]
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    hashes = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in page.texts["style"]]
    assert len(hashes) == 2
    styles = " ".join(f"'sha256-{digest}'" for digest in hashes)
    assert policy == f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'"


def test_hostile_labels_are_only_text() -> None:
    page = Page(Drawing(corpus.SCRIPTS).html())
    shown = "<script>alert('&\"')</script>?[31m??]]>".replace("?", "\N{REPLACEMENT CHARACTER}")
    assert any(shown in title for title in page.texts["title"])
    assert 'id"><x' in page.texts["td"]
    assert "scripts & <hostile> labels" in page.texts["h1"]


def test_the_tables_say_what_the_drawing_shows() -> None:
    page = Page(Drawing(corpus.EVERY_KIND).html())
    assert page.texts["h2"] == ["Nodes", "Routes", "Channels"]
    cells = page.texts["td"]
    at = cells.index("tests")
    assert cells[at : at + 3] == ["tests", "code", "run pytest -q, sandbox wasm"]
    at = cells.index("unread")
    assert cells[at : at + 5] == ["unread", "str", "last", "ask", ""]
    assert "start" not in cells[: cells.index("find")]


def test_a_run_adds_its_supersteps_and_counts() -> None:
    steps = Table("Supersteps", [["superstep", "ran"], ["0", "<b>write</b>"]])
    drawing = Drawing(corpus.WRITER, overlay=corpus.WRITER_RUN)
    page = Page(drawing.html(tables=[steps]))
    assert page.texts["h2"][0] == "Supersteps"
    assert "<b>write</b>" in page.texts["td"]
    assert "taken" in page.texts["th"]
    assert corpus.WRITER_RUN.caption in page.texts["text"]


def test_groups_come_before_what_is_in_them_and_empty_columns_are_left_out() -> None:
    page = Page(Drawing(corpus.SUPPORT).html())
    cells = page.texts["td"]
    assert cells.index("refund_flow") < cells.index("refund_flow/lookup") < cells.index("resolve")
    assert page.texts["th"] == ["node", "kind", "from", "to", "kind", "when"]


def test_a_graph_without_nodes_has_no_empty_tables() -> None:
    page = Page(Drawing(corpus.NOTHING).html())
    assert "table" not in page.texts
