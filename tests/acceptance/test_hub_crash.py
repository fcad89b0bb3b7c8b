"""A hub whose process dies while its spokes work: the next one finds the same children and starts none twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from graphagent.ports import Store
from graphagent.snapshot import SessionRow, Span
from tests.acceptance.shop import ROOT, Shop

KILLED = -signal.SIGKILL
QUESTION = "How far was a lamp seen with the lens of Fresnel, and how many years ago was 1822 in 2026?"
ANSWER = "Fresnel's lens carried twenty miles, and 2026 is 204 years later."

TEAM = """
    imports:
      team:
        from: "graphagent:hub.graph.yaml"
        override:
          tools:
            search: { python: "shop_floor:search", effects: read }
            calculate: { python: "shop_floor:calculate", effects: read }
    inputs: { question: str }
    outputs: { answer: str }
    channels: { answer: str }
    start: ask
    nodes:
      ask: { kind: graph, graph: team, with: { question: "${ inputs.question }" }, writes: { answer: "${ out.answer }" }, next: end }
"""
TOOLS = """
    def search(query: str, limit: int = 1) -> list[dict[str, str]]:
        note("search")
        return [{"source": "lighthouses", "text": "Fresnel built a lens out of many rings of glass."}]

    def calculate(expression: str) -> int:
        note("calculate")
        while (HERE / "deadly").exists():
            time.sleep(0.01)
        return 204
"""
RUN = ("-i", f"question={QUESTION}")
RECORDED = ("--scripted", "script.yaml", "--model", "scripted/recorded")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An importer of the ready-made hub, with tools that note their calls, and its recorded answers."""
    shop = Shop(tmp_path, TEAM, TOOLS)
    script = (ROOT / "graphs" / "hub.script.yaml").read_text(encoding="utf-8")
    script = script.replace("  lead:", "  team.lead:").replace("  spoke:", "  team.spoke:")
    (tmp_path / "script.yaml").write_text(script, encoding="utf-8")
    return shop


def family(shop: Shop) -> dict[str, SessionRow]:
    """The hub's session and those of its spokes, by graph."""
    roots = shop.rows()

    async def read(store: Store) -> list[SessionRow]:
        hubs = [hub for root in roots for hub in await store.children(root.session)]
        return [*hubs, *[row for hub in hubs for row in await store.children(hub.session)]]

    return {row.graph.replace("/", ".").rpartition(".")[2]: row for row in shop.stored(read)}


def researched(shop: Shop) -> bool:
    found = family(shop).get("researcher")
    return found is not None and found.status == "done"


def calls(shop: Shop) -> Counter[str]:
    """How often each model and tool of the hub and its spokes was called, by the journal."""
    rows = family(shop)

    async def read(store: Store) -> list[tuple[str, int]]:
        spans = [Span(row.session, 0, None) for row in rows.values()]
        return [
            (effect.name, effect.tries) for effect in await store.effects(spans) if effect.kind in ("model", "tool")
        ]

    found: Counter[str] = Counter()
    for name, tries in shop.stored(read):
        found[name] += tries
    return found


CALLS = {"team.lead": 3, "team.spoke": 5, "team.search": 1, "team.calculate": 1}


def test_it_goes_on_with_the_same_children(shop: Shop) -> None:
    """The researcher has ended, the counter is inside its tool. That read is made again, and nothing else."""
    (shop.folder / "deadly").touch()
    owner = shop.spawn("run", shop.graph.name, "--seed", "1", *RUN, *RECORDED)
    while owner.poll() is None and not (shop.calls()["calculate"] and shop.store.exists() and researched(shop)):
        time.sleep(0.05)
    owner.kill()
    owner.communicate()
    assert owner.returncode == KILLED
    before = family(shop)
    assert {name: row.status for name, row in before.items()} == {
        "team": "running", "researcher": "done", "counter": "running",
    }  # fmt: skip
    (shop.folder / "deadly").unlink()
    code, run = shop.do("resume", "@last", *RECORDED)
    assert (code, run["outputs"]) == (0, {"answer": ANSWER})
    after = family(shop)
    assert {name: row.session for name, row in after.items() if name != "critic"} == {
        name: row.session for name, row in before.items()
    }
    assert set(after) == {"team", "researcher", "counter", "critic"}
    assert after["researcher"].head == before["researcher"].head
    assert shop.calls() == {"search": 1, "calculate": 2}
    assert calls(shop) == CALLS
    assert shop.do("replay", "@last")[0] == 0


@pytest.mark.parametrize(
    "fault",
    [
        "child.create:2:kill",
        "child.create:3:kill",
        "child.attach:4:kill",
        "child.outcome:1:kill",
        "child.outcome:3:kill",
    ],
)
def test_wherever_it_dies_each_spoke_is_there_once(shop: Shop, fault: str) -> None:
    assert shop.run(*RUN, *RECORDED, fault=fault)[0] == KILLED
    before = family(shop)
    code, run = shop.do("resume", "@last", *RECORDED)
    assert (code, run["outputs"]) == (0, {"answer": ANSWER})
    after = family(shop)
    assert len(after) == 4
    assert {(name, row.session) for name, row in before.items()} <= {(name, row.session) for name, row in after.items()}
    ended = {name for name, row in before.items() if row.status == "done"}
    assert {name: after[name].head for name in ended} == {name: before[name].head for name in ended}
    assert set(shop.calls()) == {"search", "calculate"}
