"""What a run has used: sums of model usage as plain integers, so that they stand in control state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphagent.codec import decode, encode
from graphagent.engine.artifacts import rows_data
from graphagent.messages import Usage
from graphagent.snapshot import NOTHING_SPENT, ArtifactRow, EffectRow, Spent


def add(a: Spent, b: Spent) -> Spent:
    """The sum of both."""
    if b is NOTHING_SPENT:  # as of nearly every superstep that calls no model
        return a
    return tuple(x + y for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def one_call(usage: Usage) -> Spent:
    """What one model call used."""
    return (
        1, usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.cache_write_tokens,
        usage.reasoning_tokens, usage.cost_micro or 0, int(usage.cost_micro is None), int(usage.estimated),
    )  # fmt: skip


def cost_of(usage: Usage | None, artifacts: Sequence[ArtifactRow], ttft_us: int | None = None) -> bytes | None:
    """The column `cost` of a call: what it used, behind that what it put, and behind that how long its model took to
    the first token; None if it used and put nothing. No digest sees it."""
    if usage is None and not artifacts:
        return None
    spent: list[Any] = list(NOTHING_SPENT if usage is None else one_call(usage))
    if artifacts or ttft_us is not None:
        spent.append(rows_data(artifacts))
    if ttft_us is not None:
        spent.append(ttft_us)
    return encode(spent)


def ttft_ms(row: EffectRow | None) -> int | None:
    """How long a model took to the first token; None if none came, or an earlier release has called it."""
    cost = [] if row is None or row.cost is None else decode(row.cost)
    place = len(NOTHING_SPENT) + 1
    return cost[place] // 1000 if len(cost) > place else None


def of_rows(rows: Iterable[EffectRow]) -> Spent:
    """What the calls of these journal rows used."""
    total = NOTHING_SPENT
    for row in rows:
        if row.cost is not None:
            total = add(total, tuple(decode(row.cost)[: len(NOTHING_SPENT)]))
    return total


def usage_data(spent: Spent) -> dict[str, Any]:
    """The Usage of the JSON documents."""
    unknown = spent[7] > 0
    return {
        "model_calls": spent[0],
        "tool_calls": 0,
        "input_tokens": spent[1],
        "output_tokens": spent[2],
        "cached_input_tokens": spent[3],
        "cache_write_tokens": spent[4],
        "reasoning_tokens": spent[5],
        "estimated": spent[8] > 0,
        "cost_usd": None if unknown else spent[6] / 1e6,
    }
