"""What runs in the child process: llama.cpp's HTTP server until the parent goes away.

Run as a file, so it imports nothing of this package. The first line on standard input is JSON, `{model, key, context,
slots, threads}`; standard input then stays open, and its end is the end of this process. One line goes to standard
output when the server is up: `READY http://127.0.0.1:PORT`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from typing import Any


def leave_with_parent(parent: int) -> None:
    """End this process as soon as the parent is gone.

    A parent-death signal would be of no use: it comes when the *thread* that started this process ends. The
    polling is for a pipe that another child of the parent has inherited and keeps open.
    """

    def watch_pipe() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    def watch_parent() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    for watch in (watch_pipe, watch_parent):
        threading.Thread(target=watch, daemon=True).start()


def parameters(xllamacpp: Any, wanted: dict[str, Any]) -> Any:
    """The settings of the server. It takes calls from this machine with the right key only."""
    params = xllamacpp.CommonParams()
    params.model.path = wanted["model"]
    params.n_ctx = wanted["context"]
    params.n_parallel = wanted["slots"]
    params.cpuparams.n_threads = wanted["threads"]
    params.cpuparams_batch.n_threads = wanted["threads"]
    params.use_jinja = True
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [wanted["key"]]
    params.cors_origins = ""
    params.cors_origins_explicit = True
    params.endpoint_slots = False
    params.endpoint_metrics = False
    params.offline = True
    params.ui = False
    params.verbosity = 1
    return params


def main() -> None:
    """Start the server and wait."""
    parent = os.getppid()
    wanted = json.loads(sys.stdin.buffer.readline())
    leave_with_parent(parent)
    xllamacpp: Any = importlib.import_module("xllamacpp")
    server = xllamacpp.Server(parameters(xllamacpp, wanted))
    print(f"READY {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
