"""Failure: scenarios 18 to 27."""

from __future__ import annotations

from graphagent.errors import StoreUnavailable
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls

FIVE = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [a, b, c, d, e]
    nodes:
      a: { kind: code, python: "fns:work", with: { x: a }, writes: { log: "${ [out] }" }, next: end }
      b: { kind: code, python: "fns:work_async", with: { x: b }, writes: { log: "${ [out] }" }, next: end }
      c: { kind: code, python: "fns:fail_once", with: { x: c }, writes: { log: "${ [out] }" }, next: end }
      d: { kind: code, python: "fns:work_trio", with: { x: d }, writes: { log: "${ [out] }" }, next: end }
      e: { kind: map, over: "['e', 'f']", do: { kind: code, python: "fns:work", with: { x: "${ item }" } }, writes: { log: "${ results }" }, next: end }
"""
FIVE_FUNCTIONS = """
    def work(x):
        note(x)
        return x

    async def work_async(x):
        note(x)
        return x

    @trio_node
    async def work_trio(x):
        await trio.sleep(0.01)
        note(x)
        return x

    def fail_once(x):
        if note(x) == 1:
            raise ValueError("the first time")
        return x
"""


@scenario
async def test_18_one_of_five_fails(world: World) -> None:
    """One of five siblings fails, the process dies, resume: four aren't called again, the fifth is."""
    world.functions(FIVE_FUNCTIONS)
    outcome = await world.start(FIVE)
    session = outcome.row.session
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["node"]) == ("code_failed", "c")
    await world.crash()
    outcome = await world.resume(session)
    assert outcome.outputs == {"log": ["a", "b", "c", "d", "e", "f"]}
    assert [world.calls(x) for x in "abcdef"] == [1, 1, 2, 1, 1, 1]


@scenario
async def test_functions_that_exit_fail_their_node(world: World) -> None:
    """However they are called, `sys.exit` ends neither the process nor its loop."""
    world.functions("""
    import sys

    def plain():
        sys.exit(2)

    async def on_asyncio():
        sys.exit("no such option")

    @trio_node
    async def on_trio():
        sys.exit(2)
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [a, b, c, d]
        defaults: { on_error: [{ to: end, writes: { log: "${ [error.message] }" } }] }
        nodes:
          a: { kind: code, python: "fns:plain", next: end }
          b: { kind: code, python: "fns:plain", effects: pure, next: end }
          c: { kind: code, python: "fns:on_asyncio", next: end }
          d: { kind: code, python: "fns:on_trio", next: end }
    """)
    assert outcome.outputs == {"log": ["SystemExit: 2", "SystemExit: 2", "SystemExit: no such option", "SystemExit: 2"]}


@scenario
async def test_a_function_that_is_gone_fails_its_node(world: World) -> None:
    """It was there when the graph was checked. The failure is the node's, and is handled as any other."""
    world.functions("def first(): return 1")
    graph = """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: ask
        nodes:
          ask: { kind: human, mode: approve, prompt: Go on?, next: [a, b] }
          a: { kind: code, python: "fns:first", next: end, on_error: [{ to: end, writes: { log: "${ [error.kind] }" } }] }
          b: { kind: set, writes: { log: ["b"] }, next: end }
    """
    session = (await world.start(graph)).row.session
    world.functions("def second(): return 2")
    await world.crash()
    (row,) = await world.open(session)
    await world.answer(row, True)
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": ["b", "code_failed"]}, "a route writes after the nodes"


@scenario
async def test_19_siblings_of_a_failure_run_to_their_end(world: World) -> None:
    """Siblings of a failing node run to their end and their outcomes are journaled."""
    world.functions(FIVE_FUNCTIONS)
    outcome = await world.start(FIVE)
    session = outcome.row.session
    # `d` was still running when `c` had failed.
    assert [world.calls(x) for x in "abcdef"] == [1, 1, 1, 1, 1, 1]
    rows = await world.store.effects(outcome.row.spans(outcome.row.head_superstep))
    assert {(row.path, row.state.name) for row in rows if row.ordinal == -1} == {
        ("a", "DONE"), ("b", "DONE"), ("c", "FAILED"), ("d", "DONE"), ("e", "DONE"), ("e[0]", "DONE"), ("e[1]", "DONE"),
    }  # fmt: skip
    # Driving it on without a resume calls nobody.
    await world.crash()
    again = await world.drive(session)
    assert again.row.status == "failed"
    assert [world.calls(x) for x in "abcdef"] == [1, 1, 1, 1, 1, 1]


