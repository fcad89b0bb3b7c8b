"""The `replay` document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.codec import show_digest
from graphagent.engine.replay import ReplayReport
from graphagent.session.documents.forms import (
    DigestPair,
    Fingerprints,
    FirstDifference,
    JsonDifference,
    ReplayDocument,
    ReplayedSuperstep,
    ReplayEffects,
)


def replay_document(report: ReplayReport) -> ReplayDocument:
    """What a replay found."""
    view = report.mode == "view"
    rows = [
        ReplayedSuperstep(
            step.superstep, show_digest(step.recorded), None if step.replayed is None else show_digest(step.replayed),
            view or step.replayed == step.recorded, step.tasks, step.effects,
        )
        for step in report.supersteps
    ]  # fmt: skip
    found = report.first_difference
    return ReplayDocument(
        report.session, report.mode, report.start, report.stop, report.floor, report.identical, rows,
        ReplayEffects(report.effects_replayed, 0), None if found is None else first_difference(found), report.wall_ms,
    )  # fmt: skip


def first_difference(found: Mapping[str, Any]) -> FirstDifference:
    """The first difference that a replay found."""
    fingerprint = found["fingerprint"]
    return FirstDifference(
        found["session"], found["superstep"], found["node"], found["path"], found["attempt"], found["ordinal"],
        found["kind"], found["expected"], found["actual"], [JsonDifference(**d) for d in found["diff"]],
        DigestPair(**found["digest"]), None if fingerprint is None else Fingerprints(**fingerprint), found["hint"],
    )  # fmt: skip
