"""A server that counts what it is asked for, and whom a march answers when a write is in doubt."""

from __future__ import annotations

import socketserver
import threading
from collections import Counter
from typing import Self


class CountingServer:
    """Counts lines such as `pay 3` before it answers. Use it as a context manager; `port` is on 127.0.0.1."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        counts, lock = self.counts, threading.Lock()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline().split()
                if len(line) == 2:
                    with lock:
                        counts[int(line[1])] += 1
                    self.wfile.write(b"paid\n")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Whoever asked may be dead by now."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
