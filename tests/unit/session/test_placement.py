"""Which sessions a worker takes."""

from __future__ import annotations

import pytest
import trio

from graphagent.errors import InputInvalid
from graphagent.ids import SessionId
from graphagent.session import operations as ops
from graphagent.session.graph import loads
from graphagent.session.new import NewSession
from graphagent.session.placement import Placement, read_labels
from graphagent.session.worker import CLAIM_AT_ONCE, Worker
from graphagent.snapshot import SessionRow
from graphagent.stores.memory import MemoryStore
from tests.corpus.sessions import host_on

PLAN = loads(
    "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: quick }\noutputs: {}\nstart: a\n"
    "nodes:\n  a: { kind: set, next: end }\n"
).compile()


def row(graph: str, *tags: str) -> SessionRow:
    return SessionRow(SessionId.of(bytes(16)), SessionId.of(bytes(16)), b"p", graph, b"s", tags=tags)


def test_labels_are_tags_of_sessions() -> None:
    placement = Placement(frozenset({"a"}), read_labels(["gpu=a100", "gpu=h100", "zone=eu"]))
    assert str(placement) == "graph a, gpu=a100, gpu=h100, zone=eu"
    assert placement.takes(row("a", "zone=eu", "gpu=h100", "draft"))
    assert not placement.takes(row("a", "gpu=h100"))
    assert not placement.takes(row("a", "gpu=t4", "zone=eu"))
    assert not placement.takes(row("b", "zone=eu", "gpu=h100"))
    assert Placement().everything
    assert Placement().takes(row("any"))
    assert Placement(labels=read_labels(["note=a=b"])).takes(row("any", "note=a=b"))


@pytest.mark.parametrize("text", ["", "gpu", "=x", "gpu=", "=", "a b=c", "a=b ", " a=b"])
def test_a_label_has_a_key_and_a_value(text: str) -> None:
    with pytest.raises(InputInvalid, match="is no label k=v") as caught:
        read_labels(["zone=eu", text])
    assert caught.value.path == "--label"
    assert caught.value.hint


def test_a_worker_finds_what_is_for_it_behind_much_that_is_not() -> None:
    async def main() -> None:
        store = MemoryStore()
        host = host_on(store)
        made: list[SessionId] = []
        for i in range(4 * CLAIM_AT_ONCE):
            tags = ("gpu=yes",) if i >= 4 * CLAIM_AT_ONCE - 2 else ("gpu=no",)
            new = NewSession(PLAN, bytes(16), None, tags)
            made.append(await host.create(new, [ops.run_input(PLAN, {}, ops.Options(tags=tags))]))
        worker = Worker(host_on(store), placement=Placement(labels=read_labels(["gpu=yes"])))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run)
            with trio.fail_after(60):
                while {(await store.session(s)).status for s in made[-2:]} != {"done"}:
                    await trio.sleep(0.01)
            worker.drain()
        assert {(await store.session(s)).status for s in made[:-2]} == {"idle"}

    trio.run(main)
