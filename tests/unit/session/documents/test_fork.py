"""The `fork` document and its preview."""

from __future__ import annotations

from graphagent.session import operations
from graphagent.session.documents import fork_document, run_document
from graphagent.session.operations import Options
from tests.unit.session.documents.world import World, checked, on_stores

GRAPH = """
    inputs: { topic: str }
    outputs: { text: str }
    models: { main: scripted/x }
    channels: { topic: str, text: str, sent: int }
    limits: { supersteps: 50 }
    start: plan
    nodes:
      plan: { kind: set, writes: { topic: "${ inputs.topic }" }, next: write }
      write:
        kind: llm
        model: main
        prompt: "{{ t }}"
        with: { t: "${ topic }" }
        writes: { text: "${ out.text }" }
        next: send
      send:
        kind: code
        python: "fns:send"
        effects: write
        writes: { sent: "${ out }" }
        next: [{ when: sent > 5, to: again }, { to: end }]
      again: { kind: set, next: write }
"""
SEND = """
    def send() -> int:
        return 1
"""


@on_stores
async def test_a_fork(world: World) -> None:
    world.functions(SEND)
    outcome = await world.start(GRAPH, {"topic": "bees"})
    origin = outcome.row.session
    made = await operations.fork(world.host, origin, 2, edits={"topic": "ants"}, name="try")
    data = checked(await fork_document(world.host, made))
    assert (data["session"], data["created"]) == (made.row.session, True)
    assert data["origin"]["session"] == origin
    assert data["origin"]["snapshot"] == 2
    assert data["edits"] == [{"channel": "topic", "before": {"value": "bees"}, "after": {"value": "ants"}}]
    assert data["head"]["snapshot"] == 3
    assert (data["family"], data["run"]) == ([], None)
    preview = data["preview"]
    assert (preview["kept_supersteps"], preview["due"]) == (2, ["write"])
    assert preview["reachable"] == [
        {"node": "write", "certainty": "certain"},
        {"node": "send", "certainty": "certain"},
        {"node": "again", "certainty": "possible"},
    ]
    assert preview["spent_after"]["model_calls"] == 1
    assert preview["side_effects"] == [
        {"node": "write", "name": "main", "class": "read", "times_in_origin": 1},
        {"node": "send", "name": preview["side_effects"][1]["name"], "class": "write", "times_in_origin": 1},
    ]
    ran = await operations.resume(world.host, made.row.session, Options())
    whole = checked(await fork_document(world.host, made, run=await run_document(world.host, ran)))
    assert whole["run"]["outputs"] == {"text": "two"}
    assert whole["head"] == whole["run"]["head"]
    assert whole["run"]["origin"] == data["origin"]


@on_stores
async def test_a_dry_run_has_no_session(world: World) -> None:
    world.functions(SEND)
    outcome = await world.start(GRAPH, {"topic": "bees"})
    made = await operations.fork(world.host, outcome.row.session, 1, dry_run=True)
    data = checked(await fork_document(world.host, made, created=False))
    assert (data["session"], data["created"], data["head"], data["edits"]) == (None, False, None, [])
    assert data["preview"]["due"] == ["plan"]
    assert await world.store.forks(outcome.row.session) == []


@on_stores
async def test_what_waits_may_run(world: World) -> None:
    outcome = await world.start("""
        start: [ask, go]
        nodes:
          ask: { kind: human, mode: approve, prompt: Sure?, next: both }
          go: { kind: set, next: both }
          both: { kind: set, join: all, next: last }
          last: { kind: set, next: end }
    """)
    made = await operations.fork(world.host, outcome.row.session, 1, dry_run=True)
    data = checked(await fork_document(world.host, made, created=False))
    certainty = {r["node"]: r["certainty"] for r in data["preview"]["reachable"]}
    assert certainty == {"ask": "certain", "go": "certain", "both": "possible", "last": "possible"}