@scenario_of_calls
async def test_20_errors_reach_the_handler_as_data(world: World) -> None:
    """The error arrives as data in the `on_error` node, also after a crash between failure and handler; of two
    failures in one superstep the handler runs once, with the first in plan order."""
    world.functions("""
        @trio_node
        async def boom(name, ms):
            note(name)
            await trio.sleep(ms / 1000)
            raise NodeError(f"{name} broke", kind="tool_failed", cause="test", hint="mend it")

        def handle(error):
            note("handle")
            return error
    """)
    graph = """
        outputs: { error: any, handled: int, log: "list[str]" }
        channels: { error_was: any, handled: { type: int, reducer: sum }, log: { type: "list[str]", reducer: append } }
        defaults: { on_error: handler }
        start: [slow, quick, fine]
        nodes:
          slow: { kind: code, python: "fns:boom", with: { name: slow, ms: 10 }, writes: { log: [never] }, next: end }
          quick: { kind: code, python: "fns:boom", with: { name: quick, ms: 0 }, next: end }
          fine: { kind: set, writes: { log: [fine] }, next: end }
          handler: { kind: code, python: "fns:handle", with: { error: "${ error }" }, writes: { error_was: "${ out }", handled: 1 }, next: end }
        result: { error: "${ error_was }", handled: "${ handled }", log: "${ log }" }
    """
    outcome = await world.start(graph)
    assert outcome.row.status == "done"
    assert outcome.outputs is not None
    assert outcome.outputs["handled"] == 1
    assert outcome.outputs["log"] == ["fine"]
    assert outcome.outputs["error"] == {
        "kind": "tool_failed", "cause": "test", "message": "slow broke", "node": "slow", "attempt": 0,
        "retryable": False, "hint": "mend it",
    }  # fmt: skip
    assert [world.calls(x) for x in ("slow", "quick", "handle")] == [1, 1, 1]


HANDLER = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: boom
    nodes:
      boom: { kind: code, python: "fns:boom", with: { what: first }, next: end, on_error: handler }
      handler: { kind: code, python: "fns:boom", with: { what: second }, writes: { log: [handled] }, next: end ON_ERROR }
