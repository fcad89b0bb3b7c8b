"""A march of fifty supersteps is killed at random moments: it always ends as if it hadn't been, and pays each time once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.counter import CountingServer
from tests.fault.harness import Driver

PAID = [*range(1, 18), -5, -10, -15]


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver() as process:
        yield process


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as counting:
        yield counting


class March:
    """One session in a folder of its own, and the chance that kills its processes."""

    def __init__(self, driver: Driver, folder: Path, server: CountingServer, chance: random.Random) -> None:
        self.driver, self.folder, self.server, self.chance = driver, folder, server, chance
        self.kills, self.doubts = 0, 0
        folder.mkdir()

    def to_the_end(self, kills: int) -> dict[str, Any]:
        """The report of the process that reached the end; so many before it are killed."""
        env = {"COUNTER": str(self.server.port)}
        while True:
            more: dict[str, Any] = {"after_s": self.chance.uniform(0.02, 0.5)} if self.kills < kills else {}
            report = self.driver.order(self.folder, "march", env=env, **more)
            if report is None:
                self.kills += 1
            elif "doubt" in report:
                self.settle(report["doubt"])
            else:
                return report

    def settle(self, doubts: dict[str, Any]) -> None:
        """As a person does who looks at the server whether it was paid."""
        self.doubts += len(doubts)
        answers = {}
        for interrupt, request in doubts.items():
            round = request["with"]["round"]
            paid = {"decision": "done", "value": f"paid {round}"}
            answers[interrupt] = paid if self.server.counts[round] else {"decision": "retry"}
        assert self.driver.order(self.folder, "decide", answers=answers) is not None


def march_many(driver: Driver, folder: Path, server: CountingServer, seed: int, kills: int) -> None:
    calm = March(driver, folder / "calm", server, random.Random(seed))
    golden = calm.to_the_end(0)
    assert golden["supersteps"][0] > 50
    assert server.counts == dict.fromkeys(PAID, 1)
    left, marches, doubts = kills, 0, 0
    while left > 0:
        server.counts.clear()
        marches += 1
        march = March(driver, folder / str(marches), server, random.Random(seed + marches))
        report = march.to_the_end(min(left, 10))
        left -= max(march.kills, 1)
        doubts += march.doubts
        assert server.counts == dict.fromkeys(PAID, 1), f"march {marches}: a write was made otherwise than once"
        assert report["outputs"] == golden["outputs"], f"march {marches}"
        if not march.doubts:  # an answer is a superstep of its own
            assert report["digests"] == golden["digests"], f"march {marches}"
    print(f"{kills} kills in {marches} marches, {doubts} writes in doubt")


@pytest.mark.parametrize("durability", ["strict", "pipelined"])
def test_some_random_kills(driver: Driver, tmp_path: Path, server: CountingServer, durability: str) -> None:
    driver.durability = durability
    march_many(driver, tmp_path, server, seed=1, kills=20)


@pytest.mark.long
@pytest.mark.parametrize("durability", ["strict", "pipelined"])
def test_500_random_kills(driver: Driver, tmp_path: Path, server: CountingServer, durability: str) -> None:
    driver.durability = durability
    march_many(driver, tmp_path, server, seed=100, kills=500)
