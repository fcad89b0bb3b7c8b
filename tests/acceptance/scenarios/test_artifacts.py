"""Artifacts: what nodes and tools put, long results of tools, and what survives crashes, forks and moves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import trio

from graphagent import concurrency
from graphagent.codec import digest
from graphagent.ids import ArtifactId, SessionId
from graphagent.messages import ModelRequest
from graphagent.ports import Stored
from graphagent.session import operations as ops
from graphagent.session.verifying import verify_store
from graphagent.snapshot import ArtifactRow, Commit, Span
from tests.acceptance.scenarios.test_agents import call, calls, saying, told
from tests.acceptance.scenarios.world import World, scenario

BIG = "".join(f"{n:>9}\n" for n in range(500_000))
"""A text of 5 MB: line n stands at 10 n."""
TOOLS = """
    from graphagent.tools.context import ToolContext

    def numbers(count: int) -> str:
        \"\"\"Numbers, one a line.\"\"\"
        note("numbers")
        return "".join(f"{n:>9}\\n" for n in range(count))

    def huge(mib: int) -> str:
        \"\"\"A long text.\"\"\"
        note("huge")
        return "x" * (mib << 20)

    async def picture(ctx: ToolContext, name: str) -> dict:
        \"\"\"Draw a picture.\"\"\"
        note("picture", name)

        async def pieces():
            for _ in range(3):
                yield b"\\x89PNG" * 1000

        return {"picture": await ctx.artifacts.put(pieces(), "image/png", name)}

    def size(ctx: ToolContext, id: str) -> int:
        \"\"\"The size of an artifact.\"\"\"
        note("size")
        return len(ctx.artifacts.read(id)) + len(ctx.artifacts.put("seen", "text/plain")["id"])
"""
HEAD = """
    inputs: { question: str }
    outputs: { answer: str }
    models: { m: scripted/m }
    tools:
      numbers: { python: "fns:numbers", effects: read }
      huge: { python: "fns:huge", effects: read }
      picture: { python: "fns:picture", effects: write }
      size: { python: "fns:size", effects: read }
    channels:
      answer: { type: str, default: "" }
      kept: { type: "list[Artifact]", reducer: append }
      messages: { type: "list[Message]", reducer: messages, scope: session }
    start: a
    nodes:
"""
AGENT = (
    HEAD
    + """
      a: { kind: agent, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, tools: [numbers, huge, picture, size],
           history: { channel: messages }, tool_writes: { picture: { kept: "${ [result.picture] }" } },
           writes: { answer: "${ out.text }" }, next: end }
    """
)
ASK = {"question": "How many?"}


def id_of(data: bytes) -> str:
    return str(ArtifactId.of(digest(data)[:16]))


async def rows(world: World, session: SessionId) -> list[ArtifactRow]:
    """The artifacts of a session's family, each of which has its content."""
    row = await world.row(session)
    found: list[ArtifactRow] = await world.store.artifacts(row.family)
    for artifact in found:
        await world.artifacts.verify(row.family, Stored(artifact.hash, artifact.size))
    assert (await verify_store(world.host.store, world.artifacts)).problems == []
    return found


def offered(request: ModelRequest) -> list[str]:
    return [tool["name"] for tool in request.tools]