"""


@scenario
async def test_21_the_handler_fails(world: World) -> None:
    """The handler itself fails: the run fails with both errors, once. It routes to `fail`: its superstep is
    committed, the run fails with the token's error, resume only reports."""
    world.functions("""
        def boom(what):
            note(what)
            raise NodeError(what, kind="tool_failed")
    """)
    outcome = await world.start(HANDLER.replace(" ON_ERROR", ""))
    assert outcome.row.status == "failed"
    assert outcome.error is not None
    assert (outcome.error["node"], outcome.error["message"]) == ("handler", "second")
    assert [cause["message"] for cause in outcome.error["causes"]] == ["first"]
    assert len(await world.kinds(outcome.row.session, "RunError")) == 1

    routed = """, on_error: [{ to: fail, writes: { log: ["${ 'route: ' + error.message }"] } }]"""
    outcome = await world.start(HANDLER.replace(" ON_ERROR", routed))
    session, head = outcome.row.session, outcome.row.head_superstep
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    assert await world.values(session) == {"log": ["route: second"]}
    assert outcome.error is not None
    assert outcome.error["message"] == "second"
    called = len(world.noted())
    again = await world.resume(session)
    assert (again.row.status, again.row.head_superstep, len(world.noted())) == ("failed", head, called)
    assert again.error is not None
    assert again.error["message"] == "second"

    plain = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, default: 0 } }
        start: a
        nodes:
          a: { kind: set, writes: { n: 1 }, next: [{ when: n == 0, to: end }, { to: fail, label: n must be 0 }] }
    """)
    assert plain.row.status == "failed"
    assert plain.error is not None
    assert (plain.error["kind"], plain.error["message"]) == ("raised", "n must be 0")
    assert await world.values(plain.row.session) == {"n": 1}


@scenario
async def test_22_rolled_back(world: World) -> None:
    """Attempts 1 and 2 fail after writing provisional items: clients see `rolled_back`, channels see attempt 3
    only."""
    world.replays_call = True
    world.functions("""
        async def talk(context):
            context.say(f"attempt {context.attempt}")
            context.emit("told", {"attempt": context.attempt})
            note("talk")
            if context.attempt < 2:
                raise ValueError("again")
            return context.attempt
    """)
    outcome = await world.start("""
        outputs: { log: "list[int]" }
        channels: { log: { type: "list[int]", reducer: append } }
        start: talk
        nodes:
          talk: { kind: code, python: "fns:talk", retry: { max: 3, on: [code_failed], delay: 1ms }, writes: { log: "${ [out] }" }, next: end }
    """)
    assert outcome.outputs == {"log": [2]}
    back = [e for e in world.seen if e.kind == "x.superstep.rolled_back"]
    assert [e.data["attempt"] for e in back if e.task is not None] == [0, 1]
    for event in back:  # what somebody was told stays, and what comes next follows it
        if event.task is None:
            at, last = world.seen.index(event), event.data["seq_to"]
            assert all(e.seq <= last for e in world.seen[:at] if e.seq is not None)
            assert all(e.seq > last for e in world.seen[at:] if e.seq is not None)
    assert [e.data["delta"] for e in world.seen if e.kind == "RunContent"] == ["attempt 0", "attempt 1", "attempt 2"]
    assert await world.kinds(outcome.row.session, "x.user.told") == [{"attempt": 2}]


@scenario
async def test_23_timeout_and_late_result(world: World) -> None:
    """A node times out; its late result changes nothing; its retry succeeds."""
    world.functions("""
        def thread(x):
            n = note("thread")
            if n == 1:
                time.sleep(0.4)
                note("late")
            return f"thread {n}"

        async def task(x):
            n = note("task")
            if n == 1:
                await asyncio.sleep(10)
            return f"task {n}"

        @trio_node
        async def inline(x):
            n = note("inline")
            if n == 1:
                await trio.sleep(10)
            return f"inline {n}"

        def wait():
            time.sleep(0.4)
    """)
    node = "kind: code, timeout: 200ms, retry: { max: 2, delay: 1ms, jitter: false }, with: { x: 1 }, next: later"
    outcome = await world.start(f"""
        outputs: {{ log: "list[str]" }}
        channels: {{ log: {{ type: "list[str]", reducer: append }} }}
        start: [a, b, c]
        nodes:
          a: {{ {node}, python: "fns:thread", writes: {{ log: "${{ [out] }}" }} }}
          b: {{ {node}, python: "fns:task", writes: {{ log: "${{ [out] }}" }} }}
          c: {{ {node}, python: "fns:inline", writes: {{ log: "${{ [out] }}" }} }}
          later: {{ kind: code, python: "fns:wait", join: any, next: end }}
    """)
    assert outcome.outputs == {"log": ["thread 2", "task 2", "inline 2"]}
    assert world.calls("late") == 1
    assert [world.calls(x) for x in ("thread", "task", "inline")] == [2, 2, 2]


@scenario
async def test_23b_timeout_as_data(world: World) -> None:
    """A node hangs: `timeout` as data at its deadline; a write that hangs is in doubt and not called again."""
    world.functions("""
        @trio_node
        async def hang(name):
            note(name)
            await trio.sleep(10)
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        defaults: { on_error: [{ to: end, writes: { log: "${ [error.node + ' ' + error.kind] }" } }], timeout: 100ms }
        start: [a, b]
        nodes:
          a: { kind: code, python: "fns:hang", with: { name: a }, next: end }
          b: { kind: code, python: "fns:hang", with: { name: b }, effects: write, retry: { max: 3, delay: 1ms }, next: end }
    """)
    assert outcome.outputs == {"log": ["a timeout", "b in_doubt"]}
    assert (world.calls("a"), world.calls("b")) == (1, 1)


@scenario
async def test_23c_what_comes_late_is_dropped(world: World) -> None:
    """In spite of its cancellation a node returns, or blocks the loop beyond its time, or makes a call: none counts."""
    world.functions("""
        import threading
        OVER = threading.Event()

        async def swallows():
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return "late"

        async def blocks():
            time.sleep(0.15)
            return "late"

        @trio_node
        async def blocks_inline():
            time.sleep(0.15)
            return "late"

        def calls(context):
            time.sleep(0.6)
            try:
                context.effect("call", note, "late call")
            finally:
                OVER.set()

        def wait():
            OVER.wait(10)
    """)
    world.replays_call = True
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        defaults: { on_error: [{ to: later, writes: { log: "${ [error.node + ' ' + error.kind] }" } }], timeout: 100ms }
        start: [a, b, c, d]
        nodes:
          a: { kind: code, python: "fns:swallows", writes: { log: "${ [out] }" }, next: later }
          b: { kind: code, python: "fns:blocks", writes: { log: "${ [out] }" }, next: later }
          c: { kind: code, python: "fns:blocks_inline", writes: { log: "${ [out] }" }, next: later }
          d: { kind: code, python: "fns:calls", writes: { log: "${ [out] }" }, next: later }
          later: { kind: code, python: "fns:wait", join: any, timeout: 20s, on_error: end, next: end }
    """)
    assert outcome.outputs == {"log": ["a timeout", "b timeout", "c timeout", "d timeout"]}
    assert world.calls("late call") == 0


