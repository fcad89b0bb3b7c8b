"""The sessions of the corpus: how each is made. `python -m tests.corpus.record` writes them anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from graphagent.codec import decode
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.ports import Clock, Store
from graphagent.session import operations as ops
from graphagent.session.graph_file import read_graph_file
from graphagent.session.host import Host
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings

FOLDER = Path(__file__).parent
PROJECT = FOLDER / "project"


def host_on(store: Store, clock: Clock | None = None, root: Path = PROJECT) -> Host:
    """A host on a store, with the corpus' functions and a model that always says the same."""
    settings = Settings(root, store.name)
    teller = ScriptedModel([Turn(text="We went, and came back.", match="happened", repeat=True)], "teller")
    return Host(settings, store, clock or SystemClock(), Models(settings, {"teller": teller}))


async def start(host: Host, name: str, inputs: dict[str, Any], seed: int = 1) -> SessionId:
    """Run a graph of the project in a new session until it waits or ends."""
    plan = read_graph_file(PROJECT / f"{name}.graph.yaml", PROJECT).compiled()
    return (await ops.start(host, plan, inputs, ops.Options(name=name, tags=("corpus",), seed=seed))).row.session


async def answer(host: Host, session: SessionId) -> None:
    """Answer the one open question of a session, or of one below it, and run on."""
    question = (await ops.open_interrupts(host, session))[0]
    options = decode(question.question).get("options")
    await ops.answer(host, question, options[0] if options else True, by="corpus")
    await ops.drive(host, session)


async def waits(host: Host) -> SessionId:
    """It waits for a person behind a sealed segment of its log."""
    return await start(host, "ledger", {"rounds": 6})


async def runs_again(host: Host) -> SessionId:
    """Two runs in one session, each to its end."""
    session = await start(host, "ledger", {"rounds": 3})
    await answer(host, session)
    await ops.run_again(host, session, {"rounds": 4})
    await answer(host, session)
    return session


async def forked(host: Host) -> SessionId:
    """A fork of a fork, both with an edit."""
    origin = await start(host, "ledger", {"rounds": 5})
    first = (await ops.fork(host, origin, 3, edits={"log": ["from here"]})).row.session
    await ops.resume(host, first)
    second = (await ops.fork(host, first, 5, edits={"long": "x" * 600})).row.session
    await ops.resume(host, second)
    await answer(host, second)
    return second


async def dives(host: Host) -> SessionId:
    """Two child sessions, of which one waits for an answer."""
    return await start(host, "dive", {"depth": 3})


async def dived(host: Host) -> SessionId:
    """The same, answered."""
    session = await start(host, "dive", {"depth": 2})
    await answer(host, session)
    return session


async def asks_aside(host: Host) -> SessionId:
    """A fork of a superstep that a question holds open; it carries the calls that were made."""
    origin = await start(host, "parallel", {"items": [1, 2]})
    at = (await host.store.session(origin)).head_superstep
    fork = (await ops.fork(host, origin, at)).row.session
    await ops.resume(host, fork)
    return fork


async def asked_aside(host: Host) -> SessionId:
    """The same, answered and run to its end."""
    session = await asks_aside(host)
    await answer(host, session)
    return session


async def failed(host: Host) -> SessionId:
    """A run that failed."""
    session = await start(host, "parallel", {"items": [3], "breaks": True})
    await answer(host, session)
    return session


SESSIONS: dict[str, Callable[[Host], Awaitable[SessionId]]] = {
    f.__name__: f for f in (waits, runs_again, forked, dives, dived, asks_aside, asked_aside, failed)
}
