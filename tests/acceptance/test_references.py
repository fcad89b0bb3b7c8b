"""Messages travel as references: in channels, events, hand-overs and forks, and the body of each is one row a family."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.codec import decode
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.session.exporting import archive_bytes, export_session
from graphagent.session.host import Host
from graphagent.session.importing import import_session
from graphagent.session.loading import load_snapshot
from graphagent.session.retention import collect
from graphagent.session.retention_rules import Retention
from graphagent.session.tabled import as_stored
from graphagent.session.verifying import verify_store
from graphagent.snapshot import NewInput, SessionQuery, Span
from graphagent.stores import bodies
from graphagent.stores.memory import MemoryStore
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.sqlite import SqliteStore
from graphagent.testing.services.postgres import PostgresServer
from tests.contract.proxy import Proxy
from tests.unit.session.documents.world import StillClock, World

COUNT = 1_000
FAMILIES = SessionQuery(children=True, limit=1_000)
HUB = """
    inputs: { said: "list[Message]" }
    outputs: { report: str }
    models: { m: scripted/m }
    channels:
      report: { type: str, default: "" }
      heard: { type: int, default: 0, reducer: sum }
      messages: { type: "list[Message]", reducer: messages, scope: session }
      log: { type: "list[Message]", reducer: append }
    start: keep
    nodes:
      keep: { kind: set, writes: { messages: "${ inputs.said }", log: "${ inputs.said }" }, next: hub }
      hub:
        kind: agent
        model: m
        prompt: Go on.
        history: { channel: messages, max_tokens: 10000000 }
        delegates:
          one: { graph: spoke, about: Reads, history: all, writes: { heard: "${ out.heard }" } }
          two: { graph: spoke, about: Reads too, history: all, writes: { heard: "${ out.heard }" } }
        writes: { report: "${ out.text }" }
        next: end
    graphs:
      spoke:
        inputs: { task: str, history: "list[Message]" }
        outputs: { heard: int }
        channels:
          heard: { type: int, default: 0 }
          past: { type: "list[Message]", reducer: messages }
        start: keep
        nodes:
          keep: { kind: set, writes: { past: "${ inputs.history }" }, next: count }
          count: { kind: set, writes: { heard: "${ len(past) }" }, next: end }
