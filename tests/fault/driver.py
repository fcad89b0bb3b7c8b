"""A process that sails `project/voyage.graph.yaml` to its end, however often it was killed before.

`python -m tests.fault.driver` waits, with everything imported, for lines `{folder, task, fault, durability, ...}` on its input. For
each it forks a process that works in that folder, and answers with the signal that ended it and its report. One
that was killed was really killed; only importing anew is saved.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from graphagent import concurrency, faults
from graphagent.artifacts.local import LocalArtifacts
from graphagent.codec import decode
from graphagent.graph.plan import Plan
from graphagent.ids import InterruptId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.messages import ModelPart, ModelRequest
from graphagent.session import host as host_module
from graphagent.session import operations as ops
from graphagent.session.graph_file import read_graph_file
from graphagent.session.host import Host
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings, beside
from graphagent.session.verifying import verify_store
from graphagent.snapshot import EffectRow, InterruptRow, SessionQuery, SessionRow
from graphagent.stores.sqlite import SqliteStore
from tests.fault.project import crew

PROJECT = Path(__file__).parent / "project"
STORE = "sessions.db"
PORTS = [1, 2, 3]
HOUR_US = 3_600_000_000
LONGEST_S = 30
LAZY = (
    "asyncio", "trio", "jinja2.sandbox", "graphagent.concurrency.guest", "graphagent.concurrency.host",
    "graphagent.prompts.render",
    *(f"graphagent.nodes.{kind}" for kind in ("code", "graph", "human", "llm", "map", "router", "set")),
)  # fmt: skip
"""What a run imports when it gets there."""


class LateClock:
    """The machine's clock, and whoever waits for a person can let hours pass."""

    def __init__(self) -> None:
        self.late_us = 0

    def now_us(self) -> int:
        return SystemClock().now_us() + self.late_us


class Teller(ScriptedModel):
    """A scripted model that notes its calls as the functions do."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        crew.note("tell")
        async for part in super().stream(request):
            yield part


def plan() -> Plan:
    """The compiled voyage."""
    return read_graph_file(PROJECT / "voyage.graph.yaml").compiled()


class Captain:
    """Starts the session, or finds it as it was left, and answers all questions but the last."""

    def __init__(self, host: Host, clock: LateClock, durability: ops.Durability) -> None:
        self.host, self.clock, self.durability = host, clock, durability

    async def sail(self) -> dict[str, Any]:
        """Two runs and a fork of the first one, each to its end; stops at a write in doubt."""
        row = await self.session()
        first = row is None or await self.runs(row) == 1
        if row is None:
            options = ops.Options(name="main", seed=1, durability=self.durability)
            row = (await ops.start(self.host, plan(), {"ports": PORTS}, options)).row
        else:
            row = (await ops.resume(self.host, row.session)).row
        row = await self.to_the_end(row)
        if row is None:
            return {"doubt": True}
        if first:
            await self.fork(row)
            inputs = {"ports": [], "again": True}
            row = (await ops.run_again(self.host, row.session, inputs, ops.Options(message_id="again"))).row
        return await self.report(row)

    async def session(self) -> SessionRow | None:
        """The session of an earlier process."""
        found = await self.host.store.sessions(SessionQuery(graph="voyage"))
        return next((e.row for e in found if e.row.origin is None), None)

    async def runs(self, row: SessionRow) -> int:
        """How many runs were asked for."""
        return sum(i.kind == "run" for i in await self.host.store.inputs(row.session))

    async def to_the_end(self, row: SessionRow) -> SessionRow | None:
        """Answer and run on until the run is done; None if a write is in doubt."""
        for _ in range(20):
            if row.status == "done":
                return row
            assert row.status == "waiting", (row.status, row.reason)
            questions = await ops.open_interrupts(self.host, row.session)
            if any(q.kind == "in_doubt" for q in questions):
                return None
            await self.answer(questions)
            row = (await ops.drive(self.host, row.session)).row
        raise AssertionError("the voyage doesn't end")

    async def answer(self, questions: list[InterruptRow]) -> None:
        """Answer all, or let the time of the one pass that nobody answers."""
        for question in questions:
            if question.node == "wait":
                self.clock.late_us = 2 * HOUR_US
            else:
                options = decode(question.question)["options"]
                await ops.answer(self.host, question, options[0] if options else True, by="captain")

    async def fork(self, row: SessionRow) -> None:
        """A fork before the last node with another value, which runs to its end."""
        forks = await self.host.store.forks(row.session)
        if forks:
            fork = forks[0].session
        else:
            edits = {"said": "edited"}
            at = row.head_superstep - 1
            fork = (await ops.fork(self.host, row.session, at, edits=edits, same_seed=True)).row.session
        assert (await ops.resume(self.host, fork)).row.status == "done"

    async def report(self, row: SessionRow) -> dict[str, Any]:
        """Every session's digest; what each wrote itself was replayed and is identical."""
        rows = [row, *await self.host.store.children(row.session), *await self.host.store.forks(row.session)]
        names = ["main", *("child" if r.caller else "fork" for r in rows[1:])]
        for one in rows:
            own = one.lineage[-1].superstep if one.lineage else 0
            replayed = await ops.replay(self.host, one.session, start_at=own)
            assert replayed.identical, replayed.first_difference
        outputs = (await ops.drive(self.host, row.session)).outputs
        digests = {name: one.head_digest.hex() for name, one in zip(names, rows, strict=True)}
        assert len(digests) == len(rows) == 3, names
        verified = await verify_store(self.host.store, self.host.artifacts)
        assert verified.problems == [], "a row without its content"
        artifacts = sorted(a.artifact for a in await self.host.store.artifacts(row.family))
        heads = [r.head_superstep for r in rows]
        return {"digests": digests, "heads": heads, "outputs": outputs, "artifacts": artifacts}


