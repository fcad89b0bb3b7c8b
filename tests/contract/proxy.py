"""A proxy between a client and Postgres that counts what is sent and cuts connections where a test wants it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Cut = Literal[
    "before",  # the next request never reaches the server
    "after",  # it does, and its whole reply is swallowed
    "middle",  # it does, and half of its reply arrives
    "half_open",  # it does, and nobody hears of this connection again
]


class Proxy:
    """Listens on 127.0.0.1 for the server at `port`. `cut` arms it for the next request of any connection."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut: Cut | None = None
        self.delay_s = 0.0
        """How much later every reply arrives."""
        self.cuts = 0
        self.messages: Counter[str] = Counter()
        """Messages of clients by type: `S` ends a round trip, `E` runs a statement, `P` is one that is prepared."""
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def url(self, url: str) -> str:
        """The URL of the same database through the proxy, without TLS, which couldn't be counted."""
        return url.replace(f":{self._upstream}/", f":{self.port}/") + "?sslmode=disable"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(self._listener)
        for sock in self._sockets:
            self._close(sock)
        for thread in self._threads:
            thread.join(timeout=10)
            assert not thread.is_alive()

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                self._close(client)
                continue
            self._sockets += [client, server]
            state: dict[str, Cut | None] = {"cut": None}
            self._start(self._requests, client, server, state)
            self._start(self._replies, client, server, state)

    def _requests(self, client: socket.socket, server: socket.socket, state: dict[str, Cut | None]) -> None:
        rest, started = b"", False
        while data := self._receive(client):
            rest += data
            if not started and len(rest) >= 4 and len(rest) >= struct.unpack(">i", rest[:4])[0]:
                rest, started = rest[struct.unpack(">i", rest[:4])[0] :], True
            while started and len(rest) >= 5 and len(rest) >= 1 + struct.unpack(">i", rest[1:5])[0]:
                self.messages[chr(rest[0])] += 1
                rest = rest[1 + struct.unpack(">i", rest[1:5])[0] :]
            if self.cut is not None and started:
                state["cut"], self.cut = self.cut, None
                self.cuts += 1
            if state["cut"] == "before":
                break
            with suppress(OSError):
                server.sendall(data)
        if state["cut"] != "half_open":
            self._close(server)
            self._close(client)

    def _replies(self, client: socket.socket, server: socket.socket, state: dict[str, Cut | None]) -> None:
        while data := self._receive(server):
            if state["cut"] == "half_open":
                continue
            if state["cut"] == "middle":
                with suppress(OSError):
                    client.sendall(data[: len(data) // 2])
            if state["cut"] is not None:
                break
            time.sleep(self.delay_s)
            with suppress(OSError):
                client.sendall(data)
        if state["cut"] != "half_open":
            self._close(client)
            self._close(server)

    def _receive(self, sock: socket.socket) -> bytes:
        try:
            return sock.recv(1 << 20)
        except OSError:
            return b""

    def _close(self, sock: socket.socket) -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
