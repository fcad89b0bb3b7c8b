"""The signature of a function as JSON Schema, and arguments checked against it."""

from __future__ import annotations

import inspect
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from graphagent.errors import NodeError
from graphagent.tools.arguments import bad_arguments
from graphagent.tools.context import ToolContext
from graphagent.tools.docstrings import read_docstring

KEY = "idempotency_key"
"""The parameter that gets the key of the call; no model sees it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes from a model.

    Attributes:
        names: Its visible parameters, by the name of their field in `model`.
        context: The parameter that gets the `ToolContext`.
        keyed: Whether it has a parameter `idempotency_key`.
    """

    description: str
    model: type[pydantic.BaseModel]
    names: Mapping[str, str]
    parameters: Mapping[str, Any]
    returns: Mapping[str, Any] | None
    context: str | None
    keyed: bool

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them.

        Raises:
            NodeError: `invalid_input`, cause `bad_arguments`.
        """
        try:
            found = self.model.model_validate(dict(arguments))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)
            raise bad_arguments([(e["loc"], e["msg"]) for e in first], self.parameters) from None
        return {name: getattr(found, field) for field, name in self.names.items()}


class _Schema(GenerateJsonSchema):
    """Without titles, which only repeat names; a default that isn't plain data isn't shown."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def read_signature(function: Callable[..., Any]) -> Signature:
    """What a function takes and says of itself.

    Raises:
        NodeError: it has a parameter that no model can give; the message names it.
    """
    documented = read_docstring(inspect.getdoc(function))
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    context, keyed = None, False
    for parameter in _parameters(function):
        annotation = _annotation(function, parameter)
        if annotation is ToolContext:
            context = parameter.name
        elif parameter.name == KEY:
            keyed = True
        else:
            field = f"p{len(names)}"  # the name itself may be one of pydantic's own
            names[field] = parameter.name
            fields[field] = (annotation, _field(parameter, annotation, documented.parameters.get(parameter.name)))
            _check_type(parameter.name, annotation)
    model = pydantic.create_model(
        "Arguments", __config__=pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=False), **fields
    )
    parameters = closed(model.model_json_schema(schema_generator=_Schema))
    parameters.pop("title", None)
    return Signature(documented.summary, model, names, parameters, _returns(function), context, keyed)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise unfit(f"its signature can't be read: {error}", "wrap it in a `def`") from None
    for parameter in found:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            raise unfit(f"a model can't give `{stars}{parameter.name}`", "name every parameter")
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise unfit(f"`{parameter.name}` is positional-only", "take the `/` away")
    return found


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type of a parameter, names resolved in the module of the function."""
    if parameter.annotation is inspect.Parameter.empty:
        if parameter.name == KEY:
            return str
        raise unfit(f"the parameter `{parameter.name}` has no annotation", f"write `{parameter.name}: str`, say")
    try:
        return _resolved(function, parameter.annotation)
    except Exception as error:
        message = f"the type of `{parameter.name}` can't be read: {type(error).__name__}: {error}"
        raise unfit(message, "import it in the module") from None


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    inner = inspect.unwrap(function)
    scope = getattr(inner, "__globals__", None) or getattr(type(inner).__call__, "__globals__", {})
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, globalns=scope, include_extras=True)["it"]


def _field(parameter: inspect.Parameter, annotation: Any, description: str | None) -> Any:
    said = any(getattr(part, "description", None) for part in getattr(annotation, "__metadata__", ()))
    more: dict[str, Any] = {} if said or description is None else {"description": description}
    if parameter.default is not inspect.Parameter.empty:
        more["default"] = parameter.default
    return pydantic.Field(alias=parameter.name, **more)


def _check_type(name: str, annotation: Any) -> None:
    try:
        _schema_of(annotation, "validation")
    except Exception as error:
        shown = getattr(annotation, "__name__", None) or str(annotation)
        hint = "types: str, int, float, bool, list[...], dict[str, ...], Literal[...], datetime, dataclasses, models"
        message = f"the type `{shown}` of `{name}` has no JSON Schema"
        raise unfit(message, hint) from error


def _returns(function: Callable[..., Any]) -> dict[str, Any] | None:
    """The schema of what it says to return; None where that says nothing."""
    annotation = inspect.signature(function).return_annotation
    if annotation in (inspect.Signature.empty, Any, "Any"):
        return None
    try:
        return _schema_of(_resolved(function, annotation), "serialization")
    except Exception:  # nobody needs it: the result is turned into data whatever it says
        return None


def _schema_of(annotation: Any, mode: typing.Literal["validation", "serialization"]) -> JsonSchemaValue:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydantic.TypeAdapter(annotation).json_schema(schema_generator=_Schema, mode=mode)


def closed(schema: Any) -> Any:
    """The schema with every object that lists its properties closed to others."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: value if key in ("default", "enum", "const", "examples") else closed(value)
           for key, value in schema.items()}  # fmt: skip
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        out.setdefault("additionalProperties", False)
        out["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
    return out


def unfit(message: str, hint: str) -> NodeError:
    """A function that can't be a tool."""
    return NodeError(message, kind="tool_failed", cause="bad_signature", hint=hint)
