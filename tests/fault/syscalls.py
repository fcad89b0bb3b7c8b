"""A process that works on a store while strace makes its system calls fail, one at a time.

`python -m tests.fault.syscalls` waits, with everything imported, for folders on its input. For each it forks a process
that says its number, waits until the file `go` is there (by then strace follows it), and works. It notes in `acks`
what was acknowledged and in `errors` what was refused; a step that is refused is tried again.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from graphagent.codec import digest, encode
from graphagent.errors import StoreError
from graphagent.ports import Store
from graphagent.snapshot import Blob, Delta, EffectState
from graphagent.stores import sqlite_writer
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import ANN, batch, checkpoint_row, effect_row, next_commit, run_input, session_row

SESSION = session_row()
SUPERSTEPS = 6
TRIES = 4
LONGEST_S = 30


def blob(k: int) -> Blob:
    data = encode([f"{k} " * 3000])
    return Blob(digest(data), data)


def note(file: str, text: str) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, text.encode() + b"\n")
    os.close(fd)


async def persistently(name: str, step: Callable[[], Awaitable[object]]) -> None:
    """Do it, and do the very same again where the store couldn't."""
    for _ in range(TRIES):
        try:
            await step()
        except StoreError as error:
            note("errors", f"{type(error).__name__}: {error.message}")
        else:
            note("acks", name)
            return
    raise AssertionError(f"{name} was refused {TRIES} times, and one call failed")


async def work(file: Path) -> None:
    """A session of some supersteps, with an intent before each and an input after it."""
    opened: list[Store] = []

    async def begin() -> None:
        opened.append(await SqliteStore.open(file, on_loop_s=0))

    await persistently("open", begin)
    store = opened[0]
    await persistently("create", lambda: store.create(SESSION, checkpoint_row(SESSION, -1), (), ()))
    await persistently("takeover", lambda: store.takeover(SESSION.session, ANN))
    row = await store.session(SESSION.session)
    for k in range(SUPERSTEPS):
        intent = effect_row(k, effect_class="write", state=EffectState.INTENT, outcome=None)
        commit = next_commit(
            row, k, commit_n=k, events=batch(k), effects=[effect_row(k, effect_class="write")],
            deltas=[Delta("log", k, encode([k]))], blobs=[blob(k)],
        )  # fmt: skip
        await persistently(f"intent {k}", partial(store.append, SESSION.session, row.epoch, [intent]))
        await persistently(f"commit {k}", partial(store.commit, commit))
        await persistently(f"input {k}", partial(store.accept, SESSION.session, run_input(f"m{k}")))
    await store.aclose()


def child(folder: str) -> None:
    """The forked process."""
    code = 1
    try:
        os.chdir(folder)
        signal.alarm(LONGEST_S)
        while not Path("go").exists():
            time.sleep(0.002)
        sqlite_writer.FOLD_PAGES = 20
        trio.run(work, Path("sessions.db").absolute())
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork a process for each line."""
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(line.strip())
        print(pid, flush=True)
        status = os.waitpid(pid, 0)[1]
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    serve()
