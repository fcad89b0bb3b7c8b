"""What an error is on the command line: a few lines on stderr, one document on stdout, an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphagent.cli.exits import Exit
from graphagent.cli.terminal import Terminal, painted
from graphagent.errors import (
    CodecError,
    Conflict,
    EffectOrder,
    GraphAgentError,
    GraphInvalid,
    InputInvalid,
    InterruptAnswered,
    LoopRunning,
    MissingExtra,
    NodeError,
    NotFound,
    NotRunnable,
    ReplayDivergence,
    ReplayFloor,
    RunError,
    SecretMissing,
    StoreError,
)

EXITS: tuple[tuple[type[BaseException], Exit], ...] = (
    (GraphInvalid, Exit.INVALID),
    (InputInvalid, Exit.USAGE),
    (NotRunnable, Exit.USAGE),
    (SecretMissing, Exit.USAGE),
    (CodecError, Exit.USAGE),
    (NotFound, Exit.USAGE),
    (ReplayDivergence, Exit.DIVERGED),
    (ReplayFloor, Exit.USAGE),
    (InterruptAnswered, Exit.REFUSED),
    (Conflict, Exit.REFUSED),
    (StoreError, Exit.REFUSED),
    (MissingExtra, Exit.REFUSED),
    (LoopRunning, Exit.FAILED),
    (EffectOrder, Exit.FAILED),
    (NodeError, Exit.USAGE),
    (RunError, Exit.FAILED),
)


def exit_code(error: BaseException) -> Exit:
    """The exit code of an error that nothing was started for."""
    return next((code for kind, code in EXITS if isinstance(error, kind)), Exit.FAILED)


def report(terminal: Terminal, error: Exception) -> Exit:
    """Tell an error, and print its document where JSON is wanted."""
    code = exit_code(error)
    if isinstance(error, GraphInvalid):
        tell_diagnostics(terminal, str(error))
    elif isinstance(error, GraphAgentError):
        tell(terminal, headline(error), error.hint)
    else:
        tell_unexpected(terminal, error)
    if terminal.flags.verbose > 1 and isinstance(error, GraphAgentError):
        terminal.tell("".join(traceback.format_exception(error)).rstrip(), "dim")
    if terminal.flags.json:
        terminal.document(error_document(error))
    return code


def headline(error: GraphAgentError) -> str:
    """What is wrong, in one line."""
    if isinstance(error, InputInvalid):
        return f"{error.path.removeprefix('$.') or 'input'}: {error.message.removeprefix(error.path + ': ')}"
    return error.message


def tell(terminal: Terminal, message: str, hint: str | None = None) -> None:
    """An error and what to do about it."""
    terminal.tell(f"{terminal.paint('error:', 'red', 'bold')} {message}")
    if hint:
        terminal.tell(f"{terminal.paint('hint:', 'cyan')} {localized(terminal, hint)}")


def localized(terminal: Terminal, hint: str) -> str:
    """A hint whose command works as this program was started."""
    return terminal.command(hint.removeprefix("graphagent ")) if hint.startswith("graphagent ") else hint


def tell_unexpected(terminal: Terminal, error: BaseException) -> None:
    """An error that isn't ours: somebody should hear of it."""
    lines = traceback.format_exception(error)
    shown = lines if terminal.flags.verbose else lines[-1:]
    terminal.tell(f"{terminal.paint('internal error:', 'red', 'bold')} {''.join(shown).rstrip()}")
    more = "" if terminal.flags.verbose else "run it again with -v, and "
    terminal.tell(f"{terminal.paint('hint:', 'cyan')} this is a bug of graphagent: {more}please report the whole text")


def tell_diagnostics(terminal: Terminal, text: str) -> None:
    """The frames of a graph's findings; the text is the same everywhere, here it has colours."""
    colored = terminal.colored(terminal.err)
    terminal.tell("\n".join(color_frame(line, colored=colored) for line in text.splitlines()))


def color_frame(line: str, *, colored: bool) -> str:
    """One line of a frame in its colours."""
    if not colored:
        return line
    for word, color in (("error", "red"), ("warning", "yellow")):
        if line.startswith(word + "["):
            head, _, rest = line.partition(":")
            return painted(head, color, "bold") + ":" + painted(rest, "bold")
    if line.startswith(("note:", "help:")):
        return painted(line[:5], "cyan") + line[5:]
    gutter, bar, rest = line.partition("|")
    if bar and (gutter.isspace() or gutter.strip().isdigit()):
        return painted(gutter + bar, "blue") + (painted(rest, "red") if rest.lstrip().startswith("^") else rest)
    return painted(line, "blue") if line.lstrip().startswith("-->") else line


def error_document(error: Exception) -> Mapping[str, Any]:
    """The `error` document of an error before which nothing was started."""
    from graphagent.session.documents import error_document as build

    texts: dict[str, str] = {}
    for found in getattr(error, "diagnostics", []):
        file = Path(found.span.file)
        if file.is_file():
            texts[found.span.file] = file.read_text(encoding="utf-8", errors="replace")
    document: Mapping[str, Any] = build(error, texts).data()
    return document


def usage_document(message: str) -> Mapping[str, Any]:
    """The `error` document of wrong flags or arguments."""
    return error_document(InputInvalid("$", message))
