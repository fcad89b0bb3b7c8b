from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from graphagent.drawing import Diagram, DiagramNode, NodeRun, Overlay, draw
from graphagent.drawing.content import STATE_ICONS
from graphagent.drawing.metrics import pixel_width
from graphagent.drawing.theme import DARK, KINDS, LIGHT, STATES, contrast
from tests.unit.drawing import corpus

SVG = "{http://www.w3.org/2000/svg}"
every_diagram = pytest.mark.parametrize("diagram", corpus.EVERY, ids=lambda d: d.name)


def parsed(diagram: Diagram, overlay: Overlay | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(draw(diagram, format="svg", overlay=overlay))


def parts(root: ElementTree.Element, what: str) -> dict[str, ElementTree.Element]:
    return {g.attrib[f"data-{what}"]: g for g in root.iter(f"{SVG}g") if f"data-{what}" in g.attrib}


def words(part: ElementTree.Element) -> str:
    return " ".join(text.text or "" for text in part.iter(f"{SVG}text"))


@every_diagram
def test_every_part_has_a_title_a_description_and_every_edge_an_arrowhead(diagram: Diagram) -> None:
    root = parsed(diagram)
    nodes, edges = parts(root, "node"), parts(root, "edge")
    assert len(nodes) == len(diagram.boxes)
    assert len(edges) == len(diagram.edges)
    for part in (root, *nodes.values(), *edges.values()):
        assert part.findtext(f"{SVG}title")
        assert part.findtext(f"{SVG}desc")
    for edge in edges.values():
        assert [p.attrib["class"] for p in edge.findall(f"{SVG}path")] == ["line", "head"]


@every_diagram
def test_it_is_safe_to_put_into_a_page(diagram: Diagram) -> None:
    svg = draw(diagram, format="svg")
    root = ElementTree.fromstring(svg)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "path", "g", "text"}
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg\")|javascript:", svg)
    for element in root.iter():
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name or name == "id"]


def test_hostile_labels_are_only_text() -> None:
    nodes = parts(parsed(corpus.SCRIPTS), "node")
    assert "<script>alert('&\"')</script>" in words(nodes["bad"]).replace(" ", "")
    assert 'id"><x' in nodes


@pytest.mark.parametrize("direction", ["tb", "lr"])
def test_the_text_of_every_node_is_there(direction: str) -> None:
    for diagram in (corpus.SUPPORT, corpus.MAP_IN_MAP):
        nodes = parts(ElementTree.fromstring(draw(diagram, format="svg", direction=direction)), "node")  # type: ignore[arg-type]
        for box in diagram.boxes:
            assert box.label in words(nodes[box.id])
            assert box.kind in words(nodes[box.id])


def test_guards_else_and_errors_are_on_their_edges() -> None:
    root = parsed(corpus.ERRORS)
    labels = {name: words(part) for name, part in parts(root, "label").items()}
    assert labels == {
        "e2": "error.kind == 'auth'",
        "e3": "on error",
        "e5": "on error: gave up",
        "e6": "out.ok",
        "e7": "else: the bank refused",
        "e8": "fail",
        "e9": "on limit",
    }
    red = {name for name, part in parts(root, "edge").items() if "red" in part.attrib["class"].split()}
    assert red == {"e2", "e3", "e5", "e7", "e8", "e9"}


def test_loops_are_dashed_and_have_a_sign() -> None:
    root = parsed(corpus.SELF_LOOP)
    back = {name for name, part in parts(root, "edge").items() if "back" in part.attrib["class"].split()}
    assert back == {"e1", "e2", "e4"}
    for name in back:
        assert parts(root, "label")[name].find(f"{SVG}path[@class='loop']") is not None


def test_a_join_of_all_is_a_bar_with_its_word() -> None:
    nodes = parts(parsed(corpus.WRITER), "node")
    assert nodes["judge"].find(f"{SVG}rect[@class='bar']") is not None
    assert "all" in words(nodes["judge"])
    assert nodes["write"].find(f"{SVG}rect[@class='bar']") is None


def test_a_join_of_some_says_how_many_and_whether_it_cancels() -> None:
    for direction in ("tb", "lr"):
        svg = draw(corpus.EVERY_KIND, format="svg", direction=direction)
        nodes = parts(ElementTree.fromstring(svg), "node")
        for name, said in (("meet", "at least 2"), ("first", "at least 1, cancels siblings")):
            bar = nodes[name].find(f"{SVG}rect[@class='bar']")
            assert bar is not None
            length = int(bar.attrib["width" if direction == "tb" else "height"])
            assert length >= pixel_width(said, 11, True)
            assert said in words(nodes[name])
        assert "═ at least 1, cancels siblings" in draw(corpus.EVERY_KIND).replace("╒ ", "═ ")