@scenario
async def test_a_long_result_is_read_back_piece_by_piece(world: World) -> None:
    """5 MB isn't in the journal or the conversation: the model sees both ends, and reads what it wants of the rest."""
    world.functions(TOOLS)
    id = id_of(BIG.encode())
    pieces = [(0, 32_000), (2_500_000, 20), (4_999_990, 50), (5_000_000, 10)]
    reads = [call("read_artifact", id=id, offset=at, limit=limit) for at, limit in pieces]
    turns = [calls(call("numbers", count=500_000)), calls(*reads), calls(call("read_artifact", id=id)), "500000"]
    world.models["m"] = model = saying(turns)
    outcome = await world.start(AGENT, ASK)
    assert outcome.outputs == {"answer": "500000"}
    assert world.once("numbers")
    (result,) = told(model, 1)
    assert result["content"].startswith(BIG[:4000])
    assert result["content"].endswith(BIG[-2000:])
    assert (
        f"4,994,000 characters are left out; the whole result is artifact {id} (5,000,000 bytes)" in result["content"]
    )
    assert "read_artifact" not in offered(model.requests[0])
    assert "read_artifact" in offered(model.requests[-1])
    read = [message["content"] for message in told(model, 2)[1:]]
    assert read[0] == f"[bytes 0 to 32000; the next piece begins at offset 32000]\n{BIG[:32_000]}"
    assert read[1] == f"[bytes 2500000 to 2500020; the next piece begins at offset 2500020]\n{BIG[2_500_000:2_500_020]}"
    assert read[2] == f"[bytes 4999990 to 5000000; the end]\n{BIG[-10:]}"
    assert read[3] == "[bytes 5000000 to 5000000; the end]\n"
    assert told(model, 3)[-1]["content"].endswith(BIG[:16_000])
    session = outcome.row.session
    (artifact,) = await rows(world, session)
    assert (artifact.artifact, artifact.name, artifact.media_type) == (id, "numbers.txt", "text/plain")
    effects = await world.store.effects([Span(session, 0, None)])
    assert max(len(e.outcome or b"") for e in effects) < 100_000
    assert {e.kind for e in effects if e.name == "read_artifact"} == {"artifact"}
    completed = await world.kinds(session, "ToolCallCompleted")
    assert completed[0]["artifacts"] == [id]
    assert all(c["artifacts"] == [] for c in completed[1:])
    # A new run of the session has it in its conversation, so it is offered at once.
    world.models["m"] = model = saying(["No."])
    await world.run_again(session, ASK)
    assert "read_artifact" in offered(model.requests[0])


@scenario
async def test_a_result_of_middle_size_stays_in_the_journal(world: World) -> None:
    """The model gets both ends and an artifact; the graph gets the whole result."""
    world.functions(TOOLS)
    world.models["m"] = model = saying([calls(call("numbers", count=10_000)), "done"])
    graph = AGENT.replace('picture: { kept: "${ [result.picture] }" }', 'numbers: { answer: "${ result[:10] }" }')
    outcome = await world.start(graph.replace('writes: { answer: "${ out.text }" }, ', ""), ASK)
    assert outcome.outputs == {"answer": BIG[:10]}
    (artifact,) = await rows(world, outcome.row.session)
    assert artifact.size == 100_000
    assert str(artifact.artifact) in told(model)[0]["content"]


@scenario
async def test_a_result_over_the_cap_is_an_error_as_data(world: World) -> None:
    world.functions(TOOLS)
    world.models["m"] = model = saying([calls(call("huge", mib=65), call("huge", mib=60)), "done"])
    outcome = await world.start(AGENT, ASK)
    assert outcome.row.status == "done"
    first, second = (m["content"] for m in told(model))
    assert "output_too_large" in first
    assert re.search(r"artifact art_\w{26} \(62,914,560 bytes\)", second)
    assert len(second) < 7_000
    assert [a.size for a in await rows(world, outcome.row.session)] == [60 << 20]


@scenario
async def test_tools_put_and_read_artifacts(world: World) -> None:
    """What a tool puts is kept with its result: the call isn't made again. Another tool reads it in the same superstep."""
    world.functions(TOOLS)
    data = b"\x89PNG" * 3000
    id = id_of(data)
    turns = [
        calls(call("picture", name="../../etc/passwd"), call("picture", name="b\0c")),
        calls(call("size", id=id)), calls(call("read_artifact", id=id), call("read_artifact", id=id_of(b"other"))), "done",
    ]  # fmt: skip
    world.models["m"] = model = saying(turns)
    outcome = await world.start(AGENT, ASK)
    assert outcome.row.status == "done", outcome.error
    assert (told(model, 2) or told(model))[-1]["content"] == str(len(data) + 30)
    not_text, unknown = (m["content"] for m in told(model)[-2:])
    assert "not_text" in not_text
    assert "unknown_artifact" in unknown
    kept = (await world.values(outcome.row.session))["kept"]
    assert {"id": id, "media_type": "image/png", "size": len(data), "name": "../../etc/passwd"} in kept
    found = await rows(world, outcome.row.session)
    assert sorted(a.artifact for a in found) == sorted([id, id_of(b"seen")])
    completed = await world.kinds(outcome.row.session, "ToolCallCompleted")
    assert [c["artifacts"] for c in completed[:3]] == [[id], [id], [id_of(b"seen")]]


