"""Processes that die, and the ones that go on: nothing is lost, nothing is done twice. All through the command line."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.shop import Shop

KILLED = -signal.SIGKILL

ORDER = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: look
    nodes:
      look: { kind: code, python: "shop_floor:look", writes: { log: "${ [out] }" }, next: [fast, slow] }
      fast: { kind: code, python: "shop_floor:beside", writes: { log: "${ [out] }" }, next: meet }
      slow: { kind: code, python: "shop_floor:slow", writes: { log: "${ [out] }" }, next: meet }
      meet: { kind: set, join: all, writes: { log: [met] }, next: last }
      last: { kind: code, python: "shop_floor:last", writes: { log: "${ [out] }" }, next: end }
"""
PAY = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: look
    nodes:
      look: { kind: code, python: "shop_floor:look", writes: { log: "${ [out] }" }, next: pay }
      pay: { kind: code, python: "shop_floor:pay", effects: write, writes: { log: "${ [out] }" }, next: end }
"""
FLOOR = """
    def look():
        return note("look")

    def fast():
        return note("fast")

    def beside():
        while "slow" not in (HERE / "calls.log").read_text():  # so that both run when the first outcome is journaled
            time.sleep(0.01)
        return note("fast")

    def slow():
        note("slow")
        time.sleep(0.1)
        return "slow"

    def last():
        return note("last")

    def pay():
        return note("pay")
"""


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digest of the undisturbed run."""
    shop = Shop(tmp_path_factory.mktemp("golden"), ORDER, FLOOR)
    code, run = shop.run()
    assert (code, run["outputs"]) == (0, {"log": ["look", "fast", "slow", "met", "last"]})
    return shop.digest()


# Superstep 0 takes the inputs, 1 runs `look`, 2 the two parallel nodes: `commit` number 3 is theirs.
@pytest.mark.parametrize(
    ("fault", "again"),
    [
        pytest.param("commit.before:2:kill", "look", id="before-commit"),
        pytest.param("commit.after:2:kill", None, id="after-commit"),
        pytest.param("effect.during:1:kill", None, id="during-an-effect-before-the-call"),
        pytest.param("effect.after:1:kill", "look", id="during-an-effect-after-the-call"),
        pytest.param("append.after:1:kill", "slow", id="between-parallel-nodes"),
    ],
)
def test_a_killed_run_goes_on(tmp_path: Path, golden: bytes, fault: str, again: str | None) -> None:
    goes_on(Shop(tmp_path, ORDER, FLOOR), golden, fault, again)


def goes_on(shop: Shop, golden: bytes, fault: str, again: str | None) -> None:
    """Kill a run and resume it. `again` is the one read that had run and wasn't journaled, unless the machine is slow.

    What has no durable outcome runs a second time, and nothing else does.
    """
    assert shop.run(fault=fault)[0] == KILLED
    lost = set(shop.calls()) - {row.name for row in shop.outcomes() if row.kind == "task"}
    assert lost <= ({again} if again else set())
    code, run = shop.do("resume", "@last")
    assert (code, run["status"]) == (0, "done"), run["told"]
    assert shop.digest() == golden
    assert shop.calls() == dict.fromkeys(["look", "fast", "slow", "last"], 1) | dict.fromkeys(lost, 2)


def test_a_write_in_flight_is_never_repeated(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PAY, FLOOR)
    code, _ = shop.run(fault="effect.after:2:kill")  # the money is on its way, and nobody wrote that down
    assert code == KILLED
    for _ in range(2):
        code, run = shop.do("resume", "@last")
        assert (code, run["status"], run["reason"]) == (4, "waiting", "interrupt")
        assert [i["kind"] for i in run["interrupts"]] == ["in_doubt"]
        assert shop.calls() == {"look": 1, "pay": 1}


def test_the_way_on_from_a_write_in_doubt_makes_no_call(tmp_path: Path) -> None:
    """A fork with a graph in which the node only sets what the write would have written."""
    shop = Shop(tmp_path, PAY, FLOOR)
    shop.run(fault="effect.after:2:kill")
    shop.do("resume", "@last")
    other = shop.folder / "settled.graph.yaml"
    call = 'kind: code, python: "shop_floor:pay", effects: write, writes: { log: "${ [out] }" }'
    other.write_text(shop.graph.read_text().replace(call, "kind: set, writes: { log: [paid] }"))
    code, refused = shop.do("fork", "@last", "--at", "last", "--graph", other.name)
    assert (code, refused["error"]["kind"], "--fresh" in refused["error"]["hint"]) == (7, "fork_open_write", True)
    code, fork = shop.do("fork", "@last", "--at", "last", "--graph", other.name, "--fresh")
    assert code == 0, fork["told"]
    code, run = shop.do("resume", "@last")
    assert (code, run.get("outputs")) == (0, {"log": ["look", "paid"]}), run["told"]
    assert shop.calls() == {"look": 1, "pay": 1}


