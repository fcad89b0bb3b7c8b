"""A process that works on a store until a fault point kills it: `python -m tests.unit.stores.victim PATH`.

It prints the name of each step once that is acknowledged. The fault points come from `GRAPHAGENT_FAULT`.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from graphagent.errors import GraphAgentError
from graphagent.ports import Store
from graphagent.snapshot import NewFork, SessionQuery
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import (
    ANN,
    batch,
    checkpoint_row,
    effect_row,
    fork_row,
    interrupt_row,
    next_commit,
    run_input,
    session_row,
)

ROW = session_row()
FORK = fork_row(ROW, 1, checkpoint_row(ROW, 0), 2)
CALLED = replace(fork_row(ROW, 1, checkpoint_row(ROW, 0), 3), caller=FORK.session)
QUESTION = interrupt_row(ROW)


async def _create(store: Store) -> None:
    await store.create(ROW, checkpoint_row(ROW, -1), (), ())


async def _takeover(store: Store) -> None:
    await store.takeover(ROW.session, ANN)


async def _append(store: Store) -> None:
    await store.append(ROW.session, 1, [effect_row()])


async def _commit(store: Store) -> None:
    await store.commit(next_commit(await store.session(ROW.session), 0, events=batch(0)))


async def _input(store: Store) -> None:
    await store.accept(ROW.session, run_input())


async def _park(store: Store) -> None:
    await store.commit(next_commit(await store.session(ROW.session), None, interrupts=[QUESTION], events=batch(1)))


async def _answer(store: Store) -> None:
    await store.answer(QUESTION.interrupt, b'"yes"', "me", [(ROW.session, run_input("ans"))])


async def _fork(store: Store) -> None:
    await store.fork([NewFork(FORK, (run_input(),)), NewFork(CALLED, (run_input("c"),))])


async def _release(store: Store) -> None:
    await store.release(ROW.session, 1)


STEPS: dict[str, Callable[[Store], Awaitable[None]]] = {
    "create": _create, "takeover": _takeover, "append": _append, "commit": _commit, "input": _input, "park": _park,
    "answer": _answer, "fork": _fork, "release": _release,
}  # fmt: skip


async def landed(store: Store, step: str) -> bool:
    """Whether all of a step is stored; it never is in part."""
    try:
        row = await store.session(ROW.session)
        inputs = [i.message_id for i in await store.inputs(ROW.session)]
        commits = {"takeover": row.epoch > 0, "commit": row.commit_n > 0, "park": row.commit_n > 1}
        if step in ("commit", "park"):
            k = ("commit", "park").index(step)
            assert ((await store.events(row.spans(k, k + 1))) != []) is commits[step]
        if step in commits:
            return commits[step]
        if step == "append":
            return await store.effects(row.spans()) != []
        if step == "answer":
            answered = (await store.interrupt(QUESTION.interrupt)).status == "answered"
            assert answered is ("ans" in inputs)
            return answered
        if step == "fork":
            family = [e.row.session for e in await store.sessions(SessionQuery(children=True)) if e.row.origin]
            inputs = [i.message_id for s in (FORK, CALLED) for i in await store.inputs(s.session)]
            assert len(family) == len(inputs)
            assert len(family) in (0, 2)
            return len(family) == 2
        sent = run_input().message_id in inputs
        return {"create": True, "input": sent, "release": row.owner is None and row.epoch > 0}[step]
    except GraphAgentError:
        return False


async def main(path: str) -> None:
    store = await SqliteStore.open(path)
    for name, step in STEPS.items():
        await step(store)
        sys.stdout.write(name + "\n")
        sys.stdout.flush()
    if "stay" in sys.argv:
        await store.takeover(ROW.session, ANN)
        sys.stdout.write("stays\n")
        sys.stdout.flush()
        await trio.sleep_forever()
    # No aclose: the interpreter ends with its writer thread alive.


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
