from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphagent.cli.main import main
from graphagent.cli.work import Work
from graphagent.session.host import Host
from tests.unit.cli.screen import err, out, terminal


def test_reading_makes_no_store(tmp_path: Path) -> None:
    screen = terminal(project=str(tmp_path), json=True)
    assert main(["sessions"], screen) == 0
    assert json.loads(out(screen)) == {"schema": "graphagent/sessions@1", "sessions": [], "next": None}
    for words in (["history", "@last"], ["visualize", "@last"], ["resume", "ses_abcdef"], ["answer", "@last"]):
        screen = terminal(project=str(tmp_path))
        assert main(words, screen) == 2
        assert "no session yet" in err(screen)
    assert list(tmp_path.iterdir()) == []


def test_several_calls_share_one_loop_and_one_store(tmp_path: Path) -> None:
    async def host_of(host: Host) -> Host:
        return host

    with Work(terminal(project=str(tmp_path), store="memory:")) as work:
        assert work.call(host_of) is work.call(host_of)


def test_an_error_comes_out_as_it_is(tmp_path: Path) -> None:
    async def fail(host: Host) -> None:
        raise ZeroDivisionError("here")

    with Work(terminal(project=str(tmp_path), store="memory:")) as work, pytest.raises(ZeroDivisionError, match="here"):
        work.call(fail)
