"""The `run` document of runs that end in every way."""

from __future__ import annotations

from graphagent.session import operations
from graphagent.session.documents import run_document
from graphagent.session.operations import Options
from tests.unit.session.documents.world import World, checked, on_stores

CHAT = """
    inputs: { topic: str }
    outputs: { text: str }
    models: { main: scripted/x }
    channels: { text: str }
    start: write
    nodes:
      write:
        kind: llm
        model: main
        prompt: "About {{ t }}"
        with: { t: "${ inputs.topic }" }
        writes: { text: "${ out.text }" }
        next: end
"""


@on_stores
async def test_a_run_that_is_done(world: World) -> None:
    outcome = await world.start(CHAT, {"topic": "bees"}, name="first")
    data = checked(await run_document(world.host, outcome))
    session = outcome.row.session
    assert (data["session"], data["status"], data["reason"], data["error"]) == (session, "done", None, None)
    assert data["graph"]["name"] == "t"
    assert data["graph"]["version"] == "1.2.0"
    assert data["graph"]["file"] == "graphs/t.graph.yaml"
    assert data["outputs"] == {"text": "one"}
    assert data["supersteps"] == data["head"]["snapshot"] == 2
    assert data["usage"]["model_calls"] == 1
    assert data["usage"]["input_tokens"] > 0
    assert data["effects"] == {"recorded": 1, "replayed": 0}
    assert data["next"] == [f"graphagent show {session}"]
    assert data["started_at"] < data["ended_at"]
    assert data["wall_ms"] > 0
    # Another process says the same of it, from the store alone.
    again = checked(await run_document(world.new_host(), await world.store.session(session)))
    assert again == data


@on_stores
async def test_the_newest_run_counts_only_its_own_supersteps(world: World) -> None:
    first = await world.start(CHAT, {"topic": "bees"})
    session = first.row.session
    second = await operations.run_again(world.host, session, {"topic": "ants"})
    data = checked(await run_document(world.host, second))
    assert (data["supersteps"], data["head"]["snapshot"]) == (2, 4)
    assert data["usage"]["model_calls"] == 1
    assert data["outputs"] == {"text": "two"}


LOOP = """
    inputs: { n: int }
    outputs: { count: int }
    channels: { count: { type: int, reducer: sum } }
    start: tick
    nodes:
      tick: { kind: set, writes: { count: 1 }, next: [{ when: count < inputs.n, to: tick }, { to: end }] }
"""


@on_stores
async def test_the_first_superstep_of_a_run_is_found_with_few_reads(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 3})
    session = outcome.row.session
    for n in (1, 40, 2):
        outcome = await operations.run_again(world.host, session, {"n": n})
        document = checked(await run_document(world.host, outcome))
        assert document["supersteps"] == n + 1
        assert document["outputs"] == {"count": n}


FAILING = """
    outputs: { x: int }
    channels: { x: int }
    start: [boom, fine]
    nodes:
      boom: { kind: code, python: "fns:boom", writes: { x: "${ out }" }, next: end }
      fine: { kind: code, python: "fns:fine", next: end }
"""


@on_stores
async def test_a_run_that_failed(world: World) -> None:
    world.functions("""
        def boom() -> int:
            raise KeyError("title")
        def fine() -> int:
            return 1
    """)
    outcome = await world.start(FAILING)
    data = checked(await run_document(world.host, outcome))
    session = outcome.row.session
    assert (data["status"], data["reason"], data["outputs"]) == ("failed", "error", None)
    error = data["error"]
    assert (error["kind"], error["class"], error["node"], error["task"]) == (
        "code_failed",
        "model-correctable",
        "boom",
        "boom",
    )
    assert (error["superstep"], error["attempt"], error["retryable"]) == (1, 0, False)
    assert error["span"]["file"] == "graphs/t.graph.yaml"
    assert error["span"]["line"] == error["span"]["end_line"]
    assert error["id"].startswith("err_")
    assert data["next"] == [f"graphagent resume {session}", f"graphagent fork {session} --at 1"]
    assert data["effects"]["recorded"] == 2
    stored = checked(await run_document(world.host, await world.store.session(session)))
    assert stored["error"] == error


@on_stores
async def test_a_run_ended_by_a_route_to_fail_can_only_be_forked(world: World) -> None:
    outcome = await world.start("""
        start: a
        nodes:
          a: { kind: set, next: fail }
    """)
    data = checked(await run_document(world.host, outcome))
    assert (data["status"], data["error"]["kind"]) == ("failed", "raised")
    assert data["next"][-1] == f"graphagent fork {outcome.row.session} --at {outcome.row.head_superstep - 1}"
    assert not any("resume" in command for command in data["next"])


