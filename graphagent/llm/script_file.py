"""A script in a file: YAML or JSON, for `--scripted FILE` and for tests.

    turns:                             # or only the list; answers for every model
      - Hello.                         # a text
      - value: {bullets: [a, b]}       # a structured answer, any JSON value
      - match: about bees              # text that the prompt holds
        text: Bees are insects.
        repeat: true                   # any number of times
      - match: {regex: "part [0-9]+"}  # a regular expression that is found in the prompt
        value: 3
        delay_s: 0.2                   # before the first piece
        pace_s: 0.01                   # before each further piece
      - error: {kind: rate_limit, message: slow down, retry_after_s: 1}
      - tool_calls: [{name: search, arguments: {q: bees}}]
      - reasoning: [First this., Then that.]   # what it thinks before it answers: a text, or one for each block
        text: Done.
    models:                            # turns of single models, by NAME of `scripted/NAME` or of the graph's model
      critic: [{value: accept}]

Each turn has exactly one of `text`, `value`, `error`, `tool_calls`. Which turn answers which request is told in
`scripted`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphagent.errors import ERROR_KINDS, InputInvalid, ModelError, NotFound
from graphagent.llm.scripted import UNSET, Match, ScriptedModel, Turn

_KEYS = {"text", "value", "error", "tool_calls", "reasoning", "match", "delay_s", "pace_s", "repeat"}
_ERROR_KEYS = {"kind", "cause", "message", "hint", "retry_after_s", "retryable"}


class Script:
    """Turns by model. A name always gives the same model, so that its turns are used once.

    Args:
        turns: For every name that has none of its own.
        models: Turns of single names.
    """

    def __init__(self, turns: list[Turn], models: Mapping[str, list[Turn]] | None = None) -> None:
        self._models = {name: ScriptedModel(own, name) for name, own in (models or {}).items()}
        self._shared = ScriptedModel(turns)

    def model(self, *names: str) -> ScriptedModel:
        """The model of the first name that has turns of its own, else the one that all others share."""
        return next((self._models[n] for n in names if n in self._models), self._shared)


def load_script(path: str | os.PathLike[str]) -> Script:
    """The script in a file.

    Raises:
        NotFound: the file can't be read.
        InputInvalid: it is no script; the path says where.
    """
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"can't read the script {os.fspath(path)!r}: {error}") from error
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputInvalid("$", f"{os.fspath(path)!r} is not YAML: {' '.join(str(error).split())}") from error
    return parse_script(data)


def parse_script(data: Any) -> Script:
    """The script of plain data.

    Raises:
        InputInvalid: it is no script; the path says where.
    """
    if isinstance(data, list):
        return Script(_turns(data, "$"))
    if not isinstance(data, dict) or not data or data.keys() - {"turns", "models"}:
        raise InputInvalid("$", "a script is a list of turns, or a mapping with the keys turns and models")
    models = {} if data.get("models") is None else data["models"]
    if not isinstance(models, dict):
        raise InputInvalid("$.models", "a mapping of names to lists of turns is wanted")
    own = {str(name): _turns(turns, f"$.models.{name}") for name, turns in models.items()}
    return Script(_turns([] if data.get("turns") is None else data["turns"], "$.turns"), own)


def _turns(data: Any, path: str) -> list[Turn]:
    if not isinstance(data, list):
        raise InputInvalid(path, "a list of turns is wanted")
    return [_turn(item, f"{path}[{i}]") for i, item in enumerate(data)]


def _turn(data: Any, path: str) -> Turn:
    if isinstance(data, str):
        return Turn(text=data)
    if not isinstance(data, dict):
        raise InputInvalid(path, "a text or a mapping is wanted")
    unknown = data.keys() - _KEYS
    if unknown:
        hint = "a structured answer stands under `value`"
        raise InputInvalid(path, f"unknown key {sorted(map(str, unknown))[0]!r}", hint=hint)
    try:
        return Turn(
            text=_typed(data, "text", str, path),
            value=data.get("value", UNSET),
            error=_error(data["error"], f"{path}.error") if "error" in data else None,
            tool_calls=tuple(_call(c, path) for c in _typed(data, "tool_calls", list, path) or ()),
            reasoning=_reasoning(data.get("reasoning"), f"{path}.reasoning"),
            match=_match(data.get("match"), f"{path}.match"),
            delay_s=_seconds(data, "delay_s", path),
            pace_s=_seconds(data, "pace_s", path),
            repeat=bool(_typed(data, "repeat", bool, path)),
        )
    except ValueError as error:
        raise InputInvalid(path, str(error)) from error


def _typed(data: Mapping[str, Any], key: str, kind: type, path: str) -> Any:
    value = data.get(key)
    if value is not None and not isinstance(value, kind):
        raise InputInvalid(f"{path}.{key}", f"{value!r} is not a {kind.__name__}")
    return value


def _seconds(data: Mapping[str, Any], key: str, path: str) -> float:
    value = data.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise InputInvalid(f"{path}.{key}", f"{value!r} is not a number of seconds up to 3600")
    return float(value)


def _match(data: Any, path: str) -> Match | None:
    if data is None or isinstance(data, str):
        return data
    if isinstance(data, dict) and data.keys() == {"regex"} and isinstance(data["regex"], str):
        try:
            return re.compile(data["regex"])
        except re.error as error:
            raise InputInvalid(path, f"not a regular expression: {error}") from error
    raise InputInvalid(path, "a text or {regex: ...} is wanted")


def _call(data: Any, path: str) -> dict[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise InputInvalid(f"{path}.tool_calls", "each call is a mapping with name and arguments")
    return data


def _reasoning(data: Any, path: str) -> tuple[str, ...]:
    blocks = [] if data is None else [data] if isinstance(data, str) else data
    if isinstance(blocks, list) and all(isinstance(block, str) for block in blocks):
        return tuple(blocks)
    raise InputInvalid(path, "a text or a list of texts is wanted")


def _error(data: Any, path: str) -> ModelError:
    if isinstance(data, str):
        data = {"kind": data}
    if not isinstance(data, dict) or data.keys() - _ERROR_KEYS:
        raise InputInvalid(path, f"a kind, or a mapping with {', '.join(sorted(_ERROR_KEYS))}, is wanted")
    fields = dict(data)
    kind = fields.setdefault("kind", "unavailable")
    if kind not in ERROR_KINDS:
        raise InputInvalid(f"{path}.kind", f"{kind!r} is not a kind of error", hint=f"one of {', '.join(ERROR_KINDS)}")
    return ModelError(str(fields.pop("message", f"scripted {kind}")), **fields)
