from __future__ import annotations

import json
import subprocess
import sys

import pytest

from graphagent.drawing import Drawing, draw
from graphagent.drawing.content import duration
from tests.unit.drawing import corpus


def test_json_is_the_layout_with_the_overlay() -> None:
    document = json.loads(draw(corpus.WRITER, format="json", overlay=corpus.WRITER_RUN))
    assert (document["schema"], document["graph"]) == ("graphagent/layout@1", "code-writer")
    assert document["overlay"]["outlined"] == ["judge"]
    assert document["overlay"]["nodes"]["write"]["runs"] == 3
    assert json.loads(draw(corpus.WRITER, format="json"))["overlay"] is None


def test_jupyter_gets_text_and_svg() -> None:
    drawing = Drawing(corpus.CHAIN)
    bundle = drawing._repr_mimebundle_()
    assert bundle == {"text/plain": str(drawing), "image/svg+xml": drawing.svg()}
    assert bundle["image/svg+xml"].startswith("<svg ")


@pytest.mark.parametrize("format", ["terminal", "svg", "html", "mermaid", "json"])
def test_a_closed_drawing_is_smaller(format: str) -> None:
    closed, opened = (draw(corpus.SUPPORT, format=format, expand=e) for e in ("none", "all"))  # type: ignore[arg-type]
    assert len(closed) < len(opened)
    assert "4 nodes" in closed
    assert closed.endswith("\n")


def test_drawings_are_the_same_in_every_process() -> None:
    code = (
        "import hashlib; from tests.unit.drawing import corpus; from graphagent.drawing import draw;"
        "print(hashlib.sha256(''.join(draw(d, format=f, overlay=corpus.WRITER_RUN)"
        "for d in corpus.NAMED.values() for f in ('terminal', 'svg', 'html', 'mermaid', 'json')).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1234, "1.2 s"),
        (59_949, "59.9 s"),
        (59_999, "1 min 0 s"),
        (61_000, "1 min 1 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_durations(ms: int, text: str) -> None:
    assert duration(ms) == text
