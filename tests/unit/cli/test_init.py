from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.cli.init import TEMPLATES
from graphagent.cli.main import main
from tests.unit.cli.screen import err, out, terminal


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_lists_what_it_writes_and_the_graph_is_valid(tmp_path: Path, template: str) -> None:
    screen = terminal()
    assert main(["init", str(tmp_path / "new"), "--template", template], screen) == 0
    assert all((tmp_path / "new" / name).is_file() for name in out(screen).splitlines())
    assert main(["validate", "--strict", str(tmp_path / "new" / f"{template}.graph.yaml")], terminal()) == 0


def test_nothing_is_overwritten_without_yes(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    screen = terminal()
    assert main(["init", str(tmp_path)], screen) == 7
    assert "README.md" in err(screen)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert main(["init", str(tmp_path), "--yes"], terminal()) == 0
    assert main(["init", str(tmp_path / "x"), "--template", "none"], terminal()) == 2
