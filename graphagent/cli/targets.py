"""How people name projects, sessions and snapshots on the command line."""

from __future__ import annotations

from pathlib import Path

from graphagent.cli.terminal import Terminal
from graphagent.errors import InputInvalid


def project_folder(terminal: Terminal) -> Path | None:
    """The folder that `--project` names."""
    given = terminal.flags.project
    if given is None:
        return None
    folder = Path(given)
    if not folder.is_dir():
        raise InputInvalid("--project", f"{given} is no folder", hint="graphagent init " + given)
    return folder


def split_target(text: str) -> tuple[str, str | None]:
    """`S@N` as session and snapshot: `ses_abc@4`, `@last@-1`, `@last`."""
    head, at, tail = text[1:].rpartition("@")
    return (text[0] + head, tail) if at else (text, None)


def looks_like_session(text: str) -> bool:
    """Whether a word names a session rather than a file."""
    return text.startswith(("ses_", "@"))
