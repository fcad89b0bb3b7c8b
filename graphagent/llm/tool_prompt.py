"""Tool calls as plain text: what a model without native tools is shown of tools, calls and results.

A call is the JSON object `{"name": ..., "arguments": {...}}`, and so is an answer: the tool `reply`. Few-shot examples
teach it. Which of them comes last decides a lot for a small model, so the one that resembles the question comes last;
after a result it is the example of an answer, or the same call is made for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from graphagent.llm.example import example_of

REPLY: Final = "reply"
EXAMPLES: Final = 4
"""Of calls; one more is of an answer."""
MAX_STRING: Final = 200
"""Characters of a free string in arguments: a small model never ends one by itself."""
MAX_DESCRIPTION: Final = 160
WORDS: Final = ("river", "Rome", "apple", "music", "winter")
"""What free strings say in examples that are made from a schema."""
_LOOSE: Final = frozenset(
    {"the", "and", "for", "with", "that", "this", "from", "what", "how", "are", "you", "tell", "can"}
)

Tool = Mapping[str, Any]
Message = dict[str, Any]


def call_text(name: str, arguments: Any) -> str:
    """A call as the model writes it. Arguments that are no JSON stay the text that they were."""
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):
            arguments = json.loads(arguments)
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def listing(tools: Sequence[Tool]) -> str:
    """The part of the system message that names the tools."""
    lines = [f"- {tool['name']}({_parameters(tool)}): {_described(tool)}" for tool in tools]
    lines.append(f"- {REPLY}(text: string): Answer the user")
    return "You answer with one JSON object that calls a tool.\nTools:\n" + "\n".join(lines)


def _described(tool: Tool) -> str:
    text = " ".join(str(tool.get("description") or tool["name"]).split()).rstrip(".")
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 3] + "..."


def _properties(tool: Tool) -> Mapping[str, Any]:
    found = (tool.get("parameters") or {}).get("properties")
    return found if isinstance(found, Mapping) else {}


def _parameters(tool: Tool) -> str:
    required = set((tool.get("parameters") or {}).get("required") or ())
    return ", ".join(f"{k}{'' if k in required else '?'}: {_type(p)}" for k, p in _properties(tool).items())


def _type(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if schema.get("enum"):
        return "|".join(str(value) for value in schema["enum"][:8])
    kind = schema.get("type")
    return kind if isinstance(kind, str) else "any"


def examples(tools: Sequence[Tool], question: str, *, answered: bool) -> list[Message]:
    """Example turns: an answer, then calls.

    Args:
        tools: What may be called. The examples are of those that resemble the question most.
        question: The last message of the user.
        answered: Whether a result is the last that was said.
    """
    asked = _words(question)
    ranked = sorted(enumerate(tools), key=lambda item: len(asked & _words(_text(item[1]))))
    chosen = ranked[-EXAMPLES + answered :]
    if chosen and not answered and asked & _words(_text(chosen[-1][1])):
        # one example teaches its own arguments, two teach that they come from the question
        position, best = chosen[-1]
        chosen = [*chosen[1 - EXAMPLES :], (position + 1, best)]
    turns = [[("user", "Hello!"), ("assistant", call_text(REPLY, {"text": "Hello."}))]]
    for position, tool in chosen:
        arguments = _arguments(tool, position)
        said = ", ".join(_plain(value) for value in arguments.values())
        told = f"{_described(tool)}: {said}." if said else f"{_described(tool)}."
        turns.append([("user", told), ("assistant", call_text(tool["name"], arguments))])
    if answered and chosen:
        name = chosen[-1][1]["name"]
        turns.append(
            [("user", result_text(name, "7 found")), ("assistant", call_text(REPLY, {"text": "There are 7."}))]
        )
    return [{"role": role, "content": text} for turn in turns for role, text in turn]


def _arguments(tool: Tool, position: int) -> dict[str, Any]:
    """The first of the schema's own `examples`, else made-up arguments; optional ones are left out."""
    schema = tool.get("parameters") or {}
    given = [e for e in schema.get("examples") or () if isinstance(e, Mapping)]
    if given:
        return dict(given[0])
    required = schema.get("required")
    out = {}
    for i, (name, part) in enumerate(_properties(tool).items()):
        if required and name not in required:
            continue
        own = part.get("examples") if isinstance(part, Mapping) else None
        word = WORDS[(position + i) % len(WORDS)]
        out[name] = own[0] if own else example_of({**part, "$defs": schema.get("$defs", {})}, word) if part else word
    return out


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(tool: Tool) -> str:
    parts = _properties(tool)
    values = [str(v) for p in parts.values() if isinstance(p, Mapping) for v in p.get("enum") or ()]
    return " ".join([str(tool["name"]), _described(tool), *parts, *values])


def _words(text: str) -> set[str]:
    """The beginnings of the words in a text, so that `archives` is `archive`."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    return {word[:5] for word in found if len(word) > 2 and word not in _LOOSE}


def result_text(name: str, content: str) -> str:
    """A result as the model reads it."""
    return f"Result of {name}: {content}"


def plain_messages(messages: Sequence[Mapping[str, Any]], limit: int, *, replies: bool) -> list[Message]:
    """A conversation without tool calls and tool results: each call is followed by its own result.

    Args:
        messages: As they are.
        limit: Characters of one result; a longer one loses its middle.
        replies: Write answers as calls of `reply`, as the examples do.
    """
    results = {m.get("tool_call_id"): m for m in messages if m.get("role") == "tool"}
    out: list[Message] = []
    for message in messages:
        role = message.get("role")
        calls = message.get("tool_calls") or ()
        for call in calls if role == "assistant" else ():
            name, arguments = named(call)
            _add(out, "assistant", call_text(name, arguments))
            result = results.get(call.get("id"))
            _add(out, "user", result_text(name, shortened(text_of(result), limit) if result else "none"))
        if role == "assistant" and not calls:
            text = text_of(message)
            _add(out, "assistant", call_text(REPLY, {"text": text}) if replies else text)
        elif role != "assistant" and role != "tool":
            _add(out, str(role), text_of(message))
    return out


def named(call: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and arguments of a call in either form: ours or that of the provider."""
    inner = call.get("function") if isinstance(call.get("function"), Mapping) else call
    assert isinstance(inner, Mapping)
    return str(inner.get("name")), inner.get("arguments", {})


def joined(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The same with one message where two of one role meet: chat templates of small models want them to alternate."""
    out: list[Message] = []
    for message in messages:
        _add(out, message["role"], message["content"])
    return out


def _add(out: list[Message], role: str, text: str) -> None:
    if out and out[-1]["role"] == role:
        out[-1] = {"role": role, "content": f"{out[-1]['content']}\n{text}"}
    else:
        out.append({"role": role, "content": text})


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))


def shortened(text: str, limit: int) -> str:
    """Head and tail of a text."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return f"{text[:head]} ... {text[len(text) - (limit - head) :]}"