"""


def message(n: int) -> dict[str, Any]:
    return {"role": "user", "content": f"<{n:04}>" + "x" * 1200}


def model() -> ScriptedModel:
    calls = tuple({"id": name, "name": name, "arguments": {"task": "read"}} for name in ("one", "two"))
    asks = Turn(tool_calls=calls, match=lambda r: not any(m["role"] == "tool" for m in r.messages), repeat=True)
    return ScriptedModel([asks, Turn(text="Read.", match=lambda r: True, repeat=True)])


async def told(world: World, count: int = COUNT) -> SessionId:
    """A hub that has handed its conversation to two spokes."""
    outcome = await world.start(HUB, {"said": [message(n) for n in range(count)]})
    assert outcome.outputs == {"report": "Read."}, outcome.error
    values = await values_of(world.host, outcome.row.session)
    assert values["heard"] == 2 * (count + 1)
    return outcome.row.session


async def values_of(host: Host, session: SessionId) -> dict[str, Any]:
    row = await host.store.session(session)
    plan = await host.plan_of(row)
    assert row.head is not None
    snapshot = await load_snapshot(host.store, row, plan.graph, await host.store.checkpoint(row.head))
    return {c.name: v for c, v in zip(plan.graph.channels, snapshot.values, strict=True)}


async def stored(store: Store) -> Counter[str]:
    """How often the text of each message stands in the rows of a store, by message."""
    found: Counter[str] = Counter()
    for family in sorted({entry.row.family for entry in await store.sessions(FAMILIES)}):
        texts = list((await store.blobs(family, await store.blob_hashes(family))).values())
        for row in await store.family(family):
            spans = [Span(row.session, -1, None)]
            texts += [c.manifest for c in await store.checkpoints(spans, limit=10_000)]
            texts += [e.body for e in await store.events(spans)]
            texts += [e.outcome or b"" for e in await store.effects(spans)]
            texts += [i.body for i in await store.inputs(row.session)]
            for name in ("log", "past", "messages"):
                texts += [d.items for d in await store.deltas(spans, name)]
        for text in texts:
            found.update(name.decode() for name in re.findall(rb"<\d{4}>", text))
    return found


def on_stores(case: Callable[[World], Awaitable[None]]) -> Callable[..., None]:
    """A test of a case on all stores."""

    @pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
    def test(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        async def main() -> None:
            clock = StillClock()
            store: Store = MemoryStore(clock=clock)
            if kind == "sqlite":
                store = await SqliteStore.open(tmp_path / "s.db", clock=clock)
            elif kind == "postgres":
                store = await PostgresStore.open(request.getfixturevalue("postgres_store")(), clock=clock)
            try:
                world = World(tmp_path, store, clock)
                world.models["m"] = model()
                await case(world)
            finally:
                await store.aclose()

        concurrency.run_sync(main)

    test.__name__, test.__doc__ = getattr(case, "__name__", ""), case.__doc__
    return test


@on_stores
async def test_a_conversation_is_stored_once_a_family(world: World) -> None:
    session = await told(world)
    row = await world.store.session(session)
    for at in (2, row.head_superstep):
        fork = await ops.fork(world.host, session, at)
        await ops.drive(world.host, fork.row.session)
    assert await stored(as_stored(world.store)) == Counter({f"<{n:04}>": 1 for n in range(COUNT)})
    assert [m["content"] for m in (await values_of(world.host, session))["messages"]][:COUNT] == [
        message(n)["content"] for n in range(COUNT)
    ]
    for entry in await world.store.sessions(FAMILIES):
        assert (await ops.replay(world.host, entry.row.session)).identical
    assert (await verify_store(world.host.store)).problems == []


@on_stores
async def test_an_export_holds_whole_messages_and_comes_back(world: World) -> None:
    session = await told(world, 40)
    data = archive_bytes(await export_session(world.host, await world.store.session(session)))
    assert bodies.MARK not in data
    file = world.folder / "told.gasession"
    file.write_bytes(data)
    twin = await import_session(world.host, file, new_ids=True)
    assert (await ops.replay(world.host, twin.session)).identical
    assert (await stored(as_stored(world.store)))["<0007>"] == 2, "one in each of both families"
    await ops.delete(world.host, [session])
    assert (await values_of(world.host, twin.session))["messages"][7]["content"] == message(7)["content"]
    assert (await import_session(world.host, file)).session == session
    again = archive_bytes(await export_session(world.host, await world.store.session(session)))
    assert again == data


@on_stores
async def test_a_collection_leaves_what_is_referred_to(world: World) -> None:
    session = await told(world, 100)
    fork = await ops.fork(world.host, session, 2)
    await ops.drive(world.host, fork.row.session)
    kept = await values_of(world.host, session)
    world.clock.skip(1)
    for _ in range(2):
        await ops.run_again(world.host, fork.row.session, {"said": [message(500)]})
        await collect(world.host.store, world.host.clock, Retention(0))
    for name in ("as it is", "in a new process"):
        assert await values_of(world.host, session) == kept, name
        world.host = world.new_host()
    assert (await verify_store(world.host.store)).problems == []
    assert (await export_session(world.host, await world.store.session(session))).sessions


@on_stores
async def test_a_forged_body_is_a_miss(world: World) -> None:
    session = await told(world, 20)
    known = world.host.tables.messages
    kept = await values_of(world.host, session)
    for key in list(known):
        known.put(key, b'{"content":"I was forged","role":"user"}', 40)
    assert len(known) == 20
    assert await values_of(world.host, session) == kept
    assert known.counts.wrong == 20
    assert known.counts.rebuilds >= 20


@on_stores
async def test_the_same_input_is_accepted_again(world: World) -> None:
    plan = world.plan(HUB)
    new = ops.run_input(plan, {"said": [message(1)]}, ops.Options(message_id="m"))
    outcome = await ops.start(world.host, plan, {"said": [message(1)]}, ops.Options(seed=1, message_id="m"))
    row = await world.host.store.accept(outcome.row.session, NewInput("run", "m", new.body))
    assert (row.n, row.body) == (1, new.body)
    line = await world.host.open(outcome.row.session, new=NewInput("run", "m", new.body))
    await world.host.release(line)


def test_a_pack_fetches_all_bodies_in_one_statement(
    postgres_server: PostgresServer, postgres: str, tmp_path: Path
) -> None:
    async def main() -> None:
        with Proxy(postgres_server.port) as proxy:
            clock = StillClock()
            store = await PostgresStore.open(proxy.url(postgres), clock=clock)
            try:
                world = World(tmp_path, store, clock)
                world.models["m"] = model()
                row = await world.store.session(await told(world))
                host = world.new_host()
                (hash,) = [
                    entry[2] for name, entry in decode((await head(host, row)).manifest)["channels"].items()
                    if name == "messages"
                ]  # fmt: skip
                host.tables.clear()
                sent = []
                for _ in range(2):
                    before = proxy.messages["E"]
                    found = await host.store.blobs(row.family, [bytes.fromhex(hash)])
                    sent.append(proxy.messages["E"] - before)
                    assert len(decode(found[bytes.fromhex(hash)])) > COUNT
                assert sent == [2, 1], "the value and all bodies; then the bodies are known"
            finally:
                await store.aclose()

    async def head(host: Host, row: Any) -> Any:
        return await host.store.checkpoint(row.head)

    concurrency.run_sync(main)
