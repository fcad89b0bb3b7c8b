"""Generators for the tests of the language."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from graphagent.graph.expressions import EvaluationError, ExpressionError
from graphagent.graph.types import (
    ANY,
    ARTIFACT,
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    UNSET,
    Atom,
    DictOf,
    Field,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    TypeSyntaxError,
    UnionOf,
    union,
)

NAMES = ("a", "b", "c")


def assert_inside(error: ExpressionError | EvaluationError | TypeSyntaxError, text: str) -> None:
    """An error says something, about a place in the text."""
    assert error.message
    assert 0 <= error.start <= error.end <= len(text)


scalars = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, -1.0, 1e300]) | st.text("ab'é", max_size=3)
)
"""Small plain data without containers."""

data: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
"""Small plain data."""

_atoms = st.sampled_from([STR, INT, FLOAT, BOOL, ANY, NONE])
_literals = st.lists(st.sampled_from(["a", "b", 1, 2.5, True, None]), min_size=1, max_size=3, unique_by=repr).map(
    lambda values: LiteralOf(tuple(values))
)


def types(*, named: bool = True) -> st.SearchStrategy[Type]:
    """Types of all kinds; objects have the fields a, b and c at most."""

    def extend(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
        field = st.tuples(st.sampled_from(NAMES), inner)
        objects = st.lists(field, max_size=3, unique_by=lambda f: f[0]).map(
            lambda fields: ObjectOf(tuple(Field(n, t) for n, t in fields), "T" if named else None)
        )
        unions = st.lists(inner, min_size=2, max_size=3).map(union)
        return st.one_of(inner.map(ListOf), inner.map(DictOf), objects, unions)

    return st.recursive(_atoms | _literals, extend, max_leaves=5)


def values_of(t: Type) -> st.SearchStrategy[Any]:
    """Values that have the type."""
    if isinstance(t, ListOf):
        return st.lists(values_of(t.item), max_size=3)
    if isinstance(t, DictOf):
        return st.dictionaries(st.sampled_from(NAMES), values_of(t.value), max_size=3)
    if isinstance(t, LiteralOf):
        return st.sampled_from(t.values)
    if isinstance(t, UnionOf):
        return st.one_of(*map(values_of, t.members))
    if isinstance(t, ObjectOf):
        required = {f.name: values_of(f.type) for f in t.fields if f.default is UNSET}
        optional = {f.name: values_of(f.type) for f in t.fields if f.default is not UNSET}
        return st.fixed_dictionaries(required, optional=optional)
    return _values_of_atom(t)


def _values_of_atom(t: Atom) -> st.SearchStrategy[Any]:
    if t == ARTIFACT:
        return st.just({"id": "art_1", "media_type": "text/plain", "size": 1, "name": None})
    return {
        "str": st.text("ab'", max_size=3), "int": st.integers(-5, 5), "bool": st.booleans(), "None": st.none(),
        "float": st.sampled_from([0.5, -1.0, 2.0]), "any": data,
    }[t.name]  # fmt: skip
