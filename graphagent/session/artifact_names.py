"""Which artifacts stored bytes name: whatever looks like an id counts, in values, conversations and journals alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphagent.ids import ArtifactId
from graphagent.snapshot import CheckpointRow, Delta, EffectRow, InputRow, InterruptRow, SessionCopy

_ID = re.compile(rb"art_[0-7][0-9a-hjkmnp-tv-z]{25}")


def named_in(bodies: Iterable[bytes | None]) -> set[ArtifactId]:
    """The ids in these bytes."""
    return {ArtifactId(found.decode()) for body in bodies if body is not None for found in _ID.findall(body)}


def named_by_rows(
    checkpoints: Iterable[CheckpointRow] = (), deltas: Iterable[Delta] = (), effects: Iterable[EffectRow] = (),
    inputs: Iterable[InputRow] = (), interrupts: Iterable[InterruptRow] = (),
) -> set[ArtifactId]:  # fmt: skip
    """The ids in rows of a session; in those of its journal also what its calls put."""
    bodies: list[bytes | None] = [c.manifest for c in checkpoints]
    bodies += [d.items for d in deltas]
    bodies += [body for e in effects for body in (e.request, e.outcome, e.cost)]
    bodies += [i.body for i in inputs]
    bodies += [body for q in interrupts for body in (q.question, q.answer)]
    return named_in(bodies)


def named_by(copy: SessionCopy) -> set[ArtifactId]:
    """The ids in all rows of a session, its events too."""
    rows = named_by_rows(copy.checkpoints, copy.deltas, copy.effects, copy.inputs, copy.interrupts)
    return rows | named_in(batch.body for batch in copy.events)
