"""The words of templates: what of Jinja2 a prompt may use. What isn't listed here doesn't exist for it."""

from __future__ import annotations

from typing import Final

FILTERS: Final = frozenset({
    "abs", "capitalize", "count", "default", "d", "dictsort", "e", "escape", "first", "float", "indent", "int",
    "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace",
    "reverse", "round", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "truncate",
    "unique", "upper", "wordcount",
})  # fmt: skip
TESTS: Final = frozenset({
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "greaterthan", "gt", "in",
    "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence",
    "string", "true", "undefined", "upper", "==", "!=", ">", ">=", "<", "<=",
})  # fmt: skip
TAGS: Final = frozenset({
    "block", "extends", "filter", "for", "from", "if", "import", "include", "macro", "raw", "set", "with",
})  # fmt: skip
OTHER_TAGS: Final = frozenset({
    "autoescape", "break", "call", "continue", "debug", "do", "pluralize", "print", "trans",
})  # fmt: skip
"""Tags that Jinja2 or its extensions have."""

LOOP_FIELDS: Final = (
    "index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem",
)  # fmt: skip
LOOP_CALLS: Final = frozenset({"cycle", "changed"})
BY_FILTER: Final = {"map": "filter", "select": "test", "reject": "test", "selectattr": "test", "rejectattr": "test"}
"""Filters that take the name of a filter or of a test; `selectattr` and `rejectattr` as their second argument."""

INSTEAD: Final = {
    "safe": "leave it out: nothing is escaped",
    "format": "build the text with `~`",
    "attr": "write `x.name` or `x['name']`", "random": "there is no chance in a template", "pprint": "use `tojson`",
    "range": "loop over a list, `loop.index` counts", "namespace": "compute the value in `with`",
    "strip": "write `x | trim`", "len": "write `x | length`", "str": "write `x | string`", "get": "write `x | default`",
    "autoescape": "leave it out: nothing is escaped", "print": "write `{{ }}`", "do": "use `set`",
}  # fmt: skip
"""What to write instead of words that people know from elsewhere."""

NOT_GIVEN: Final = "not in `with`"
"""What stands at a variable that isn't there."""
