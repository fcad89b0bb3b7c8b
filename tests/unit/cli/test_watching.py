from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graphagent.cli.checking import Check
from graphagent.cli.terminal import Terminal
from graphagent.cli.watching import Watch
from tests.unit.cli.plans import HEAD
from tests.unit.cli.screen import err, out, terminal

GOOD = HEAD + "start: a\nnodes:\n  a: { kind: code, python: 'work:go', next: end }\n"


def watched(folder: Path, files: list[str], *steps: Callable[[], object]) -> Terminal:
    """What a watch shows while these things happen, one between two looks."""
    screen = terminal()
    check = Check(screen, files, "text", strict=False)
    watch = Watch(check)
    checked = check.all()
    check.show(checked)
    left = [*steps]

    def pause(seconds: float) -> None:
        assert seconds == 0.5
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    with pytest.raises(KeyboardInterrupt):
        watch.run(checked, pause)
    return screen


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "graphagent.toml").touch()
    (tmp_path / "work.py").write_text("def go() -> str:\n    return ''\n")
    (tmp_path / "a.graph.yaml").write_text(GOOD)
    (tmp_path / "b.graph.yaml").write_text(GOOD)
    return tmp_path


def test_only_what_was_changed_is_checked_again(project: Path) -> None:
    file = project / "a.graph.yaml"
    screen = watched(
        project, [str(project)], lambda: None, lambda: file.write_text(GOOD.replace("end", "edn")), lambda: None,
        lambda: file.write_text(GOOD),
    )  # fmt: skip
    assert out(screen).count("error[GA101]") == 1
    story = err(screen)
    assert story.count("a.graph.yaml\n") == 2  # it is named twice as changed
    assert "1 of 2 files with findings" in story
    assert "2 files, all good" in story
    assert story.count("b.graph.yaml: t") == 1


def test_files_come_and_go(project: Path) -> None:
    new, old = project / "deep" / "c.graph.yaml", project / "a.graph.yaml"
    new.parent.mkdir()
    screen = watched(
        project, [str(project)], lambda: new.write_text(GOOD.replace("end", "edn")), old.unlink,
        new.unlink, (project / "b.graph.yaml").unlink, lambda: old.write_text(GOOD),
    )  # fmt: skip
    assert "1 of 3 files with findings" in err(screen)
    assert "a.graph.yaml is gone" in err(screen)
    assert "0 files, all good" in err(screen)
    assert err(screen).endswith("1 file, all good\n")


def test_a_named_file_that_goes_and_comes_back(project: Path) -> None:
    file = project / "a.graph.yaml"
    screen = watched(project, [str(file)], file.unlink, lambda: None, lambda: file.write_text(GOOD + "# new\n"))
    assert "a.graph.yaml is gone" in err(screen)
    assert err(screen).count("a.graph.yaml: t, 1 node") == 2


def test_a_function_that_changes_is_a_change_of_its_graphs(project: Path) -> None:
    screen = watched(
        project, [str(project)], lambda: (project / "work.py").write_text("def went() -> str:\n    return ''\n")
    )
    assert out(screen).count("error[GA108]") == 2
    assert "work.py" in err(screen)


def test_a_change_during_the_first_check_is_seen(project: Path) -> None:
    file = project / "a.graph.yaml"
    screen = terminal()
    check = Check(screen, [str(file)], "text", strict=False)
    watch = Watch(check)
    checked = check.all()
    file.write_text(GOOD.replace("end", "edn"))
    left = [None]

    def pause(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()

    with pytest.raises(KeyboardInterrupt):
        watch.run(checked, pause)
    assert "error[GA101]" in out(screen)
