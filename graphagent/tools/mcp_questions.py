"""The questions that a server asks on a connection, each given to the call that it belongs to.

A server of the older protocol asks beside its calls and doesn't say for which of them. Where several are open, a
question waits until the others have ended. If they ask something too, all are made again, one after the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Final

import trio

from graphagent.elicitation import Elicitation
from graphagent.errors import CodecError

_INVALID: Final = -32600


class OpenCall:
    """A call that is under way.

    Attributes:
        answers: What is known already, by the digest of the question; None where nobody can be asked.
        question: What it was broken off for.
        again: It was broken off since nobody knows which of several calls asked: it is made again by itself.
    """

    def __init__(self, answers: Mapping[str, Mapping[str, Any]] | None) -> None:
        self.answers = answers
        self.question: Elicitation | None = None
        self.again = False
        self.scope = trio.CancelScope()

    def ask(self, question: Elicitation) -> None:
        """Break the call off."""
        self.question = question
        self.scope.cancel()


_current: ContextVar[OpenCall | None] = ContextVar("graphagent_mcp_call", default=None)


class Questions:
    """The open calls of one connection, and what the server asks about them."""

    def __init__(self) -> None:
        self.calls: list[OpenCall] = []
        self._waiting = self._mixed_ups = 0
        self._serial: trio.Lock | None = None
        self._changed = trio.Event()

    @asynccontextmanager
    async def call(self, answers: Mapping[str, Mapping[str, Any]] | None) -> AsyncIterator[OpenCall]:
        """A call from its beginning to its end. If questions were mixed up before, it waits for the others."""
        async with self._serial or nullcontext():
            with self._opened(answers) as call:
                yield call

    @contextmanager
    def _opened(self, answers: Mapping[str, Mapping[str, Any]] | None) -> Iterator[OpenCall]:
        call = OpenCall(answers)
        self.calls.append(call)
        token = _current.set(call)
        try:
            with call.scope:
                yield call
        finally:
            _current.reset(token)
            self.calls.remove(call)
            self._change()

    async def answer(self, context: Any, params: Any) -> Any:
        """What the server gets: the answer, if it is known. Otherwise nothing: the call is broken off."""
        from mcp.types import ElicitResult

        if params.mode != "form":
            return _refused("only questions with a form can be answered")
        try:
            question = Elicitation.of(params.message, params.requested_schema)
        except CodecError as error:
            return _refused(f"the schema of the question isn't plain data: {error.message}")
        own = _current.get()
        for call in self.calls if own is None else [own]:
            known = (call.answers or {}).get(question.digest)
            if known is not None:
                return ElicitResult(action=known["action"], content=known.get("value"))
        asker = own or await self._asker()
        if asker is not None and asker.answers is None:
            return _refused("nobody can be asked in this call")
        if asker is not None:
            asker.ask(question)
            self._change()
        return await trio.sleep_forever()  # the server is told that the call is over, or the connection ends

    async def _asker(self) -> OpenCall | None:
        """The call that a question belongs to of which the server doesn't say it; None if all calls are made again."""
        self._waiting += 1
        self._change()
        mixed_up = self._mixed_ups
        try:
            while mixed_up == self._mixed_ups:
                free = [call for call in self.calls if call.question is None and not call.again]
                if len(free) == 1 and self._waiting:
                    return free[0]
                if 1 < len(free) <= self._waiting:
                    self._mixed_up(free)
                elif not free:
                    return None
                else:
                    await self._changed.wait()
            return None
        finally:
            self._waiting -= 1

    def _mixed_up(self, calls: list[OpenCall]) -> None:
        """Break these calls off; from now on the connection has one call at a time."""
        self._mixed_ups += 1
        self._serial = self._serial or trio.Lock()
        for call in calls:
            call.again = True
            call.scope.cancel()
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _refused(message: str) -> Any:
    from mcp.types import ErrorData

    return ErrorData(code=_INVALID, message=message)
