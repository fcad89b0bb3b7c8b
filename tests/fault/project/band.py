"""The functions of `march.graph.yaml`: a read, and a write at the server that counts."""

from __future__ import annotations

import os
import socket


def look(round: int) -> str:
    return f"saw {round}"


def pay(round: int) -> str:
    """Ask the server at `COUNTER` to count; it answers when it has."""
    with socket.create_connection(("127.0.0.1", int(os.environ["COUNTER"])), timeout=10) as server:
        server.sendall(b"pay %d\n" % round)
        assert server.makefile().readline() == "paid\n"
    return f"paid {round}"
