from __future__ import annotations

import re
import sys

import pytest

from graphagent.drawing import Diagram, DiagramNode, Drawing, png
from graphagent.drawing.png import FONTS
from graphagent.drawing.theme import DARK, LIGHT
from graphagent.errors import MissingExtra
from tests.unit.drawing import corpus
from tests.unit.drawing.pixels import Colour, Picture, read

NEEDS = pytest.mark.skipif("not __import__('importlib.util').util.find_spec('resvg_py')", reason="png: no resvg-py")
WORDS = {
    "latin": "Draft",
    "greek": "σχέδιο",
    "cyrillic": "черновик",
    "hebrew": "שלום",
    "arabic": "مسودة",
    "signs": "→✔≤",
}


def rgb(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink(label: str, **options: str) -> tuple[Picture, set[Colour]]:
    """The picture of one box, and the colours where its label is."""
    drawing = Drawing(Diagram("d", (DiagramNode("n", label, "llm"),)))
    picture = read(drawing.png(scale=2, **options))  # type: ignore[arg-type]
    (box,) = drawing.layout().nodes
    # behind the tile with the icon, above the line with the kind
    return picture, picture.colours(2 * (16 + box.x + 42), 2 * (16 + box.y + 10), 2 * (box.w - 52), 34)


@NEEDS
@pytest.mark.parametrize("script", WORDS)
def test_labels_are_not_blank(script: str) -> None:
    _, colours = ink(WORDS[script])
    assert rgb(LIGHT["node"]) in colours
    assert rgb(LIGHT["ink"]) in colours


@NEEDS
def test_different_labels_look_different_and_the_same_one_the_same() -> None:
    one, other = (Drawing(Diagram("d", (DiagramNode("n", label, "llm"),))).png() for label in ("iiii", "oooo"))
    assert one != other
    assert one == Drawing(Diagram("d", (DiagramNode("n", "iiii", "llm"),))).png()


@NEEDS
def test_the_themes_and_the_size() -> None:
    for theme, palette in (("auto", LIGHT), ("light", LIGHT), ("dark", DARK)):
        picture, colours = ink("Draft", theme=theme)
        assert picture.colours(0, 0, picture.width, 4) == {rgb(palette["paper"])}
        assert rgb(palette["ink"]) in colours
    drawing = Drawing(corpus.CHAIN)
    layout = drawing.layout()
    for scale in (1, 2):
        made = drawing.png(scale=scale)
        assert int.from_bytes(made[16:20]) == scale * (layout.width + 32)
        assert int.from_bytes(made[20:24]) == scale * (layout.height + 32)


@NEEDS
def test_a_huge_drawing_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MOST_PIXELS", 50_000)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="900"><rect width="800" height="900"/></svg>'
    made = png.to_png(svg, 800, 900)
    width, height = (int.from_bytes(made[at : at + 4]) for at in (16, 20))
    assert 0.98 < width * height / 50_000 < 1.02


@NEEDS
def test_hostile_and_foreign_labels_make_a_picture() -> None:
    assert Drawing(corpus.SCRIPTS).png().startswith(b"\x89PNG")
    assert Drawing(Diagram("nothing", ())).png().startswith(b"\x89PNG")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingExtra, match="resvg-py is not installed") as caught:
        Drawing(corpus.CHAIN).png()
    assert caught.value.hint == "pip install 'graphagent[png]'"


def test_the_fonts_are_there_small_and_have_a_licence() -> None:
    assert all(path.read_bytes().startswith(b"\0\1\0\0") for path in FONTS)
    assert sum(path.stat().st_size for path in FONTS) < 800_000
    licence = FONTS[0].with_name("LICENSE").read_text(encoding="utf-8")
    assert re.search(r"Bitstream Vera Fonts Copyright.*Arev Fonts Copyright", licence, flags=re.DOTALL)
