from __future__ import annotations

import pytest

from graphagent.cli.explain import names, page_of
from graphagent.cli.main import main
from tests.unit.cli.screen import err, out, terminal


@pytest.mark.parametrize("name", names())
def test_everything_in_the_list_has_a_page(name: str) -> None:
    page = page_of(name)
    assert page is not None
    assert len(page.splitlines()[0]) < 120


def test_the_list_and_the_pages() -> None:
    screen = terminal()
    assert main(["explain"], screen) == 0
    assert all(name in out(screen) for name in names())
    assert (page_of("ga203") or "").startswith("GA203: ")
    assert (page_of("runpaused") or "").startswith("event RunPaused: ")


def test_a_code_that_isnt_there() -> None:
    screen = terminal()
    assert main(["explain", "GA2O3"], screen) == 2
    assert "hint: graphagent explain GA203" in err(screen)
