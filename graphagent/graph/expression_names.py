"""The words of the expression language: functions, names that stand for something, and what can't be a name."""

from __future__ import annotations

from graphagent.graph.expression_tokens import KEYWORDS, LITERAL_NAMES

ARITIES: dict[str, tuple[int, int | None]] = {
    "len": (1, 1), "str": (1, 1), "int": (1, 1), "float": (1, 1), "bool": (1, 1), "hash": (1, 1),
    "min": (1, 1), "max": (1, 1), "sum": (1, 1), "abs": (1, 1), "round": (1, 2),
    "any": (1, 1), "all": (1, 1), "sorted": (1, 2), "first": (1, 1), "last": (1, 1),
    "keys": (1, 1), "values": (1, 1), "merge": (2, 2),
    "contains": (2, 2), "startswith": (2, 2), "endswith": (2, 2), "lower": (1, 1), "upper": (1, 1),
    "join": (2, 2), "split": (2, 2),
    "has": (1, 1), "default": (2, None),
}  # fmt: skip
"""How many arguments each function takes, at least and at most."""

FUNCTION_NAMES = frozenset(ARITIES)

SCOPE_NAMES: dict[str, str] = {
    "inputs": "the inputs of the graph",
    "run": "`run` is there wherever a session runs",
    "error": "`error` exists in `on_error`, and in a node to which an error route leads",
    "args": "`args` are a tool call's arguments: `approve` and a tool's `idempotency_key` see them",
    "result": "`result` is what a tool call gave: only `tool_writes` sees it",
    "index": "`index` is an item's position: the fields of `do` and `collect` see it",
    "out": "`out` exists after the node ran: move it to `writes`",
    "usage": "`usage` exists after a model was called: move it to `writes`",
    "results": "`results` exist after a map ran: move it to `writes`",
    "errors": "`errors` exist after a map ran: move it to `writes`",
    "event": "`event` exists after a wait: move it to its `writes`, `next` or `match`",
    "secrets": "`secrets` can be used only under `models` and `tools`",
}
"""Names that stand for something at some places only, and what to say where they don't."""

RESERVED_NAMES = frozenset({*SCOPE_NAMES, *FUNCTION_NAMES, *LITERAL_NAMES, *KEYWORDS, "end", "fail", "self", "std"})
"""What a channel, an item or a variable can't be called."""
