"""Content of artifacts without a row: of supersteps that were never committed, and of rows that were removed."""

from __future__ import annotations

from graphagent.ids import ArtifactId, SessionId
from graphagent.ports import Artifacts, Store
from graphagent.session.artifact_names import named_by_rows
from graphagent.snapshot import Span


async def remove_strays(store: Store, artifacts: Artifacts, before_us: int, *, dry_run: bool = False) -> int:
    """Remove content that has no row and was put before that time; how much there was.

    What is put meanwhile is new, so nothing of it goes. A family in which a session runs is left alone: its open
    superstep may have put something a long time ago. What the journal of an open superstep names has no row yet.
    """
    if not dry_run:
        await artifacts.sweep()
    count = 0
    for family in await artifacts.families():
        kept = await artifacts.kept(family)
        old = {hash for hash, at in kept.items() if at < before_us}
        if not old:
            continue
        spared = await _spared(store, family)
        for hash in sorted(old) if spared is not None else ():
            if ArtifactId.of(hash[:16]) not in (spared or ()):
                count += dry_run or await artifacts.remove(family, hash, before_us)
    return count


async def _spared(store: Store, family: SessionId) -> set[ArtifactId] | None:
    """The artifacts of a family that have a row or will have one; None where that can't be said now."""
    rows = await store.family(family)
    if any(row.status == "running" for row in rows):
        return None
    spared = {row.artifact for row in await store.artifacts(family)}
    for row in rows:
        opened = [Span(row.session, row.head_superstep, None)]
        spared |= named_by_rows(effects=await store.effects(opened))
    return spared
