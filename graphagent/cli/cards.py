"""What stands below the tree when a run has stopped: how it ended, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphagent.cli.terminal import Terminal, columns, one_line
from graphagent.cli.tree import money
from graphagent.cli.turns import seconds

MEMORY = "memory:"


def card(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """The end card of a `run` document."""
    status, reason = run["status"], run["reason"]
    if status == "done":
        ended(terminal, run, "done", "green")
    elif status == "cancelled":
        ended(terminal, run, "cancelled", "magenta")
    elif status == "waiting" and run["reason"] != "paused":
        for interrupt in run["interrupts"]:
            waiting(terminal, interrupt, run["next"])
        for token in run["waiting"]:
            parked(terminal, token, run)
    elif status in ("waiting", "running", "idle"):
        paused(terminal, run)
    elif status == "failed" and reason == "limit":
        limited(terminal, run)


def summary(run: Mapping[str, Any]) -> str:
    """`9 supersteps · 14.2 s · 3,812 tok · $0.0052`."""
    usage = run["usage"]
    count = run["supersteps"]
    parts = [f"{count} superstep{'' if count == 1 else 's'}", seconds(run["wall_ms"])]
    tokens = usage["input_tokens"] + usage["output_tokens"]
    if tokens:
        parts.append(f"{tokens:,} tok")
    if usage["cost_usd"]:
        parts.append(money(usage["cost_usd"]))
    return " · ".join(parts)


def ended(terminal: Terminal, run: Mapping[str, Any], word: str, color: str) -> None:
    """A run that is over."""
    head = f"{terminal.symbol(word)} {word}"
    kept = terminal.flags.store != MEMORY
    middle = max(run["head"]["snapshot"] // 2, 1)
    hints = [
        "show: " + terminal.command("show", "@last"),
        "fork: " + terminal.command("fork", "@last", "--at", str(middle)),
    ]
    row(terminal, head, color, summary(run), hints if kept else ["kept in memory only"])


def waiting(terminal: Terminal, interrupt: Mapping[str, Any], commands: Sequence[str]) -> None:
    """One open question, and the command that answers it."""
    if interrupt.get("kind") == "in_doubt":
        doubtful(terminal, interrupt)
        return
    prompt = one_line(interrupt["prompt"], 120)
    if interrupt.get("kind") == "tool_approval":
        args = json.dumps(interrupt["payload"]["args"], ensure_ascii=False)
        prompt = f"{prompt} with {one_line(args, 160)}"
    told = f"{interrupt['node']} (superstep {interrupt['superstep']}): {prompt}"
    if interrupt["options"]:
        told += f"  [{' / '.join(interrupt['options'])}]"
    command = next((c for c in commands if interrupt["id"] in c), f"graphagent answer {interrupt['id']}")
    row(terminal, f"{terminal.symbol('waiting')} waiting", "yellow", told, ["answer: " + local(terminal, command)])


def doubtful(terminal: Terminal, interrupt: Mapping[str, Any]) -> None:
    """A write whose outcome nobody knows, and the three ways to settle it."""
    name = interrupt["payload"]["name"]
    told = f"{interrupt['node']} (superstep {interrupt['superstep']}): the write {name} was begun; did it happen?"
    if interrupt["evidence"] is not None:
        told += " " + testimony(interrupt["evidence"])
    settle = f"graphagent answer {interrupt['id']} --choose"
    hints = [
        "yes: " + local(terminal, f"{settle} done VALUE") + "   VALUE is what it returned, as JSON",
        "call it again: " + local(terminal, f"{settle} retry"),
        "it failed: " + local(terminal, f"{settle} fail"),
    ]
    row(terminal, f"{terminal.symbol('waiting')} in doubt", "yellow", told, hints)


def testimony(evidence: Mapping[str, Any]) -> str:
    """What an execution said that had been given up."""
    if evidence["error"] is not None:
        return f"The call that was given up has failed since: {one_line(evidence['error'], 120)}"
    value = one_line(json.dumps(evidence["value"], ensure_ascii=False), 120)
    return f"The call that was given up has ended since, and returned {value}"


def parked(terminal: Terminal, token: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """One node that waits for an event or a time, or that a breakpoint stopped."""
    resume = terminal.command("resume", run["session"])
    until = "" if token["due_at"] is None else f" until {token['due_at']}"
    if token["reason"] == "event":
        told = f"{token['node']} waits for {' or '.join(token['events'])}{until}"
        hints = ["send: " + terminal.command("send", token["session"], token["events"][0])]
    elif token["reason"] == "timer":
        told, hints = f"{token['node']} waits{until}", [f"go on then: {resume}"]
    elif token["reason"] in ("before", "after"):
        told, hints = f"stopped before {token['node']}", [f"go on: {resume}"]
    else:
        return
    row(terminal, f"{terminal.symbol('waiting')} waiting", "yellow", told, hints)


def paused(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """A run that somebody stopped, or that nobody runs."""
    told = f"at superstep {run['head']['snapshot']} · {summary(run)}"
    word = "paused" if run["status"] == "waiting" else str(run["status"])
    hint = "go on: " + terminal.command("resume", run["session"])
    row(terminal, f"{terminal.symbol('waiting')} {word}", "yellow", told, [hint])


def limited(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """A run that reached one of its limits."""
    message = (run["error"] or {}).get("message", "a limit is reached")
    row(terminal, f"{terminal.symbol('failed')} limit", "red", message, [local(terminal, c) for c in run["next"]])


def row(terminal: Terminal, head: str, color: str, told: str, hints: Sequence[str]) -> None:
    """A head and what is told, with the hints beside it if there is room, else below."""
    line = f"{terminal.paint(head, color, 'bold')}   {told}"
    beside = "    ".join(hints)
    if columns(f"{head}   {told}        {beside}") <= min(terminal.width, 160):
        terminal.say(f"{line}        {terminal.paint(beside, 'dim')}" if beside else line)
        return
    terminal.say(line)
    for hint in hints:
        terminal.say("  " + terminal.paint(hint, "dim"))


def local(terminal: Terminal, command: str) -> str:
    """A command of a document as it works when it is pasted here."""
    return terminal.command(command.removeprefix("graphagent "))
