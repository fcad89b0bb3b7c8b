"""Drawings that people have looked at. `python -m tests.unit.drawing.test_golden` rewrites them."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.drawing import Drawing
from tests.unit.drawing import corpus

FOLDER = Path(__file__).parents[2] / "golden" / "drawing"

DRAWINGS = {
    **{name.replace(" ", "_").replace("&", "and").replace("<", "").replace(">", ""): Drawing(diagram)
       for name, diagram in corpus.NAMED.items() if diagram.edges},
    "code-writer_run": Drawing(corpus.WRITER, overlay=corpus.WRITER_RUN, channels=True),
    "customer-support_closed": Drawing(corpus.SUPPORT, expand="none"),
    "router_lr": Drawing(corpus.ROUTER, "lr"),
    "customer-support_lr": Drawing(corpus.SUPPORT, "lr"),
    "random_30": Drawing(corpus.random_diagram(30, 42, 1)),
}  # fmt: skip


def files(drawing: Drawing) -> dict[str, str]:
    return {
        "txt": drawing.text(),
        "ascii.txt": drawing.text(ascii=True),
        "svg": drawing.svg(),
        "mmd": drawing.mermaid(),
        "json": drawing.json(),
    }


@pytest.mark.parametrize("name", DRAWINGS)
def test_golden(name: str) -> None:
    for suffix, text in files(DRAWINGS[name]).items():
        assert text == (FOLDER / f"{name}.{suffix}").read_text(encoding="utf-8"), f"{name}.{suffix}"


def test_no_golden_is_left_over() -> None:
    assert {f.name.split(".")[0] for f in FOLDER.iterdir()} == set(DRAWINGS)


def update() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for name, drawing in DRAWINGS.items():
        for suffix, text in files(drawing).items():
            (FOLDER / f"{name}.{suffix}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    update()