@pytest.mark.parametrize(
    ("answer", "code", "outputs", "paid", "fault"),
    [
        (("--choose", "done", '"by hand"'), 0, {"log": ["look", "by hand"]}, 1, None),
        (("--choose", "done", '"by hand"'), 0, {"log": ["look", "by hand"]}, 1, "answer.after:1:kill"),
        (("--choose", "retry"), 0, {"log": ["look", "pay"]}, 2, None),
        (("--choose", "retry"), 0, {"log": ["look", "pay"]}, 2, "append.after:1:kill"),
        (("--choose", "retry"), 0, {"log": ["look", "pay"]}, 2, "commit.before:1:kill"),
        (("--choose", "fail"), 1, None, 1, None),
        (("--choose", "fail"), 1, None, 1, "commit.before:1:kill"),
    ],
)
def test_a_write_in_doubt_is_settled_by_an_answer(
    tmp_path: Path, answer: tuple[str, ...], code: int, outputs: object, paid: int, fault: str | None
) -> None:
    """Also where the process that answers dies behind the answer, the intent of the second call, or the outcome."""
    shop = Shop(tmp_path, PAY, FLOOR)
    shop.run(fault="effect.after:2:kill")
    ended, run = shop.do("resume", "@last")
    assert (ended, shop.calls()["pay"]) == (4, 1)
    itr = run["interrupts"][0]["id"]
    assert run["next"] == [f"graphagent answer {itr} --choose retry", f"graphagent answer {itr} --choose fail"]
    assert shop.do("answer", itr)[0] == 2
    assert shop.do("answer", itr, "--choose", "retry", "5")[0] == 2
    ended, run = shop.do("answer", itr, *answer, fault=fault)
    if ended == KILLED:
        ended, run = shop.do("resume", "@last")
        if run["interrupts"]:  # it died between the intent of the second call and its end
            assert (fault, paid, shop.calls()["pay"]) == ("append.after:1:kill", 2, 1)
            assert run["interrupts"][0]["id"] != itr
            ended, run = shop.do("answer", "@last", "--choose", "retry")
    assert (ended, run["outputs"], shop.calls()["pay"]) == (code, outputs, paid), run["told"]
    if run["status"] == "failed":
        assert run["error"]["kind"] == "in_doubt"
        for command in reversed(run["next"]):
            assert shop.do(*command.split()[1:])[0] in (0, 4), command
        assert shop.calls()["pay"] == 1
    else:
        assert shop.do("replay", "@last")[0] == 0


def test_hints_beside_a_write_in_doubt_can_be_followed(tmp_path: Path) -> None:
    """One task fails and another one's write is in doubt: a fork would be refused, so none is offered."""
    graph = PAY.replace("next: pay }", "next: [pay, bad] }") + (
        '      bad: { kind: code, python: "shop_floor:bad", next: end }\n'
    )
    shop = Shop(tmp_path, graph, FLOOR + "\n    def bad():\n        raise ValueError(1)\n")
    shop.run(fault="effect.after:2:kill")
    code, run = shop.do("resume", "@last")
    assert (code, run["status"], [i["kind"] for i in run["interrupts"]]) == (1, "failed", ["in_doubt"])
    assert not any(command.startswith("graphagent fork") for command in run["next"])
    assert shop.do("fork", "@last", "--at", "last")[0] == 7
    assert shop.do("answer", "@last", "--choose", "done", '"pay"')[0] == 1
    assert shop.calls()["pay"] <= 1


def test_a_write_whose_outcome_is_journaled_goes_on(tmp_path: Path) -> None:
    for count in (2, 3):  # the last append is the outcome, the one before it the intent; a slow machine has one more
        (tmp_path / str(count)).mkdir()
        shop = Shop(tmp_path / str(count), PAY, FLOOR)
        code, _ = shop.run(fault=f"append.after:{count}:kill")
        assert code == KILLED
        code, run = shop.do("resume", "@last")
        if not run["interrupts"]:
            break
    assert (code, run["outputs"]) == (0, {"log": ["look", "pay"]})
    assert shop.calls() == {"look": 1, "pay": 1}


