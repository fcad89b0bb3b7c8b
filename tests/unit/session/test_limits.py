from __future__ import annotations

import pytest

from graphagent.errors import InputInvalid
from graphagent.session.limits import bounds_of, raising
from graphagent.snapshot import Control

SPENT = (3, 40, 2, 0, 0, 0, 1_500_000, 0, 0)


def test_limits_as_people_give_them() -> None:
    given = {"supersteps": 5, "tokens": 100, "cost_usd": 0.05, "wall": "10m"}
    kept = {"supersteps": 5, "tokens": 100, "cost_micro": 50_000, "wall_us": 600_000_000}
    assert bounds_of(given) == kept == bounds_of(kept)
    assert bounds_of({"wall": 1.5}) == {"wall_us": 1_500_000}
    assert bounds_of({}) == {}


@pytest.mark.parametrize(
    ("limits", "path"),
    [
        ({"visits": 3}, "limits.visits"), ({"wall": "soon"}, "limits.wall"), ({"tokens": -1}, "limits.tokens"),
        ({"tokens": True}, "limits.tokens"), ({"cost_usd": "1"}, "limits.cost_usd"),
    ],
)  # fmt: skip
def test_limits_that_are_none(limits: dict[str, object], path: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        bounds_of(limits)
    assert refused.value.path == path


def test_the_flag_that_raises_a_limit() -> None:
    control = Control(steps=7)
    causes = ("supersteps", "tokens", "cost_usd", "wall", "visits")
    flags = [raising(cause, control, SPENT, 90_000_000) for cause in causes]
    assert flags == ["--max-supersteps 14", "--max-tokens 84", "--budget 3", "--timeout 12m", None]
    assert raising("cost_usd", control, (0,) * 9, 0) == "--budget 0.000002"
    assert raising("wall", control, SPENT, 3_600_000_001) == "--timeout 121m"
