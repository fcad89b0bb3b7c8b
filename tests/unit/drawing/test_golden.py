"""Drawings that people have looked at; `pytest tests/unit/drawing/test_golden.py --update-golden` rewrites them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from graphagent import load
from graphagent.drawing import Drawing
from tests.unit.drawing import corpus

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests" / "golden" / "drawing"
PROGRAMS = {"count_words": ROOT / "examples" / "builder" / "count_words.py"}
FILES = sorted([*ROOT.glob("graphs/*.graph.yaml"), *ROOT.glob("examples/*/*.graph.yaml")])

CORPUS = {
    **{name.replace(" ", "_").replace("&", "and").replace("<", "").replace(">", ""): Drawing(diagram)
       for name, diagram in corpus.NAMED.items() if diagram.edges},
    "code-writer_run": Drawing(corpus.WRITER, overlay=corpus.WRITER_RUN, channels=True),
    "customer-support_closed": Drawing(corpus.SUPPORT, expand="none"),
    "every_kind_lr": Drawing(corpus.EVERY_KIND, "lr", channels=True),
    "router_lr": Drawing(corpus.ROUTER, "lr"),
    "customer-support_lr": Drawing(corpus.SUPPORT, "lr"),
}  # fmt: skip
LARGE = {
    "random_50": Drawing(corpus.random_diagram(50, 80, 50)),
    "random_200": Drawing(corpus.random_diagram(200, 320, 2)),
}
GRAPHS = [*(file.name.removesuffix(".graph.yaml") for file in FILES), *PROGRAMS]


def graph_drawing(name: str, monkeypatch: pytest.MonkeyPatch) -> Drawing:
    if name in PROGRAMS:
        monkeypatch.syspath_prepend(str(PROGRAMS[name].parent))
        drawing: Drawing = importlib.import_module(name).build().draw()
        return drawing
    return load(next(file for file in FILES if file.name == f"{name}.graph.yaml")).draw()


def texts(drawing: Drawing) -> dict[str, str]:
    return {"txt": drawing.text(), "svg": drawing.svg(), "mmd": drawing.mermaid(), "json": drawing.json()}


def compare(place: str, made: dict[str, str], update: bool) -> None:
    for ending, text in made.items():
        file = FOLDER / f"{place}.{ending}"
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.is_file(), f"no golden {file.name}: look at the drawing, then use --update-golden"
        assert text == file.read_text(encoding="utf-8"), f"{file.name} differs: look at it, then use --update-golden"


@pytest.fixture(scope="module")
def update(request: pytest.FixtureRequest) -> bool:
    chosen: bool = request.config.getoption("--update-golden")
    return chosen


@pytest.mark.parametrize("name", CORPUS)
def test_the_corpus(name: str, update: bool) -> None:
    drawing = CORPUS[name]
    compare(f"corpus/{name}", {**texts(drawing), "ascii.txt": drawing.text(ascii=True)}, update)


@pytest.mark.parametrize("name", LARGE)
def test_large_graphs(name: str, update: bool) -> None:
    compare(f"corpus/{name}", {"svg": LARGE[name].svg()}, update)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_of_the_repository(name: str, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(name, texts(graph_drawing(name, monkeypatch)), update)


def test_no_golden_is_left_over_and_no_two_graphs_have_one_name(update: bool) -> None:
    wanted = {FOLDER: set(GRAPHS), FOLDER / "corpus": {*CORPUS, *LARGE}}
    for folder, names in wanted.items():
        for file in folder.iterdir():
            if file.is_file() and file.name.split(".")[0] not in names:
                assert update, f"{file.name} is of no graph; --update-golden removes it"
                file.unlink()
    assert len(set(GRAPHS)) == len(GRAPHS)
