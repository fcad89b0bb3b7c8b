"""The one place that imports asyncpg, and what its errors mean."""

from __future__ import annotations

from typing import Any

from graphagent.errors import (
    GraphAgentError,
    InputInvalid,
    MissingExtra,
    NotFound,
    StoreCorrupt,
    StoreFull,
    StoreReadonly,
    StoreUnavailable,
)
from graphagent.stores.rows import Damage

try:
    import asyncpg
except ImportError as error:
    raise MissingExtra("postgres", "asyncpg") from error

__all__ = ["Again", "Away", "Connection", "InUse", "Slow", "asyncpg", "explained", "keeps", "sqlstate"]

Connection = Any
"""An `asyncpg.Connection`; that package has no types."""

_RESTORE = "restore a backup; a copy of the damaged database is worth keeping"
_BROKEN = ("08", "57P", "58")
"""The connection or the server went away: 57P are shutdowns, 58 are errors of its system."""
_AWAY = (*_BROKEN, "53300", "53200", "55P03")
"""Besides these, it is too busy."""
_SLOW = "57014"
_AGAIN = ("40001", "40P01")


class Away(StoreUnavailable):
    """The server can't be reached now, or the outcome of what was sent is unknown: the same again may help.

    Callers of a store get `StoreUnavailable` instead, where nobody asks again.
    """

    @property
    def given_up(self) -> StoreUnavailable:
        """What callers get."""
        return StoreUnavailable(self.message, hint=self.hint)


class Slow(Away):
    """It took too long: the server may be busy, or what was asked is too much."""


class InUse(Slow):
    """All connections were in use until its time was over."""


class Again(Away):
    """The server undid the statement and asks for the same again."""


def sqlstate(error: BaseException) -> str:
    """The five letters of a server's error; empty for any other."""
    return str(getattr(error, "sqlstate", None) or "") if isinstance(error, asyncpg.PostgresError) else ""


def keeps(error: BaseException) -> bool:
    """Whether the connection can be used after this error. One that saw a timeout or cancellation can't."""
    if isinstance(error, (GraphAgentError, Damage)):
        return True
    state = sqlstate(error)
    return bool(state) and not state.startswith((*_BROKEN, _SLOW))


def explained(error: BaseException, name: str) -> BaseException:
    """What a reader of the error must know, for what the driver or a row raised."""
    if isinstance(error, Damage):
        return StoreCorrupt(f"{name}: {error}", checkpoint=error.checkpoint, hint=error.hint or _RESTORE)
    state = sqlstate(error)
    if state:
        return _of_server(error, state, name)
    if isinstance(error, TimeoutError):
        return Slow(f"{name} doesn't answer in time", hint="is the server reachable, and has it too much to do?")
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)):
        what = str(error) or type(error).__name__
        return Away(f"{name} can't be reached: {what}", hint="is the server running, and the URL right?")
    return error


def _of_server(error: BaseException, state: str, name: str) -> BaseException:
    what = f"{name}: {error}"
    if state in _AGAIN:
        return Again(what)
    if state == _SLOW:
        return Slow(what, hint="has the server too much to do?")
    if state.startswith(_AWAY):
        return Away(what, hint="is the server running, and does it take connections?")
    if state == "53100":
        return StoreFull(f"{name}: the server's disk is full", hint="free some space; nothing is lost")
    if state == "25006":
        return StoreReadonly(f"{name} can't be written: {error}", hint="give the URL of the primary server")
    if state in ("22021", "22P05"):
        return InputInvalid("$", f"a text can't be stored in Postgres: {error}", hint="remove the character NUL")
    if state.startswith("22"):
        return error  # a value that doesn't fit its parameter: an error of ours
    if state.startswith("XX00") and state != "XX000":
        return StoreCorrupt(f"{name} is damaged: {error}", hint=_RESTORE)
    if state.startswith("42") and state != "42501":
        return StoreCorrupt(f"{name}: the schema was changed: {error}", hint=_RESTORE)
    if state == "GA404":
        return NotFound("no such session")
    hints = {
        "28": "check user and password in the URL",
        "3D": "create the database first",
        "42": "grant this user more",
    }
    return StoreUnavailable(what, hint=hints.get(state[:2]))