def test_sandboxes_and_breakpoints_have_a_sign_and_words() -> None:
    nodes = parts(parsed(corpus.EVERY_KIND), "node")
    signs = {
        name: [p.attrib["d"] for p in nodes[name].iter(f"{SVG}path") if p.attrib["class"] == "flag"] for name in nodes
    }
    assert {name for name, paths in signs.items() if paths} == {"tests", "count", "reply"}
    assert signs["count"] == signs["reply"] != signs["tests"]
    assert "sandbox wasm" in words(nodes["tests"])
    assert "interrupt before" in words(nodes["count"])
    assert "⬡ sandbox wasm" in draw(corpus.EVERY_KIND)


def test_delegates_lie_in_the_labelled_box_of_their_agent() -> None:
    nodes = parts(parsed(corpus.HUB), "node")
    assert "agent · main, 1 tool, 5 delegates" in words(nodes["hub"])
    assert "group" in nodes["hub"].attrib["class"].split()
    assert sum(name.startswith("hub/") for name in nodes) == 5
    closed = parts(ElementTree.fromstring(draw(corpus.HUB, format="svg", expand="none")), "node")
    assert set(closed) == {"start", "hub", "ask", "end"}
    assert words(closed["hub"]).count("5 delegates") == 1


def test_every_kind_looks_different_without_colour() -> None:
    looks = set()
    for kind in KINDS:
        (node,) = parts(parsed(Diagram("d", (DiagramNode("n", "n", kind),))), "node").values()
        assert kind in words(node)
        looks.add(tuple(p.attrib["d"] for p in node.iter(f"{SVG}path")))
    assert len(looks) == len(KINDS)


def test_a_run_is_drawn_over_its_graph() -> None:
    root = parsed(corpus.WRITER, corpus.WRITER_RUN)
    nodes, edges = parts(root, "node"), parts(root, "edge")
    assert "done ×3 · 1.2 s · 340 tok · $0.0021" in words(nodes["write"])  # noqa: RUF001
    assert "files v3→v4" in words(nodes["write"])
    assert "Tests pass after 3 tries. Edit or accept." in words(nodes["review"])
    assert "run-waiting" in nodes["review"].attrib["class"]
    assert len(root.findall(f".//{SVG}rect[@class='ring']")) == 1
    taken = {name for name, part in edges.items() if "taken" in part.attrib["class"].split()}
    assert taken == set(corpus.WRITER_RUN.taken)
    assert "×3" in words(parts(root, "label")["e4"])  # noqa: RUF001
    assert "code-writer @7" in words(root)


def test_every_state_has_a_mark_and_its_word() -> None:
    marks = set()
    for state in STATE_ICONS:
        overlay = Overlay(nodes={"n": NodeRun(state)})
        (node,) = parts(parsed(Diagram("d", (DiagramNode("n", "n", "set"),)), overlay), "node").values()
        assert state in words(node)
        (mark,) = [p for p in node.iter(f"{SVG}path") if p.attrib["class"].startswith("mark")]
        marks.add((mark.attrib["d"], mark.attrib.get("stroke-dasharray")))
    assert len(marks) == len(STATE_ICONS)


def test_channels_are_pills() -> None:
    svg = draw(corpus.WRITER, format="svg", channels=True)
    write = parts(ElementTree.fromstring(svg), "node")["write"]
    assert len(write.findall(f"{SVG}rect[@class='pill']")) == 4
    assert words(write) == "write llm reads log lint writes files tries"


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_enough_contrast(palette: dict[str, str]) -> None:
    assert LIGHT.keys() == DARK.keys()
    for ground in ("paper", "node", "group"):
        for text in ("ink", "muted", "red", *STATES):
            assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    assert contrast(palette["ink"], palette["paper"]) >= 4.5
    for kind in KINDS:
        assert contrast(palette["onaccent"], palette[kind]) >= 4.5, kind
    for line, least in (("line", 4.5), ("red", 4.5), ("border", 3), ("groupborder", 3), ("faint", 3)):
        for ground in ("paper", "group"):
            assert contrast(palette[line], palette[ground]) >= least, (line, ground)
    assert round(contrast("#000000", "#ffffff"), 1) == 21.0


def test_themes() -> None:
    auto, light, dark = (draw(corpus.CHAIN, format="svg", theme=t) for t in ("auto", "light", "dark"))
    assert "prefers-color-scheme:dark" in auto
    assert "var(--ga-ink)" in auto
    assert "var(" not in light + dark
    assert LIGHT["paper"] in light
    assert DARK["paper"] in dark
    for theme, svg in (("auto", auto), ("light", light), ("dark", dark)):
        style = ElementTree.fromstring(svg).findtext(f"{SVG}style") or ""
        rules = re.findall(r"^([^@{\n]+)\{", style, flags=re.MULTILINE)
        assert rules
        assert all(part.startswith(f".ga-{theme}") for rule in rules for part in rule.split(","))