CODE = """
    async def draw(context):
        note("draw")
        first = await context.save_artifact("a.txt", "ä" * 1000, "text/plain")
        again = await context.save_artifact("b.txt", ("ä" * 1000).encode(), "text/plain")
        assert first["id"] == again["id"]
        assert await context.read_artifact(first["id"], 1998, 9) == "ä".encode()
        return first

    def look(artifact, context):
        return len(context.read_artifact(artifact["id"])) + len(context.read_artifact(artifact["id"], 10_000))

    def strange(context):
        return context.read_artifact("art_00000000000000000000000000")
"""
GRAPH = """
    outputs: { size: int }
    channels: { drawn: Artifact, size: { type: int, default: 0 } }
    start: draw
    nodes:
      draw: { kind: code, python: "fns:draw", writes: { drawn: "${ out }" }, next: peek }
      peek: { kind: code, python: "fns:look", with: { artifact: "${ drawn }" }, writes: { size: "${ out }" }, next: below }
      below: { kind: graph, graph: below, with: { artifact: "${ drawn }" }, writes: { size: "${ out.size }" }, next: end }
    graphs:
      below:
        inputs: { artifact: Artifact }
        outputs: { size: int }
        channels: { size: { type: int, default: 0 } }
        start: look
        nodes:
          look: { kind: code, python: "fns:look", with: { artifact: "${ inputs.artifact }" }, writes: { size: "${ out }" }, next: end }
"""


@scenario
async def test_code_puts_an_artifact_and_a_child_reads_it(world: World) -> None:
    world.functions(CODE)
    world.replays_call = True
    outcome = await world.start(GRAPH)
    assert outcome.outputs == {"size": 2000}
    (artifact,) = await rows(world, outcome.row.session)
    assert artifact.session == outcome.row.session
    values: dict[str, Any] = await world.values(outcome.row.session)
    assert values["drawn"] == {"id": artifact.artifact, "media_type": "text/plain", "size": 2000, "name": "a.txt"}
    fork = (await ops.fork(world.host, outcome.row.session, 1)).row.session
    assert (await world.drive(fork)).outputs == {"size": 2000}
    assert await rows(world, fork) == [artifact]


@scenario
async def test_an_unknown_artifact_is_an_error_as_data(world: World) -> None:
    world.functions(CODE)
    world.replays_call = True
    outcome = await world.start(
        """
        outputs: { why: "str | None" }
        channels: { why: { type: "str | None", default: null } }
        start: a
        nodes:
          a: { kind: code, python: "fns:strange", on_error: [{ to: b, writes: { why: "${ error.cause }" } }], next: end }
          b: { kind: set, writes: { why: "${ why }" }, next: end }
        """
    )
    assert outcome.outputs == {"why": "unknown_artifact"}


@scenario
async def test_lost_content_is_told(world: World) -> None:
    """The row is there, the bytes aren't: verification finds it, and content that is put again is whole again."""
    world.functions(CODE)
    world.replays_call = True
    outcome = await world.start(GRAPH)
    row = await world.row(outcome.row.session)
    (artifact,) = await rows(world, row.session)
    assert await world.artifacts.remove(row.family, artifact.hash, 1 << 62)
    (problem,) = (await verify_store(world.host.store, world.artifacts)).problems
    assert str(artifact.artifact) in problem.what
    fork = (await ops.fork(world.host, row.session, 3)).row.session
    assert (await world.drive(fork)).row.status == "failed"
    await world.artifacts.put(row.family, ("\u00e4" * 1000).encode(), 1 << 30)
    assert (await world.resume(fork, retry="below")).row.status in ("done", "failed")
    assert await rows(world, row.session) == [artifact]


