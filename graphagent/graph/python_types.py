"""Python types as the text that authors write: `list[Doc] | None`, `Literal['a', 'b']`, `int = 8000`.

Classes of pydantic become named types; their fields are read when such a class is first met.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from operator import attrgetter
from typing import Any, Final

from graphagent.codec import freeze
from graphagent.errors import CodecError, GraphAgentError

_ATOMS: Final[dict[Any, str]] = {
    str: "str", int: "int", float: "float", bool: "bool", None: "None", type(None): "None", Any: "any", object: "any",
    list: "list[any]", dict: "dict[str, any]", Mapping: "dict[str, any]",
}  # fmt: skip
_CONSTANTS: Final[dict[Any, str]] = {True: "true", False: "false", None: "null"}


class NoType(GraphAgentError):
    """A Python object stands for no type of the language."""


class PythonTypes:
    """Reads types, and collects the named ones in `named`: name -> field -> declaration, in order of first use.

    Args:
        name: What a class is called; by default as in Python.
    """

    def __init__(self, name: Callable[[Any], str] = attrgetter("__name__")) -> None:
        self._name = name
        self.named: dict[str, dict[str, Any]] = {}
        self._classes: dict[str, Any] = {}
        self._errors: list[NoType] = []

    def take_errors(self) -> list[NoType]:
        """What is wrong with fields of classes, once."""
        errors, self._errors = self._errors, []
        return errors

    def type(self, found: Any) -> str | dict[str, Any]:
        """A type as authors write it; a mapping of fields stays one. Raises NoType."""
        if isinstance(found, Mapping):
            return self.object(found)
        if isinstance(found, tuple):
            raise NoType("a default has no place here", hint="a channel has one: `channel(int, default=8000)`")
        return self._text(found)

    def declaration(self, found: Any) -> str | dict[str, Any]:
        """A type, or a pair of a type and its default. Raises NoType."""
        if not isinstance(found, tuple):
            return self.type(found)
        if len(found) != 2:
            raise NoType(f"a default is a pair, not {len(found)} things", hint="write `(int, 8000)`")
        if isinstance(found[0], Mapping):
            raise NoType("an inline object type has no default", hint="give the type a name: `g.types(Doc={...})`")
        return f"{self._text(found[0])} = {literal(found[1])}"

    def object(self, fields: Mapping[Any, Any]) -> dict[str, Any]:
        """field -> declaration. Raises NoType."""
        return {str(name): self.declaration(field) for name, field in fields.items()}

    def _text(self, found: Any) -> str:
        if isinstance(found, str):
            return str(found)
        if isinstance(found, typing.ForwardRef):
            return found.__forward_arg__
        try:
            if found in _ATOMS:
                return _ATOMS[found]
        except TypeError:  # not hashable, so no type either
            raise _unknown(found) from None
        origin, arguments = typing.get_origin(found), typing.get_args(found)
        if origin is not None:
            return self._generic(found, origin, arguments) if arguments else self._text(origin)
        if isinstance(found, type) and issubclass(found, Enum):
            return f"Literal[{', '.join(literal(item.value) for item in found)}]"
        if _is_model(found):
            return self._model(found)
        raise _unknown(found)

    def _generic(self, found: Any, origin: Any, arguments: tuple[Any, ...]) -> str:
        if origin in (typing.Union, types.UnionType):
            return " | ".join(self._text(part) for part in arguments)
        if origin is typing.Literal:
            return f"Literal[{', '.join(literal(value) for value in arguments)}]"
        if origin is typing.Annotated:
            return self._text(arguments[0])
        if origin is list:
            return f"list[{self._text(arguments[0])}]"
        if origin in (dict, Mapping):
            if arguments[0] is not str:
                raise NoType(f"the keys of {found!r} are no text", hint="keys are text: `dict[str, int]`")
            return f"dict[str, {self._text(arguments[1])}]"
        raise _unknown(found)

    def _model(self, model: Any) -> str:
        """The name of a class of pydantic, whose fields become a named type."""
        name = self._name(model)
        known = self._classes.setdefault(name, model)
        if known is not model:
            raise NoType(f"two classes are called {name}: {_home(known)} and {_home(model)}", hint="rename one of them")
        if name not in self.named:
            fields = self.named[name] = {}
            for key, field in model.model_fields.items():
                try:
                    fields[key] = self._field(field)
                except NoType as error:
                    fields[key] = "any"
                    self._errors.append(NoType(f"{name}.{key}: {error.message}", hint=error.hint))
        return name

    def _field(self, field: Any) -> str:
        text = self._text(field.annotation)
        if field.is_required():
            return text
        return f"{text} = {literal(field.get_default(call_default_factory=True))}"


def literal(value: Any) -> str:
    """Plain data as the language writes it. Raises NoType."""
    try:
        return _literal(freeze(value.value if isinstance(value, Enum) else value))
    except CodecError as error:
        raise NoType(f"{value!r} is not plain data: {error.message}", hint="a default is a literal") from None


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_literal(item)}' for key, item in value.items())}}}"
    return repr(value)


def _is_model(found: Any) -> bool:
    """Whether it is a class of pydantic; if pydantic isn't loaded, nothing is."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(found, type) and issubclass(found, pydantic.BaseModel)


def _home(found: Any) -> str:
    return f"`{found.__module__}.{found.__qualname__}`"


def _unknown(found: Any) -> NoType:
    known = isinstance(found, type)
    name = found.__name__ if known else f"{found!r}"[:60] if typing.get_origin(found) else type(found).__name__
    meant = {"datetime": "str", "date": "str", "bytes": '"Artifact"', "tuple": "list", "set": "list"}.get(name)
    hint = f"write `{meant}`" if meant else "types: str, int, float, bool, None, Any, list[...], dict[str, ...], " \
        "Literal[...], unions, classes of pydantic, or text"  # fmt: skip
    what = f"`{name}`" if known or typing.get_origin(found) else f"an object of class {name}"
    return NoType(f"{what} is not a type of the language", hint=hint)
