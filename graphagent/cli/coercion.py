"""Turning words into values without pydantic, whose import would cost more than most commands take.

Typer builds a pydantic adapter for every parameter of a command that is called, given or not. Our commands only have
texts, numbers, paths and choices. A release of typer that works otherwise never asks for what stands here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer


class Plain:
    """What typer asks for a value; see `typer._coercion.RuntimeParam`."""

    def __init__(self, annotation: Any, low: float | None, high: float | None) -> None:
        self.kind = bare(annotation)
        self.many = get_origin(self.kind) is list
        self.item = get_args(self.kind)[0] if self.many else self.kind
        self.low, self.high = low, high

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of one parameter."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return [self.one(v) for v in value] if self.many else self.one(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None

    def one(self, value: Any) -> Any:
        """One word. Raises ValueError with what is wrong with it."""
        if get_origin(self.item) is Literal:
            choices = get_args(self.item)
            if value not in choices:
                raise ValueError(f"{value!r} is not one of {', '.join(map(repr, choices))}.")
            return value
        if self.item in (int, float):
            return self.number(value)
        return Path(value) if self.item is Path else value

    def number(self, value: Any) -> Any:
        """A number within its bounds."""
        try:
            number = self.item(value)
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is not a valid {self.item.__name__}.") from None
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            bounds = [f">= {self.low:g}"] if self.low is not None else []
            bounds += [f"<= {self.high:g}"] if self.high is not None else []
            raise ValueError(f"{value} is not {' and '.join(bounds)}.")
        return number


def bare(annotation: Any) -> Any:
    """The annotation without `| None`."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    is_union = type(None) in get_args(annotation)
    return parts[0] if is_union and len(parts) == 1 else annotation


def make_plain(params: list[Any]) -> list[Any]:
    """The same parameters of typer's, which coerce their values here from now on."""
    for param in params:
        descriptor = getattr(param, "type_descriptor", None)
        if descriptor is not None and not isinstance(getattr(param, "_runtime_param", None), Plain):
            info = descriptor.parameter_info
            param._runtime_param = Plain(descriptor.annotation, info.min, info.max)
    return params