@scenario
async def test_24_retry_carries_writes_over(world: World) -> None:
    """A policy retry repeats reads, but carries over the write that had already happened."""
    world.replays_call = True
    world.functions("""
        DONE = []

        def read():
            DONE.append("read")
            return len(DONE)

        def write(what):
            DONE.append("write " + what)
            return what

        async def work(context):
            await context.effect("read", read)
            await context.effect("pay", write, "a", effects="write")
            await context.effect("pay", write, "a", effects="write")
            await context.effect("pay", write, "b", effects="write")
            if context.attempt == 0:
                raise ValueError("after paying")
            await context.effect("read", read)
            return DONE
    """)
    outcome = await world.start("""
        outputs: { done: "list[str]" }
        channels: { done: { type: "list[str]", default: [] } }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", retry: { max: 2, on: [code_failed], delay: 1ms }, writes: { done: "${ out }" }, next: end }
    """)
    assert outcome.outputs == {"done": ["read", "write a", "write a", "write b", "read", "read"]}


@scenario
async def test_25_cancellation(world: World) -> None:
    """A user's own cancellation error in a node is a node failure, not a cancelled session; a cancelled session is
    not a failure."""
    world.functions("""
        async def cancel_myself():
            raise asyncio.CancelledError()

        async def cancel_task():
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
    """)
    graph = """
        outputs: { kind: str }
        channels: { kind: { type: str, default: "" } }
        start: a
        nodes:
          a: { kind: code, python: "fns:NAME", next: end, on_error: b }
          b: { kind: set, writes: { kind: "${ error.kind }" }, next: end }
    """
    for name in ("cancel_myself", "cancel_task"):
        outcome = await world.start(graph.replace("NAME", name))
        assert outcome.row.status == "done", name
        assert outcome.outputs in ({"kind": "code_failed"}, {"kind": "cancelled"}), name
    waiting = await world.start(
        """
        outputs: {}
        start: ask
        nodes:
          ask: { kind: human, mode: approve, prompt: "Go?", next: end, on_error: handler }
          handler: { kind: code, python: "fns:never", next: end }
    """.replace('kind: code, python: "fns:never"', "kind: router")
    )
    cancelled = await world.cancel(waiting.row.session)
    assert (cancelled.row.status, cancelled.error) == ("cancelled", None)
    assert await world.kinds(waiting.row.session, "RunError") == []
    assert len(await world.kinds(waiting.row.session, "RunCancelled")) == 1


@scenario
async def test_26_a_commit_fails_three_times(world: World) -> None:
    """A commit fails three times, then succeeds: one checkpoint, and nothing was built on the failed ones."""
    world.functions("def work(): return note('work')")
    session = await world.create("""
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: a
        nodes:
          a: { kind: code, python: "fns:work", writes: { n: "${ out }" }, next: b }
          b: { kind: set, writes: { n: 10 }, next: end }
    """)
    world.wire.faults = [StoreUnavailable("the disk is away") for _ in range(3)]
    outcome = await world.drive(session)
    assert outcome.outputs == {"n": 11}
    assert world.calls("work") == 1
    rows = await world.store.checkpoints(outcome.row.spans(), limit=100)
    assert [row.superstep for row in rows] == [-1, 0, 1, 2]


@scenario
async def test_27_a_value_that_cannot_be_encoded(world: World) -> None:
    """A node returns a value that can't be encoded: typed error with path, siblings kept, session resumable."""
    world.functions("""
        def bad():
            if note("bad") == 1:
                return {"x": [1, {2, 3}]}
            return 5

        def fine():
            note("fine")
            return 1
    """)
    outcome = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: [bad, fine]
        nodes:
          bad: { kind: code, python: "fns:bad", writes: { n: "${ out }" }, next: end }
          fine: { kind: code, python: "fns:fine", writes: { n: "${ out }" }, next: end }
    """)
    assert outcome.row.status == "failed"
    assert outcome.error is not None
    assert outcome.error["kind"] == "invalid_output"
    assert "$.x[1]" in outcome.error["message"]
    outcome = await world.resume(outcome.row.session)
    assert outcome.outputs == {"n": 6}
    assert (world.calls("bad"), world.calls("fine")) == (2, 1)
