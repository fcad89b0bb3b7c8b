from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import typer

from graphagent.cli.coercion import Plain, bare


class Param:
    multiple = False
    nargs = 1


@pytest.mark.parametrize(
    ("annotation", "word", "value"),
    [
        (str, "x", "x"),
        (str | None, "x", "x"),
        (int, "7", 7),
        (float | None, "0.5", 0.5),
        (Path, "a/b", Path("a/b")),
        (Literal["a", "b"], "b", "b"),
        (list[str], ("x", "y"), ["x", "y"]),
        (list[int] | None, ("1",), [1]),
    ],
)
def test_words_become_values(annotation: Any, word: Any, value: Any) -> None:
    assert Plain(annotation, None, None).coerce(word, Param(), None) == value


@pytest.mark.parametrize(
    ("annotation", "word", "told"),
    [
        (int, "x", "'x' is not a valid int."),
        (int, "0", "0 is not >= 1 and <= 5."),
        (float, "9", "9 is not >= 1 and <= 5."),
        (Literal["a", "b"], "c", "'c' is not one of 'a', 'b'."),
    ],
)
def test_words_that_dont_fit(annotation: Any, word: str, told: str) -> None:
    with pytest.raises(typer.BadParameter, match=told.replace(".", r"\.")):
        Plain(annotation, 1, 5).coerce(word, Param(), None)


def test_nothing_stays_nothing() -> None:
    assert Plain(int | None, None, None).coerce(None, Param(), None) is None
    assert bare(list[str] | None) == list[str]