def call_of(row: EffectRow) -> str | None:
    """The line that a call of this row notes."""
    if row.kind == "model":
        return "tell"
    if row.kind != "code" or row.ordinal < 0:
        return None
    name = row.name.removeprefix("crew:")
    return f"port {PORTS[int(row.path[5:-1])]}" if name == "call_at" else name


async def journal(host: Host) -> dict[str, Any]:
    """The calls that the journal knows: those with an outcome, and writes without."""
    done, open_writes = [], []
    rows = [e.row for e in await host.store.sessions(SessionQuery(children=True))]
    for session in (r for r in rows if r.origin is None):
        for row in await host.store.effects(session.spans()):
            call = call_of(row)
            if call is not None and row.outcome is not None:
                done.append(call)
            elif call is not None and row.effect_class == "write":
                open_writes.append(call)
    return {"done": sorted(done), "open_writes": sorted(open_writes)}


async def settle(host: Host) -> dict[str, Any]:
    """Answer every question about a write as a person does who looks whether it happened."""
    noted = Path(crew.CALLS).read_text().split() if Path(crew.CALLS).exists() else []
    decided = {}
    for row in await host.store.interrupts():
        if row.kind == "in_doubt":
            name = str(decode(row.question)["payload"]["name"]).removeprefix("crew:")
            value = {"pay": "paid 7", "keep": "kept pearl at 3"}[name]
            answer = {"decision": "done", "value": value} if name in noted else {"decision": "retry"}
            await ops.answer(host, row, answer, by="captain")
            decided[name] = answer["decision"]
    return {"decided": decided}


async def march(host: Host, durability: ops.Durability) -> dict[str, Any]:
    """March on from wherever it was left, to the end or to a write in doubt."""
    host_module.MOST_ATTEMPTS = 1_000  # here processes die more often than anywhere else
    found = await host.store.sessions(SessionQuery(graph="march"))
    if not found:
        graph = read_graph_file(PROJECT / "march.graph.yaml").compiled()
        options = ops.Options(name="march", seed=1, durability=durability)
        outcome = await ops.start(host, graph, {"rounds": 17}, options)
    else:
        outcome = await ops.resume(host, found[0].row.session)
    row = outcome.row
    questions = await ops.open_interrupts(host, row.session)
    if row.status == "waiting" and questions:
        return {"doubt": {q.interrupt: decode(q.question)["payload"]["request"] for q in questions}}
    assert row.status == "done", (row.status, row.reason, outcome.error)
    outputs = (await ops.drive(host, row.session)).outputs
    rows = [row, *await host.store.children(row.session)]
    for one in rows:
        assert (await ops.replay(host, one.session)).identical
    supersteps = [one.head_superstep for one in rows]
    return {"digests": [one.head_digest.hex() for one in rows], "outputs": outputs, "supersteps": supersteps}


async def decide(host: Host, answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Settle writes in doubt: interrupt -> answer."""
    for interrupt, answer in answers.items():
        row = await host.store.interrupt(InterruptId(interrupt))
        await ops.answer(host, row, answer, by="captain")
    return {}


TASKS = {"journal": journal, "settle": settle}


async def work(task: str, durability: ops.Durability = "strict", answers: Any = None) -> dict[str, Any]:
    """One task on the store of the working folder."""
    clock = LateClock()
    settings = Settings(PROJECT, str(Path.cwd() / STORE))
    teller = Teller([Turn(text="We sailed, and came back.", match="happened", repeat=True)], "teller")
    store = await SqliteStore.open(Path(STORE), clock=clock)
    artifacts = LocalArtifacts(beside(Path.cwd() / STORE))
    host = Host(settings, store, clock, Models(settings, {"teller": teller}), artifacts)
    try:
        if task == "sail":
            return await Captain(host, clock, durability).sail()
        if task == "march":
            return await march(host, durability)
        return await decide(host, answers) if task == "decide" else await TASKS[task](host)
    finally:
        await host.aclose()


def run(task: str, durability: ops.Durability = "strict", answers: Any = None) -> None:
    """Work, and leave a report in the working folder."""
    report = concurrency.run_sync(work, task, durability, answers)
    report["hits"] = faults.hits()
    Path("report.json").write_text(json.dumps(report))


def child(asked: dict[str, Any]) -> None:
    """The forked process. `after_s` ends it then, wherever it is: nothing handles that signal."""
    code = 1
    try:
        os.chdir(asked["folder"])
        os.environ |= asked.get("env", {})
        signal.setitimer(signal.ITIMER_REAL, asked.get("after_s", LONGEST_S))
        faults.arm(asked["fault"])
        run(asked["task"], asked["durability"], asked.get("answers"))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork a process for each line."""
    for name in LAZY:
        importlib.import_module(name)
    plan()
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(asked)
        status = os.waitpid(pid, 0)[1]
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    serve() if len(sys.argv) == 1 else run(sys.argv[1])
