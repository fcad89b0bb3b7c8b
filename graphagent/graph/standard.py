"""The tool sets that are built in: an agent names one under `tools`, without a declaration."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "std."
SESSIONS: Final = "std.sessions"
SETS: Final[dict[str, str | None]] = {
    "std.files": "files",
    "std.finish": None,
    "std.human": None,
    "std.sessions": "sessions",
    "std.skills": None,
    "std.todos": "todos",
}
"""Each set, and the channel that the graph has to declare for it."""
TOOLS: Final[dict[str, tuple[str, ...]]] = {
    "std.files": ("ls", "read_file", "write_file", "edit_file", "delete_file", "glob", "grep"),
    "std.finish": ("finish",),
    "std.human": ("ask_human",),
    "std.sessions": ("start", "check", "collect"),
    "std.skills": ("read_skill",),
    "std.todos": ("write_todos",),
}
"""What the model sees of each set."""
CHANNELS: Final = {
    "files": ("dict[str, any]", "merge"),
    "sessions": ("dict[str, any]", "merge"),
    "todos": ("list[dict[str, str]]", "last"),
}
"""Type and reducer of these channels."""


def declaration(channel: str) -> str:
    """How an author declares such a channel."""
    kind, reducer = CHANNELS[channel]
    rest = "default: []" if reducer == "last" else f"reducer: {reducer}"
    return f"{channel}: {{ type: '{kind}', {rest} }}"
