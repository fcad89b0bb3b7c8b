"""Server-sent events: from pieces of bytes to the data of whole events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from graphagent.errors import ModelError

MAX_EVENT = 8 * 1024 * 1024
"""Bytes of one event. A server that never ends its line must not fill the memory."""


class EventParser:
    """Feed it bytes as they arrive; it gives the `data` of each event that became whole.

    Comments and the fields `event`, `id` and `retry` are dropped. A field `error` counts as data: llama.cpp once
    sent its errors so. What stands after the last empty line is not an event.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, piece: bytes) -> list[str]:
        """The events that `piece` completes, in order.

        Raises:
            ModelError: an event is over 8 MiB.
        """
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        if piece:
            self._after_cr = piece.endswith(b"\r")
        lines = (self._rest + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                events.append(b"\n".join(self._data).decode("utf-8", "replace"))
                self._data, self._size = [], 0
        if self._size + len(self._rest) > MAX_EVENT:
            raise ModelError("the model server sent an event of over 8 MiB", cause="server_error")
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name in (b"data", b"error"):
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
