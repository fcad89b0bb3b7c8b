"""Trio and asyncio in one thread: the only module that knows both.

The engine is written for trio. Where the caller's loop is asyncio, trio runs as that loop's guest, in the same
thread, once per loop:

    asyncio code   await in_trio(afn, ...)      joins the loop's one guest run; on trio it simply awaits
    trio code      await aio(fn, ...)           runs an asyncio coroutine on the host loop
    trio code      AsyncioItems(source)         iterates an asyncio generator
    trio code      await in_thread(fn, ...)     runs a blocking function in a worker thread
    a script       run_sync(afn, ...)           owns a loop with its guest; `blocking(afn)` wraps it
    trio code      Watchdog(tell).run()         says where the loop is blocked
    any of them    Bridge(produce)              a trio producer, iterated from asyncio, trio or a plain `for`

Importing this package imports neither trio nor asyncio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphagent.concurrency.script import SyncRunner, blocking, current_library, run_sync

if TYPE_CHECKING:
    from graphagent.concurrency.bridge import Bridge
    from graphagent.concurrency.guest import in_trio
    from graphagent.concurrency.host import AsyncioItems, aio, in_thread
    from graphagent.concurrency.nursery import lone_nursery
    from graphagent.concurrency.watchdog import Lag, Watchdog

__all__ = [
    "AsyncioItems",
    "Bridge",
    "Lag",
    "SyncRunner",
    "Watchdog",
    "aio",
    "blocking",
    "current_library",
    "in_thread",
    "in_trio",
    "lone_nursery",
    "run_sync",
]

_LAZY = {
    "AsyncioItems": "host",
    "Bridge": "bridge",
    "Lag": "watchdog",
    "Watchdog": "watchdog",
    "aio": "host",
    "in_thread": "host",
    "in_trio": "guest",
    "lone_nursery": "nursery",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
