"""Small pictures, so that no drawing depends on a font: of node kinds (16 x 16) and of states (12 x 12)."""

from __future__ import annotations

from graphagent.drawing.diagram import State

KIND_PATHS: dict[str, str] = {
    "set": "M3.5 6h9M3.5 10h9",
    "code": "M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5M9 3.5l-2 9",
    "agent": "M3.5 6.5h9v6h-9zM8 6.5V3.5M6.3 9v1M9.7 9v1",
    "tool": "M13.2 4.8a3.3 3.3 0 0 1-4.4 3.9L5 12.5a1.3 1.3 0 0 1-1.9-1.9L7 6.9a3.3 3.3 0 0 1 4-4.3L9.3 4.6l1.8 1.8z",
    "router": "M8 2.5L13.5 8L8 13.5L2.5 8z",
    "map": "M8 2.5l5.5 2.8L8 8.1L2.5 5.3zM2.5 8.2L8 11l5.5-2.8M2.5 11L8 13.8L13.5 11",
    "graph": "M6 2.8h4v3H6zM2.3 10.2h4v3h-4zM9.7 10.2h4v3h-4zM8 5.8V8M4.3 10.2V8h7.4v2.2",
    "human": "M8 7.6a2.5 2.5 0 1 0 0-5a2.5 2.5 0 1 0 0 5zM3 13.4c.4-2.6 2.2-3.9 5-3.9s4.6 1.3 5 3.9",
    "wait": "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11zM8 5v3.2l2.3 1.5",
}
SOLID_PATHS: dict[str, str] = {
    "llm": "M8 1.5C8.7 6 10 7.3 14.5 8C10 8.7 8.7 10 8 14.5C7.3 10 6 8.7 1.5 8C6 7.3 7.3 6 8 1.5z",
    "emit": "M9.2 1.5L3.5 9H7.3L6.6 14.5L12.5 7H8.7z",
}
FLAG_PATHS: dict[str, str] = {
    "sandbox": "M6 1.2L10.6 3.6V8.4L6 10.8L1.4 8.4V3.6zM1.4 3.6L6 6L10.6 3.6M6 6V10.8",
    "interrupt": "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM4.6 4v4M7.4 4v4",
}
"""By the first word of a flag (12 x 12)."""
LOOP_PATH = "M9.6 3.4A4.4 4.4 0 1 0 10.4 6.6M9.9 .8V3.6H7.1"

STATE_PATHS: dict[State, str] = {
    "idle": "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8z",
    "queued": "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8z",
    "running": "M6 4a2 2 0 1 0 0 4a2 2 0 1 0 0-4zM6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8z",
    "done": "M1.8 6.6L4.7 9.4L10.2 3",
    "replayed": "M2.4 3.4A4.4 4.4 0 1 1 1.6 6.6M2.1 .8V3.6H4.9",
    "skipped": "M2.5 6h7",
    "failed": "M3 3l6 6M9 3l-6 6",
    "waiting": "M4 2.5v7M8 2.5v7",
    "cancelled": "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8zM3.2 8.8L8.8 3.2",
}

KIND_SIGNS: dict[str, tuple[str, str]] = {
    "set": ("=", "="),
    "code": ("ƒ", "f"),
    "llm": ("✦", "*"),
    "agent": ("◈", "@"),
    "tool": ("⚙", "%"),
    "router": ("◇", "?"),
    "map": ("≡", "#"),
    "graph": ("▣", "&"),
    "human": ("☺", "!"),
    "emit": ("»", ">"),
    "wait": ("◷", "~"),
    "start": ("●", "o"),
    "end": ("◎", "O"),
    "fail": ("✖", "X"),
    "limit": ("▲", "^"),
    "errors": ("✖", "X"),
}
"""One terminal cell for each kind: in Unicode and in ASCII."""

FLAG_SIGNS: dict[str, tuple[str, str]] = {"sandbox": ("⬡", "#"), "interrupt": ("⏸", "=")}
"""The same by the first word of a flag."""
