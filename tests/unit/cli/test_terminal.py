from __future__ import annotations

from typing import Any

import pytest

from graphagent.cli.terminal import columns, harmless, one_line, tail
from tests.unit.cli.screen import err, out, terminal


def test_commands_to_copy_have_the_project_of_this_one() -> None:
    screen = terminal(project="my folder", store="x.db")
    assert screen.command("show", "@last") == "graphagent --project 'my folder' --store x.db show @last"
    screen = terminal(store="postgresql://ann:s3cret@host/db")
    assert screen.command("show") == "graphagent --store 'postgresql://ann:***@host/db' show"


@pytest.mark.parametrize(
    ("environ", "flags", "colored", "live"),
    [
        ({}, {}, True, True),
        ({"NO_COLOR": "1"}, {}, False, False),
        ({"CI": "true"}, {}, False, False),
        ({"TERM": "dumb"}, {}, False, False),
        ({"NO_COLOR": "1"}, {"color": "always"}, True, False),
        ({}, {"color": "never"}, False, True),
        ({}, {"quiet": True}, True, False),
    ],
)
def test_what_a_terminal_may_do(environ: dict[str, str], flags: dict[str, Any], colored: bool, live: bool) -> None:
    screen = terminal(tty=True, environ=environ, **flags)
    assert (screen.colored(screen.err), screen.live) == (colored, live)


def test_a_pipe_gets_no_escape_codes() -> None:
    screen = terminal()
    screen.tell("✖ failed", "red")
    screen.table("✔ done")
    assert (err(screen), out(screen)) == ("✖ failed\n", "✔ done\n")


def test_symbols_have_plain_forms() -> None:
    screen = terminal(encoding="ascii")
    screen.tell("✔ done · 3 s … ⏸")
    assert err(screen) == "+ done - 3 s ... ?\n"
    assert terminal(ascii=True).symbol("failed") == "x"


def test_quiet_tells_only_what_must_be_known() -> None:
    screen = terminal(quiet=True)
    screen.say("a story")
    screen.tell("an error")
    assert err(screen) == "an error\n"


def test_a_screen_obeys_no_result_and_a_file_gets_it_whole() -> None:
    on_screen, in_file = terminal(tty=True), terminal()
    for screen in (on_screen, in_file):
        screen.result("a\x1b[2Jb\tc\n")
    assert out(on_screen) == "a\N{REPLACEMENT CHARACTER}[2Jb\tc\n"
    assert out(in_file) == "a\x1b[2Jb\tc\n"


def test_widths() -> None:
    assert [columns(t) for t in ("abc", "日本", "e\u0301")] == [3, 4, 1]
    assert one_line("a  b\nc", 10) == "a b c"
    assert one_line("日本語", 5) == "日本…"
    assert tail("one two three", 6) == "…three"
    assert harmless("\x07") == "\N{REPLACEMENT CHARACTER}"
