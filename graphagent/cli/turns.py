"""The turns of an agent as it works: what its model was asked and what it called, drawn below its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphagent.cli.terminal import STATES, columns, one_line
from graphagent.events import Event

STATE_OF: Final[Mapping[str, str]] = {
    "ok": "done", "error": "failed", "timeout": "failed", "denied": "cancelled", "cancelled": "cancelled",
    "deferred": "waiting", "in_doubt": "waiting",
}  # fmt: skip
"""Which state of a task the end of a call looks like."""
Pieces = list[tuple[str, str]]


@dataclass(slots=True)
class CallView:
    """One call of a tool. `status` None is one that goes on."""

    tool: str
    status: str | None = None
    ms: int | None = None
    note: str = ""

    @property
    def state(self) -> str:
        """The state that it is drawn as."""
        return "running" if self.status is None else STATE_OF.get(self.status, "failed")


@dataclass(slots=True)
class TurnView:
    """One turn. `calls` are by the path and id of the call."""

    number: int
    model: str = ""
    tokens: int = 0
    ms: int | None = None
    calls: dict[str, CallView] = field(default_factory=dict)


def take(turns: list[TurnView], event: Event) -> None:
    """Add what an event of an agent's task says; the committed one says the same as the provisional one before."""
    data = event.data
    if event.kind == "x.agent.turn_started":
        turns.append(TurnView(data["turn"]))
    elif not turns:
        return
    elif event.kind == "x.model.completed":
        turn = turns[-1]
        turn.model = str(data["model"])
        turn.tokens += data["usage"]["input_tokens"] + data["usage"]["output_tokens"]
        turn.ms = (turn.ms or 0) + (data.get("duration_ms") or 0)
    elif event.kind == "ToolCallStarted":
        turns[-1].calls.setdefault(data["call_id"], CallView(str(data["tool"])))
    elif event.kind == "ToolCallCompleted":
        call = turns[-1].calls.setdefault(data["call_id"], CallView(str(data["tool"])))
        call.status, call.ms = str(data["status"]), data.get("duration_ms")
        call.note = _about(data)


def _about(data: Mapping[str, Any]) -> str:
    """Why a call isn't `ok`."""
    if data["status"] == "ok":
        return ""
    message = (data.get("error") or {}).get("message")
    return f"{data['status']}: {message}" if message else str(data["status"])


def turn_line(turn: TurnView, width: int) -> Pieces:
    """`turn 1  31 tok  0.8 s  main`, as much of it as there is room."""
    text = f"turn {turn.number + 1}"
    for part in (f"{turn.tokens:,} tok" if turn.model else "", "" if turn.ms is None else seconds(turn.ms), turn.model):
        if part and columns(text) + 2 + columns(part) <= width:
            text += f"  {part}"
    return [(one_line(text, width) if columns(text) > width else text, "dim")]


def call_line(call: CallView, width: int) -> Pieces:
    """`✔ search  0.3 s`, or `✖ search  0.3 s  error: it is broken`."""
    symbol, _, color = STATES[call.state]
    took = "" if call.ms is None else f"  {seconds(call.ms)}"
    name = one_line(call.tool, max(width - 2 - columns(took), 8))
    room = width - 2 - columns(name) - columns(took) - 2
    note = one_line(call.note, room) if call.note and room >= 8 else ""
    return [(f"{symbol} ", color), (name + took, ""), *([(f"  {note}", "dim")] if note else [])]


def plain_turns(turns: list[TurnView], indent: str) -> list[str]:
    """The same as lines for pipes and logs."""
    lines = []
    for turn in turns:
        took = "" if turn.ms is None else f" {turn.ms / 1000:.1f}s"
        lines.append(
            f"{indent}turn {turn.number + 1} {turn.tokens:,} tok{took}" + (f" {turn.model}" if turn.model else "")
        )
        for call in turn.calls.values():
            took = "" if call.ms is None else f" {call.ms / 1000:.1f}s"
            note = f" {one_line(call.note, 120)}" if call.note else ""
            lines.append(f"{indent}  {STATES[call.state][1]} {one_line(call.tool, 80)}{took}{note}")
    return lines


def seconds(ms: int) -> str:
    """A duration as people say it."""
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
