"""The type language: parse, describe, compare and check types of values.

    type := atom ('|' atom)*            decl := type ('=' literal)?
    object := { field: decl, ... }      closed: an unknown field is an error

Values are plain JSON data. All types are frozen values that can be compared; `checker` makes a fast check of one.
"""

from __future__ import annotations

from graphagent.graph.type_check import TypeMismatch, check, checker
from graphagent.graph.type_model import (
    ANY,
    ARTIFACT,
    BOOL,
    FLOAT,
    INT,
    NONE,
    PREDEFINED,
    STR,
    Atom,
    DictOf,
    Error,
    Field,
    ListOf,
    LiteralOf,
    Message,
    ObjectOf,
    Type,
    UnionOf,
    assignable,
    common,
    describe,
    show_literal,
    union,
    widen,
    without_none,
)
from graphagent.graph.type_schema import json_schema
from graphagent.graph.type_syntax import TypeSyntaxError, parse_decl, parse_object, parse_type
from graphagent.snapshot import UNSET

__all__ = [
    "ANY",
    "ARTIFACT",
    "BOOL",
    "FLOAT",
    "INT",
    "NONE",
    "PREDEFINED",
    "STR",
    "UNSET",
    "Atom",
    "DictOf",
    "Error",
    "Field",
    "ListOf",
    "LiteralOf",
    "Message",
    "ObjectOf",
    "Type",
    "TypeMismatch",
    "TypeSyntaxError",
    "UnionOf",
    "assignable",
    "check",
    "checker",
    "common",
    "describe",
    "json_schema",
    "parse_decl",
    "parse_object",
    "parse_type",
    "show_literal",
    "union",
    "widen",
    "without_none",
]