STEER = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [steer, fast]
    nodes:
      steer: { kind: code, python: "shop_floor:steer", writes: { log: "${ [out] }" }, next: end }
      fast: { kind: code, python: "shop_floor:fast", writes: { log: "${ [out] }" }, next: last }
      last: { kind: code, python: "shop_floor:last", writes: { log: "${ [out] }" }, next: end }
"""
COURSE = """
    async def steer(context):
        wind = await context.effect("wind", note, "wind", effects="write")
        said = await context.ask("Which course?", options=["north", "south"])
        depth = await context.effect("depth", note, "depth")
        return f"{wind} {said['choice']} {depth} {context.uuid()}"
"""


@pytest.mark.parametrize("fault", ["fork.before:1:kill", "fork.sent:1:kill", "fork.after:1:kill"])
def test_a_killed_fork_of_an_open_superstep_is_there_or_not(tmp_path: Path, fault: str) -> None:
    shop = Shop(tmp_path, STEER, FLOOR + COURSE)
    assert shop.run()[0] == 4
    assert shop.do("fork", "@last", "--at", "last", fault=fault)[0] == KILLED
    assert len(shop.rows()) == (2 if fault.startswith("fork.after") else 1)
    code, _ = shop.do("resume", "@last")
    assert (code, shop.calls()) == (4, {"wind": 1, "fast": 1})
    assert shop.do("answer", "@last", "--choose", "north")[0] == 0


@pytest.mark.parametrize(
    "fault",
    ["takeover.after:1:kill", "park.before:1:kill", "park.after:1:kill", "append.after:1:kill", "commit.before:1:kill"],
)
def test_a_killed_run_of_such_a_fork_goes_on(tmp_path: Path, fault: str) -> None:
    """With the origin's seed and answer it ends as the origin does, and calls nothing that is in the journal."""
    shop = Shop(tmp_path, STEER, FLOOR + COURSE)
    assert shop.run()[0] == 4
    origin = shop.rows()[0].session
    code, fork = shop.do("fork", "@last", "--at", "last", "--same-seed", "--name", "fork")
    assert code == 0
    assert [e["name"] for e in fork["preview"]["side_effects"]] == ["steer"], "only the question is made again"
    shop.do("resume", fork["session"], fault=fault)
    code, _ = shop.do("resume", fork["session"])
    assert (code, shop.calls()) == (4, {"wind": 1, "fast": 1})
    shop.do("answer", fork["session"], "--choose", "south", fault=fault)
    code, run = shop.do("resume", fork["session"])
    if run["status"] == "waiting":
        code, run = shop.do("answer", fork["session"], "--choose", "south")
    assert (code, run["status"]) == (0, "done")
    assert {**shop.calls(), "depth": 1, "last": 1} == {"wind": 1, "fast": 1, "depth": 1, "last": 1}
    assert shop.do("answer", origin, "--choose", "south")[0] == 0
    assert len({row.head_digest for row in shop.rows()}) == 1
    assert [shop.do("replay", row.session)[0] for row in shop.rows()] == [0, 0]


# ---- people --------------------------------------------------------------------------------------------------------

ASK = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: look
    nodes:
      look: { kind: code, python: "shop_floor:look", writes: { log: "${ [out] }" }, next: ask }
      ask:
        kind: human
        mode: approve
        prompt: "Shall we?"
        timeout: TIMEOUT
        writes: { log: "${ [out.decision] }" }
        on_error: [{ when: "error.kind == 'timeout'", to: late }]
        next: last
      last: { kind: code, python: "shop_floor:last", writes: { log: "${ [out] }" }, next: end }
      late: { kind: code, python: "shop_floor:late", writes: { log: "${ [out] }" }, next: end }
"""
LATE = """
    def late():
        return note("late")
