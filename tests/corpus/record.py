"""Records the corpus anew: `python -m tests.corpus.record [NAME...]`, by default what isn't there yet.

A recorded session is never written again by a later release: that it still replays is what the corpus is for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from graphagent import concurrency
from graphagent.session.exporting import export_to
from graphagent.stores.memory import MemoryStore
from tests.corpus.sessions import FOLDER, SESSIONS, host_on


async def record(name: str, folder: Path = FOLDER) -> Path:
    """Make a session and export it."""
    host = host_on(MemoryStore())
    session = await SESSIONS[name](host)
    file = folder / f"{name}.gasession"
    await export_to(host, await host.store.session(session), file)
    file.chmod(0o644)
    return file


if __name__ == "__main__":
    for wanted in sys.argv[1:] or [n for n in SESSIONS if not (FOLDER / f"{n}.gasession").exists()]:
        print(concurrency.run_sync(record, wanted))