@on_stores
async def test_a_run_at_its_limit(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 50}, limits={"supersteps": 3})
    data = checked(await run_document(world.host, outcome))
    assert (data["status"], data["reason"], data["error"]["kind"]) == ("failed", "limit", "limit")
    assert data["next"][0] == f"graphagent resume {outcome.row.session} --max-supersteps 6"


HUB = """
    outputs: { told: str }
    channels: { told: str }
    start: call
    nodes:
      call: { kind: graph, graph: spoke, writes: { told: "${ out.said }" }, next: end }
    graphs:
      spoke:
        outputs: { said: str }
        channels: { said: str }
        start: ask
        nodes:
          ask:
            kind: human
            mode: choose
            prompt: Which one?
            options: [it's, no]
            writes: { said: "${ out.choice }" }
            next: end
"""


@on_stores
async def test_questions_of_child_sessions_are_listed(world: World) -> None:
    outcome = await world.start(HUB)
    data = checked(await run_document(world.host, outcome))
    assert (data["status"], data["reason"]) == ("waiting", "interrupt")
    (asked,) = data["interrupts"]
    child = (await world.store.children(outcome.row.session))[0]
    assert asked["session"] == child.session != outcome.row.session
    assert (asked["node"], asked["kind"], asked["options"], asked["status"]) == (
        "ask",
        "choose",
        ["it's", "no"],
        "open",
    )
    assert asked["run"] != data["run"]
    assert data["next"] == [f"""graphagent answer {asked["id"]} --choose 'it'"'"'s'"""]
    assert data["ended_at"] is None
    done = await world.answer(outcome, "no")
    data = checked(await run_document(world.host, done))
    assert (data["status"], data["outputs"], data["interrupts"]) == ("done", {"told": "no"}, [])


@on_stores
async def test_a_paused_run_says_how_to_go_on(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 5}, until_snapshot=3)
    data = checked(await run_document(world.host, outcome))
    assert (data["status"], data["reason"]) == ("waiting", "paused")
    assert data["next"] == [f"graphagent resume {outcome.row.session}"]
    done = await operations.resume(world.host, outcome.row.session, Options())
    assert checked(await run_document(world.host, done))["supersteps"] == 6


@on_stores
async def test_calls_of_an_open_superstep_are_part_of_the_usage(world: World) -> None:
    world.functions("""
        def boom() -> int:
            raise ValueError("no")
    """)
    outcome = await world.start("""
        models: { main: scripted/x }
        start: [a, b]
        nodes:
          a: { kind: llm, model: main, prompt: hello, next: end }
          b: { kind: code, python: "fns:boom", next: end }
    """)
    data = checked(await run_document(world.host, outcome))
    assert data["status"] == "failed"
    assert data["usage"]["model_calls"] == 1


@on_stores
async def test_a_cancelled_run(world: World) -> None:
    outcome = await world.start(HUB)
    cancelled = await operations.cancel(world.host, outcome.row.session, "enough", "ada")
    data = checked(await run_document(world.host, cancelled))
    assert (data["status"], data["outputs"], data["error"], data["interrupts"]) == ("cancelled", None, None, [])
    assert data["ended_at"] is not None


@on_stores
async def test_a_fork_at_the_beginning_has_no_run_yet(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 2})
    made = await operations.fork(world.host, outcome.row.session, 0)
    data = checked(await run_document(world.host, made.row))
    assert (data["run"], data["supersteps"], data["outputs"]) == (None, 0, None)
    assert data["origin"]["snapshot"] == 0


@on_stores
async def test_outputs_of_a_fork_are_those_of_its_edited_state(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 2})
    made = await operations.fork(world.host, outcome.row.session, outcome.row.head_superstep, edits={"count": 7})
    data = checked(await run_document(world.host, made.row))
    assert (data["status"], data["outputs"]) == ("done", {"count": 7})


@on_stores
async def test_a_notebook_shows_a_table(world: World) -> None:
    from graphagent.session.documents import history_document

    outcome = await world.start(LOOP, {"n": 1}, name="<b>")
    shown = (await history_document(world.host, outcome.row))._repr_mimebundle_()
    assert shown["text/plain"].startswith(outcome.row.session)
    assert "&lt;b&gt;" in shown["text/html"]
