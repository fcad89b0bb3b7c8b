"""What to write instead of a value of the wrong type."""

from __future__ import annotations

from graphagent.graph.document import Scalar
from graphagent.graph.occurrences import Inferred
from graphagent.graph.resolver import old_boolean
from graphagent.graph.suggest import suggest
from graphagent.graph.types import BOOL, STR, ListOf, LiteralOf, Type, assignable, describe, show_literal, without_none


def show(t: Type) -> str:
    """A type in a message; a single literal as its value."""
    return show_literal(t.values[0]) if isinstance(t, LiteralOf) and len(t.values) == 1 else describe(t)


def mismatch_help(inferred: Inferred, wanted: Type, scalar: Scalar | None) -> str | None:
    """A remedy, if one is plain to see."""
    found = inferred.type
    text = scalar.text.strip() if scalar is not None else ""
    whole = text.startswith("${") and text.endswith("}") and text.count("${") == 1
    inner = text[2:-1].strip() if whole else text
    if isinstance(wanted, ListOf) and assignable(found, wanted.item):
        return f"a list is expected: `${{ [{inner}] }}`" if whole else "a list is expected: put it in `[ ]`"
    if isinstance(found, LiteralOf) and isinstance(wanted, LiteralOf) and isinstance(found.values[0], str):
        meant = suggest(found.values[0], [value for value in wanted.values if isinstance(value, str)])
        return f"did you mean `{meant}`?" if meant else f"it is one of `{describe(wanted)}`"
    if wanted == BOOL and scalar is not None and scalar.plain and old_boolean(scalar.text) is not None:
        return f"YAML 1.2: `{scalar.text}` is text; write `{str(old_boolean(scalar.text)).lower()}`"
    if found != without_none(found) and assignable(without_none(found), wanted) and whole:
        return f"it may be null: `${{ default({inner}, ...) }}`"
    if wanted == STR and whole and len(inner) < 40:
        return f"make text of it: `${{ str({inner}) }}`"
    if isinstance(found, LiteralOf) and scalar is not None and not scalar.plain and not whole:
        return "without quotes it is no text" if isinstance(found.values[0], str) else None
    return None
