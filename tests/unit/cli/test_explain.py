from __future__ import annotations

import pytest

from graphagent.cli.explain import names, page_of
from graphagent.cli.main import main
from tests.unit.cli.screen import err, out, terminal


@pytest.mark.parametrize("name", names())
def test_everything_in_the_list_has_a_page(name: str) -> None:
    page = page_of(name)
    assert page is not None
    assert all(len(line) < 140 for line in page.splitlines())


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
    screen = terminal()
    assert main(["explain", "on_eror"], screen) == 2
    assert "hint: graphagent explain on_error" in err(screen)


def test_keys_and_kinds() -> None:
    assert (page_of("on_error") or "").count("` of ") == 2
    assert (page_of("defaults.on_error") or "").startswith("`on_error` of `defaults`")
    assert "a timer" in (page_of("kind: wait") or "").lower()
    assert "`mode`" in (page_of("human") or "")
    assert "only routes" in (page_of("router") or "")
    assert page_of("no_such_key") is None
