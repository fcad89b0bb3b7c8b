"""What can be wrong with an expression: when it is read, when its types are inferred, when it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from graphagent.errors import GraphAgentError

Path = tuple[str | int, ...]


class ExpressionError(GraphAgentError):
    """A text is no expression of the language.

    `start` and `end` count code points of the text; in a value with several texts `path` says which one.
    """

    def __init__(self, code: str, message: str, start: int, end: int, hint: str | None = None, path: Path = ()) -> None:
        super().__init__(message, hint=hint)
        self._code = code
        self.start = start
        self.end = end
        self.path = path

    @property
    def code(self) -> str:
        """`GA201` for syntax, `GA202` for what isn't allowed, `GA207` for `${ }` in it, `GA104` for a hidden name."""
        return self._code

    def moved(self, offset: int, path: Path = ()) -> ExpressionError:
        """The same error in a longer text, in which the expression begins at `offset`."""
        return ExpressionError(
            self._code, self.message, self.start + offset, self.end + offset, self.hint, path + self.path
        )


class EvaluationError(GraphAgentError):
    """An expression has no value. `start` and `end` say which part of its text is to blame."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None, path: Path = ()) -> None:
        super().__init__(message, hint=hint)
        self.start = start
        self.end = end
        self.path = path

    def moved(self, offset: int, path: Path = ()) -> EvaluationError:
        """The same error in a longer text, in which the expression begins at `offset`."""
        return EvaluationError(self.message, self.start + offset, self.end + offset, self.hint, path + self.path)


class Failure(Exception):
    """An operation on values that can't be done; whoever knows the place makes an `EvaluationError` of it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Place(Protocol):
    """A part of an expression."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def placed(failure: Failure, place: Place) -> EvaluationError:
    """The failure as an error of this part of the expression."""
    return EvaluationError(failure.message, place.start, place.end, failure.hint)


@dataclass(frozen=True, slots=True)
class Finding:
    """What static typing found. `suggestion` replaces the text between `start` and `end`, if there is one.

    `path` says which text, in a value with several.
    """

    code: str
    message: str
    start: int
    end: int
    label: str | None = None
    hint: str | None = None
    suggestion: str | None = None
    path: Path = ()

    def moved(self, offset: int, path: Path = ()) -> Finding:
        """The same finding in a longer text, in which the expression begins at `offset`."""
        return replace(self, start=self.start + offset, end=self.end + offset, path=path + self.path)
