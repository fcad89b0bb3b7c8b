"""Places of calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.graph.callsite import shown, text_of
from graphagent.graph.words import Written, route


def test_a_place_has_all_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    made = ["äöü", route("a",
                         label="ä")]  # fmt: skip
    assert isinstance(made[1], Written)
    place = made[1].place
    lines = text_of(place.file).splitlines()
    assert place.file == "tests/unit/graph/test_callsite.py"
    assert lines[place.line - 1][place.column - 1 :] == 'route("a",'
    assert place.end_line == place.line + 1
    assert lines[place.end_line - 1][: place.end_column - 1].endswith('label="ä")')


def test_a_console_has_places_without_text() -> None:
    names: dict[str, object] = {"route": route}
    exec(compile('made = route("a")', "<console>", "exec"), names)
    made = names["made"]
    assert isinstance(made, Written)
    assert (made.place.file, made.place.line, text_of("<console>")) == ("<console>", 1, "")


def test_files_outside_of_the_working_folder_keep_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(str(tmp_path / "a" / "b.py")) == "a/b.py"
    assert shown(__file__) == __file__
    assert "def test_files_outside" in text_of(shown(__file__))
