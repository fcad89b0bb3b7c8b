"""Asking a person in place. Questions go to stderr, answers come from stdin; nobody is asked off a terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from graphagent.cli.terminal import Terminal, harmless
from graphagent.errors import InputInvalid


class Later(Exception):
    """The person doesn't answer now."""


YES: Final = ("a", "approve", "y", "yes")
NO: Final = ("r", "reject", "n", "no")
LATER: Final = ("l", "later", "")


def read_line(terminal: Terminal, prompt: str) -> str:
    """One line that somebody typed. Raises Later at the end of the input."""
    terminal.err.write(terminal.plain(prompt, terminal.err))
    terminal.err.flush()
    line = sys.stdin.readline()
    if not line:
        terminal.tell("")
        raise Later
    return line.strip()


def confirm(terminal: Terminal, question: str) -> bool:
    """Whether somebody says yes; no where nobody is there."""
    if not terminal.asks:
        return False
    try:
        return read_line(terminal, f"{question} [y/N] ").lower() in YES
    except Later:
        return False


def ask(terminal: Terminal, interrupt: Mapping[str, Any]) -> Any:
    """The answer to an open question, in its canonical form. Raises Later."""
    terminal.tell(
        f"{terminal.symbol('waiting')} {interrupt['node']}: {harmless(interrupt['prompt'])}", "yellow", "bold"
    )
    fields = interrupt["answer_schema"].get("properties", {})
    match interrupt["kind"]:
        case "approve":
            return approve(terminal, fields)
        case "choose":
            return choose(terminal, interrupt["options"] or [], fields)
        case "form":
            return {"form": form(terminal, fields.get("form", {}))}
        case "edit":
            return edit(terminal, interrupt["payload"])
        case "elicitation":
            return elicited(terminal, interrupt["payload"], fields.get("value", {}))
        case "tool":
            return result(terminal, interrupt["payload"], fields.get("value", {}))
        case "tool_approval":
            return permit(terminal, interrupt["payload"])
        case "in_doubt":
            return settle(terminal, fields.get("value", {}))
    raise Later


