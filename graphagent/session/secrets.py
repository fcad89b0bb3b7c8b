"""Secrets: names in a graph, values from the host. Values go to the models that use them and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphagent.errors import SecretMissing
from graphagent.graph.plan import REDACTED, Plan
from graphagent.graph.values import parse_value

SHORTEST = 4
"""A shorter text isn't looked for in what is shown: it stands everywhere."""


LONG_PART = 8
"""A shorter beginning of one may stand at the end of a text that was cut off: many begin in the same way."""


class Secrets:
    """The secrets of a host.

    Args:
        places: From the settings: name -> `env:NAME` or `file:PATH`. Other names are environment variables.
    """

    def __init__(self, places: Mapping[str, str], root: Path, environ: Mapping[str, str] | None = None) -> None:
        self._places, self._root = places, root
        self._environ = os.environ if environ is None else environ
        self._seen: set[str] = set()
        self._long: list[str] = []

    def __repr__(self) -> str:
        return f"<Secrets {', '.join(self._places)}>"

    def get(self, name: str) -> str:
        """The value of a secret.

        Raises:
            SecretMissing: the host doesn't have it.
        """
        kind, _, where = self._places.get(name, f"env:{name}").partition(":")
        value = self._environ.get(where) if kind == "env" else self._read(name, where)
        if not value:
            hint = f"set the environment variable {where}" if kind == "env" else f"write it to {where}"
            raise SecretMissing(f"the secret {name!r} is missing", hint=hint)
        if value not in self._seen:
            self._seen.add(value)
            # The longest first: where one is part of another, the rest of that would stay.
            self._long = sorted((s for s in self._seen if len(s) >= SHORTEST), key=lambda s: (-len(s), s))
        return value

    def _read(self, name: str, where: str) -> str | None:
        try:
            return (self._root / where).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SecretMissing(f"the secret {name!r} can't be read from {where}: {reason}") from None

    def check(self, plan: Plan) -> None:
        """Raise SecretMissing if one is missing that a plan declares."""
        for name in plan.secrets:
            self.get(name)

    def fill(self, raw: Any, names: tuple[str, ...]) -> Any:
        """The value that an author wrote over `secrets`. Raises SecretMissing."""
        value = parse_value(raw)
        if not value.reads:
            return value.evaluate({})
        return value.evaluate({"secrets": {name: self.get(name) for name in names}})

    def redact(self, value: Any) -> Any:
        """The value with every secret in its texts replaced."""
        if isinstance(value, str):
            for secret in self._long:
                value = _without(value, secret)
            return value
        if isinstance(value, Mapping):
            return {key: self.redact(item) for key, item in value.items()}
        return [self.redact(item) for item in value] if isinstance(value, list) else value


def _without(text: str, secret: str) -> str:
    """The text with the secret replaced, also at its end where the text was cut off in the middle of it."""
    text = text.replace(secret, REDACTED)
    for length in range(min(len(secret) - 1, len(text)), LONG_PART - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + REDACTED
    return text