WAITS = """
    async def draw(n, context):
        note("draw", n)
        return await context.save_artifact(f"{n}.txt", f"picture {n}", "text/plain")

    async def wait(context):
        return (await context.ask("Go on?", options=["yes", "no"]))["choice"]
"""


@scenario
async def test_what_a_finished_task_put_outlives_its_process(world: World) -> None:
    """The superstep is held open by a question; a process that comes later commits what another one put."""
    world.functions(WAITS)
    world.replays_call = True
    outcome = await world.start(
        """
        outputs: { drawn: "list[Artifact]" }
        channels: { drawn: { type: "list[Artifact]", reducer: append } }
        start: [draw, each, wait]
        nodes:
          draw: { kind: code, python: "fns:draw", with: { n: 0 }, returns: Artifact, writes: { drawn: "${ [out] }" }, next: end }
          each:
            kind: map
            over: "[1, 2]"
            as: n
            do: { kind: code, python: "fns:draw", with: { n: "${ n }" }, returns: Artifact }
            writes: { drawn: "${ results }" }
            next: end
          wait: { kind: code, python: "fns:wait", next: end }
        result: { drawn: "${ drawn }" }
        """
    )
    session = outcome.row.session
    assert outcome.row.status == "waiting"
    assert await world.store.artifacts(session) == [], "the superstep is open"
    assert len(await world.artifacts.kept(session)) == 3
    await world.crash()
    (question,) = await world.open(session)
    await world.answer(question, "yes")
    outcome = await world.drive(session)
    assert outcome.outputs is not None
    drawn = sorted(a["id"] for a in outcome.outputs["drawn"])
    assert [a.artifact for a in await rows(world, session)] == drawn
    assert len(drawn) == 3
    assert all(world.calls("draw", n) == 1 for n in range(3)), "none of them ran again"


@scenario
async def test_a_spoke_reads_what_its_hub_has_put(world: World) -> None:
    """The hub's superstep is open until the spoke has ended, so there is no row yet; the spoke's commit brings it."""
    world.functions(TOOLS)
    id = id_of(BIG[:100_000].encode())
    world.models["m"] = saying([calls(call("numbers", count=10_000)), calls(call("reader", task=f"read {id}")), "done"])
    world.models["s"] = spoke = saying([calls(call("read_artifact", id=id, offset=99_980)), "I read it."])
    outcome = await world.start(
        HEAD.replace("{ m: scripted/m }", "{ m: scripted/m, s: scripted/s }")
        + """
          a: { kind: agent, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, tools: [numbers],
               delegates: { reader: { about: "Reads.", do: { kind: agent, model: s, prompt: "{{ task }}", with: { task: "${ inputs.task }" } } } },
               writes: { answer: "${ out.text }" }, next: end }
    """,
        ASK,
    )
    assert outcome.outputs == {"answer": "done"}, outcome.error
    assert told(spoke)[0]["content"] == f"[bytes 99980 to 100000; the end]\n{BIG[99_980:100_000]}"
    (artifact,) = await rows(world, outcome.row.session)
    (child,) = await world.children(outcome.row.session)
    assert artifact.session == child.session


class Slow:
    """A store whose commits take their time."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, *commits: Commit) -> None:
        for _ in range(3_000):
            await trio.lowlevel.checkpoint()
        await self.store.commit(*commits)


def test_a_read_waits_for_the_commit_that_brings_the_row(tmp_path: Path) -> None:
    """With commits behind the run, the superstep that put an artifact may not be stored when the next one reads it."""

    async def main() -> None:
        world = World(tmp_path, "memory", mode="pipelined")
        await world.begin()
        world.wire.store = Slow(world.store)
        world.functions(
            """
            @trio_node
            async def draw(context):
                return await context.save_artifact("a", "text", "text/plain")

            @trio_node
            async def look(artifact, context):
                return len(await context.read_artifact(artifact["id"]))
            """
        )
        graph = GRAPH[: GRAPH.index("next: peek")] + "next: peek }\n" + "".join(
            line.replace("next: below", "next: end") + "\n" for line in GRAPH.splitlines() if "peek: {" in line
        )  # fmt: skip
        assert (await world.start(graph)).outputs == {"size": 4}

    concurrency.run_sync(main)