"""


def asking(folder: Path, timeout: str) -> Shop:
    shop = Shop(folder, ASK.replace("TIMEOUT", timeout), FLOOR + LATE)
    code, run = shop.run()
    assert (code, run["status"], len(run["interrupts"])) == (4, "waiting", 1)
    return shop


def test_an_answer_in_another_process_finishes_the_run(tmp_path: Path) -> None:
    shop = asking(tmp_path, "1h")
    code, run = shop.do("answer", "@last", "--approve")
    assert (code, run["outputs"]) == (0, {"log": ["look", "approve", "last"]})
    assert shop.calls() == {"look": 1, "last": 1}


def test_answer_without_waiting_then_resume(tmp_path: Path) -> None:
    shop = asking(tmp_path, "1h")
    code, _ = shop.do("answer", "@last", "--approve", "--no-wait")
    assert code == 0
    assert shop.calls() == {"look": 1}
    code, run = shop.do("resume", "@last")
    assert (code, run["outputs"]) == (0, {"log": ["look", "approve", "last"]})
    assert shop.calls() == {"look": 1, "last": 1}


def test_an_answer_that_is_killed_was_never_given(tmp_path: Path) -> None:
    shop = asking(tmp_path, "1h")
    code, _ = shop.do("answer", "@last", "--approve", fault="answer.sent:1:kill")
    assert code == KILLED
    code, run = shop.do("answer", "@last", "--reject")
    assert (code, run["outputs"]) == (0, {"log": ["look", "reject", "last"]})
    assert shop.calls() == {"look": 1, "last": 1}


def test_a_question_expires_once_though_nobody_was_there(tmp_path: Path) -> None:
    shop = asking(tmp_path, "50ms")
    time.sleep(0.06)
    code, run = shop.do("answer", "@last", "--approve")
    assert code != 0, "too late"
    code, run = shop.do("resume", "@last")
    assert (code, run["outputs"]) == (0, {"log": ["look", "late"]})
    after = shop.rows()
    code, run = shop.do("resume", "@last")
    assert (code, run["status"]) == (0, "done")
    assert shop.calls() == {"look": 1, "late": 1}
    assert [r.head_digest for r in shop.rows()] == [r.head_digest for r in after]


GUARDED = """
    outputs: { said: str }
    models: { m: scripted/m }
    tools: { pay: { python: "shop_floor:pay", idempotency_key: "once" } }
    channels: { said: { type: str, default: "" } }
    start: desk
    nodes:
      desk: { kind: agent, model: m, prompt: Pay., tools: [pay], writes: { said: "${ out.text }" }, next: end }
"""
GUARDS = """
    from graphagent import Allow, Replace

    def screen(messages):
        note("screen")
        return Replace([{**m, "content": m["content"].replace("Pay.", "Please pay.")} for m in messages])

    async def check(message):
        note("check")
        return Allow()

    def pay() -> str:
        \"\"\"Pays.\"\"\"
        note("pay")
        return "it was paid"
"""
SAID = """
turns:
  - { match: was paid, text: It is paid. }
  - { match: Please pay, tool_calls: [{ name: pay, arguments: {} }] }
"""


def guarded(folder: Path) -> Shop:
    """A project whose operator has a hook before and one after each model call."""
    shop = Shop(folder, GUARDED, GUARDS)
    (folder / "graphagent.toml").write_text(
        'hooks = { before = ["shop_floor:screen"], after = ["shop_floor:check"] }\n'
    )
    (folder / "said.yaml").write_text(SAID)
    return shop


@pytest.fixture(scope="module")
def guarded_golden(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    shop = guarded(tmp_path_factory.mktemp("guarded"))
    code, run = shop.run("--scripted", "said.yaml")
    assert (code, run.get("outputs")) == (0, {"said": "It is paid."}), run["told"]
    return shop.digest()


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        pytest.param("effect.during:1:kill", None, id="before-a-hook"),
        pytest.param("effect.after:1:kill", "screen", id="behind-a-hook-that-nobody-wrote-down"),
        pytest.param("intent.after:1:kill", None, id="behind-hooks-and-model"),
        pytest.param("commit.after:2:kill", None, id="behind-the-barrier"),
    ],
)
def test_a_finished_hook_is_asked_once(tmp_path: Path, guarded_golden: bytes, fault: str, again: str | None) -> None:
    """Two model calls, each with a hook before and after; a replay asks none, not even where the hooks are gone."""
    shop = guarded(tmp_path)
    code, _ = shop.run("--scripted", "said.yaml", fault=fault)
    assert code == KILLED
    code, run = shop.do("resume", "@last", "--scripted", "said.yaml")
    assert (code, run["status"]) == (0, "done"), run["told"]
    assert shop.digest() == guarded_golden
    expected = {"screen": 2, "check": 2, "pay": 1}
    assert shop.calls() == {**expected, **({again: 3} if again else {})}
    (tmp_path / "graphagent.toml").unlink()
    shop.floor.write_text(shop.floor.read_text().replace("screen", "gone").replace("check", "away"))
    code, replay = shop.do("replay", "@last")
    assert (code, replay["effects"]) == (0, {"replayed": 7, "external": 0}), replay["told"]
    assert shop.calls().total() == sum(expected.values()) + (again is not None)