def elicited(terminal: Terminal, payload: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a server gets that asks in the middle of a call."""
    terminal.tell(f"  asked by {harmless(payload['tool'])}", "dim")
    while True:
        word = read_line(terminal, "  answer / decline / cancel / later? ").lower()
        if word in LATER:
            raise Later
        if word in ("a", "answer"):
            return {"action": "accept", "value": form(terminal, schema)}
        if word in ("decline", "cancel"):
            return {"action": word}
        terminal.tell("  type answer, decline, cancel or later", "dim")


def result(terminal: Terminal, payload: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a tool gave that is run out here."""
    terminal.tell(f"  {payload['tool']} {harmless(json.dumps(payload['args'], ensure_ascii=False))}")
    while True:
        word = read_line(terminal, f"  its result ({type_name(schema)}), or later? ")
        if word.lower() in LATER:
            raise Later
        try:
            return {"value": value_of(word, schema)}
        except InputInvalid as error:
            terminal.tell(f"  {error.message}", "dim")


def permit(terminal: Terminal, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What is to become of a call that an agent wants to make."""
    terminal.tell(f"  {payload['tool']} {harmless(json.dumps(payload['args'], ensure_ascii=False))}")
    while True:
        word = read_line(terminal, "  approve / edit / reject / respond / later? ").lower()
        if word in LATER:
            raise Later
        if word in YES:
            return {"decision": "approve"}
        if word in NO:
            reason = read_line(terminal, "  why (may be empty)? ")
            return {"decision": "reject", **({"reason": reason} if reason else {})}
        if word in ("e", "edit"):
            return {"decision": "edit", "args": edited(payload["args"])}
        if word == "respond":
            return {"decision": "respond", "content": value_of(read_line(terminal, "  its result: "), {})}
        terminal.tell("  type approve, edit, reject, respond or later", "dim")


def approve(terminal: Terminal, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A decision, a note where it is no, and the form's fields where it is yes."""
    while True:
        word = read_line(terminal, "  approve / reject / later? ").lower()
        if word in LATER:
            raise Later
        if word in YES:
            extra = {"form": form(terminal, fields["form"])} if "form" in fields else {}
            return {"decision": "approve", **extra}
        if word in NO:
            note = read_line(terminal, "  why (may be empty)? ")
            return {"decision": "reject", **({"note": note} if note else {})}
        terminal.tell("  type approve, reject or later", "dim")


def choose(terminal: Terminal, options: list[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """One of the options, by number or by name."""
    for i, option in enumerate(options, 1):
        terminal.tell(f"  {i}  {harmless(option)}")
    while True:
        word = read_line(terminal, "  number or name, or later? ")
        if word.lower() in LATER and word not in options:
            raise Later
        if word not in options and word.isdigit() and 1 <= int(word) <= len(options):
            word = options[int(word) - 1]
        if word in options:
            extra = {"form": form(terminal, fields["form"])} if "form" in fields else {}
            return {"choice": word, **extra}
        terminal.tell("  that isn't one of them", "dim")


def settle(terminal: Terminal, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What happened to a write in doubt; where it happened, what it returned."""
    while True:
        word = read_line(terminal, "  done / retry / fail / later? ").lower()
        if word in LATER:
            raise Later
        if word in ("retry", "fail"):
            return {"decision": word}
        if word == "done":
            try:
                return {"decision": word, "value": value_of(read_line(terminal, "  it returned: "), schema)}
            except InputInvalid as error:
                terminal.tell(f"  {error.message}", "dim")
        else:
            terminal.tell("  type done, retry, fail or later", "dim")


def form(terminal: Terminal, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object, one after the other. An empty line takes the default, if there is one."""
    out: dict[str, Any] = {}
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        while True:
            default = f" [{json.dumps(field['default'], ensure_ascii=False)}]" if "default" in field else ""
            word = read_line(terminal, f"  {name} ({type_name(field)}){default}: ")
            if not word and name not in required:
                break
            try:
                out[name] = value_of(word, field)
                break
            except InputInvalid as error:
                terminal.tell(f"  {error.message}", "dim")
    return out


def type_name(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two."""
    if "enum" in schema:
        return " / ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def value_of(word: str, schema: Mapping[str, Any]) -> Any:
    """What somebody typed, as the schema wants it: text where text is wanted, else JSON."""
    kind = schema.get("type")
    if kind == "string" or ("enum" in schema and word in schema["enum"]):
        return word
    if kind == "boolean" and word.lower() in (*YES, *NO):
        return word.lower() in YES
    try:
        return json.loads(word)
    except ValueError:
        if kind is None or (isinstance(kind, list) and "string" in kind):
            return word
        raise InputInvalid("$", f"{type_name(schema)} is wanted") from None


def edit(terminal: Terminal, value: Any) -> dict[str, Any]:
    """The value as it is, or as it comes back from the editor."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    for line in shown.splitlines():
        terminal.tell("  | " + harmless(line))
    while True:
        word = read_line(terminal, "  keep / edit / later? ").lower()
        if word in LATER:
            raise Later
        if word in ("k", "keep"):
            return {"value": value}
        if word in ("e", "edit"):
            return {"value": edited(value)}
        terminal.tell("  type keep, edit or later", "dim")


def edited(value: Any) -> Any:
    """The value after $VISUAL or $EDITOR had it: text as text, anything else as JSON.

    Raises:
        InputInvalid: there is no editor, it failed, or what it left isn't JSON.
    """
    text = isinstance(value, str)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise InputInvalid("--edit", "no editor is set", hint="set EDITOR, or give the value as JSON")
    with tempfile.TemporaryDirectory(prefix="graphagent-") as folder:
        file = Path(folder) / ("value.txt" if text else "value.json")
        file.write_text(value if text else json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except OSError as error:
            raise InputInvalid("--edit", f"can't start {editor}: {error}") from error
        if done.returncode:
            raise InputInvalid("--edit", f"{editor} ended with {done.returncode}")
        back = file.read_text(encoding="utf-8")
    if text:
        return back
    try:
        return json.loads(back)
    except ValueError as error:
        raise InputInvalid("--edit", f"not JSON: {error}") from error
