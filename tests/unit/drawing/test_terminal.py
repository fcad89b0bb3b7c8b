from __future__ import annotations

import re

import pytest

from graphagent.drawing import Diagram, DiagramNode, Drawing, draw
from graphagent.drawing.metrics import cell_width
from tests.unit.drawing import corpus

every_diagram = pytest.mark.parametrize("diagram", corpus.EVERY, ids=lambda d: d.name)


def columns(text: str) -> int:
    return max(map(cell_width, text.splitlines()), default=0)


def test_a_chain() -> None:
    assert (
        draw(corpus.CHAIN)
        == """\
  ╭─────────╮
  │ ● start │
  ╰────┬────╯
       │
       ▼
  ┌─────────┐
  │ ƒ fetch │
  │   code  │
  └────┬────┘
       │
       ▼
╭─────────────╮
│ ✦ summarize │
│   llm       │
╰──────┬──────╯
       │
       ▼
 ┌───────────┐
 │ » publish │
 │   emit    │
 └─────┬─────┘
       │
       ▼
   ╭───────╮
   │ ◎ end │
   ╰───────╯
"""
    )


def test_a_loop_is_dashed_and_enters_on_the_right() -> None:
    text = draw(corpus.NESTED_LOOPS)
    assert "│ ✦ write │◄╌╮" in text
    assert "│ ◇ judge  ├╌╌╯" in text
    assert "↻ tries < 5" in text


@every_diagram
@pytest.mark.parametrize("direction", ["tb", "lr"])
@pytest.mark.parametrize("ascii", [False, True])
def test_every_edge_has_an_arrowhead_and_every_word_is_there(diagram: Diagram, direction: str, ascii: bool) -> None:
    edges: list[str] = []

    def style(role: str, text: str) -> str:
        if role.startswith("edge"):
            edges.append(text)
        return text

    text = Drawing(diagram, direction).text(ascii=ascii, style=style)  # type: ignore[arg-type]
    assert len(re.findall("[v^<>]" if ascii else "[▼▲◄►]", "".join(edges))) == len(diagram.edges)
    flat = re.sub(r"[^\w]", "", text)
    for node in diagram.nodes:
        if node.label.isascii() and len(node.label) < 30:
            assert re.sub(r"[^\w]", "", node.label) in flat


@pytest.mark.parametrize("diagram", list(corpus.NAMED.values()), ids=list(corpus.NAMED))
def test_ascii_is_ascii_but_for_the_words_of_the_author(diagram: Diagram) -> None:
    text = draw(diagram, ascii=True)
    if diagram is not corpus.SCRIPTS:
        assert text.isascii()
    run = draw(corpus.WRITER, overlay=corpus.WRITER_RUN, ascii=True)
    assert run.isascii()
    assert "+ done x3 - 1.2 s" in run


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["router", "code-writer", "customer-support", "summarize-documents", "nested loops"])
def test_a_drawing_fits_the_terminal(name: str, width: int) -> None:
    assert columns(draw(corpus.NAMED[name], width=width)) <= width


def test_too_wide_is_turned_then_wrapped_and_never_cut() -> None:
    assert draw(corpus.ROUTER, width=100).startswith(" " * 30)
    assert columns(draw(corpus.ROUTER)) > 100
    turned = draw(corpus.ROUTER, width=100)
    assert "►" in turned
    assert "▼" not in turned
    tiny = draw(corpus.ROUTER, width=10)
    assert columns(tiny) > 10
    assert "httpgone" in re.sub(r"[^a-z]", "", tiny) or "gone" in tiny


def test_a_terminal_is_never_given_a_control_character() -> None:
    text = draw(corpus.SCRIPTS)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_wide_characters_take_two_cells() -> None:
    lines = draw(Diagram("d", (DiagramNode("n", "要約を作成", "llm"),))).splitlines()
    assert {cell_width(line) for line in lines} == {cell_width(lines[0])}


def test_a_join_and_an_outlined_box() -> None:
    assert "╒ all ═" in draw(corpus.WRITER)
    assert "║" in draw(corpus.WRITER, direction="lr")
    run = draw(corpus.WRITER, overlay=corpus.WRITER_RUN)
    assert "┗━" in run
    assert "✔ done ×3 · 1.2 s · 340 tok · $0.0021" in run  # noqa: RUF001
    assert "⏸ waiting" in run
    assert run.startswith("code-writer @7\n\n")


def test_a_style_colours_parts_and_changes_nothing_else() -> None:
    drawing = Drawing(corpus.WRITER, overlay=corpus.WRITER_RUN)
    roles: set[str] = set()

    def style(role: str, text: str) -> str:
        roles.add(role)
        return f"\x1b[1m{text}\x1b[0m"

    styled = drawing.text(style=style)
    assert re.sub(r"\x1b\[[01]m", "", styled) == drawing.text()
    assert {"title", "kind", "edge taken", "edge red", "label red", "border done", "status waiting"} <= roles
