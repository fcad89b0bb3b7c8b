"""The `diff` document: what two snapshots, of one session or of two, have apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from difflib import unified_diff
from typing import TYPE_CHECKING

from graphagent.codec import decode, show_digest
from graphagent.engine.spending import add, of_rows
from graphagent.graph.compile import written
from graphagent.graph.yaml_text import yaml_text
from graphagent.session.documents.common import graph_ref, usage_of
from graphagent.session.documents.diff_forms import Delta, DiffDocument, Side
from graphagent.session.documents.differences import Compared, differences_of
from graphagent.session.documents.page import states_of
from graphagent.session.documents.pairs import Part, pairs_of, parts_of
from graphagent.session.documents.parts import Origin, Usage
from graphagent.session.documents.run import outputs_at
from graphagent.session.reading import checkpoint_at, owner, shared_until
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


async def diff_document(
    host: Host, a: tuple[SessionRow, int], b: tuple[SessionRow, int], *, channels: Sequence[str] = (),
    values: bool = True,
) -> DiffDocument:  # fmt: skip
    """What differs between two snapshots, each given as a session and a number.

    Args:
        channels: Compare only these channels.
        values: Also what the channels hold.

    Raises:
        NotFound: no such snapshot, or no such channel.
    """
    one, two = await _side(host, *a), await _side(host, *b)
    shared = shared_until(*a, *b)
    changes = await differences_of(host, one, two, channels, values=values)
    parts = [await parts_of(host, row, shared or 0, at) for row, at in (a, b)]
    pairs = pairs_of(*parts)
    shown = [await _shown(host, side) for side in (one, two)]
    first = next((p for p in pairs if not p.same), None)
    return DiffDocument(
        shown[0], shown[1], await _origin(host, a[0], shared),
        not changes and first is None and shown[0].due == shown[1].due and shown[0].waiting == shown[1].waiting,
        None if first is None else first.b if first.a is None else first.a, pairs, changes,
        await _outputs_same(host, one, two), _delta(shown, parts), await _graph_patch(host, one, two),
    )  # fmt: skip


async def _side(host: Host, row: SessionRow, snapshot: int) -> Compared:
    checkpoint = await checkpoint_at(host.store, row, snapshot)
    return Compared(row, checkpoint, (await states_of(host, row, [checkpoint]))[0])


async def _shown(host: Host, side: Compared) -> Side:
    row, control, names = side.row, side.state.control, side.state.graph.nodes
    spent = control.spent
    if side.checkpoint.snapshot == row.head_superstep:
        spent = add(spent, of_rows(await host.store.effects(row.spans(row.head_superstep))))
    graph = graph_ref(row, host.settings.root)
    if side.checkpoint.plan != row.plan:
        graph = type(graph)(graph.name, None, show_digest(side.checkpoint.plan), None)
    return Side(
        row.session, graph, row.status, side.checkpoint.snapshot, [names[t.node].name for t in control.due],
        [names[w.token.node].name for w in control.waiting], usage_of(spent),
    )  # fmt: skip


async def _origin(host: Host, row: SessionRow, shared: int | None) -> Origin | None:
    if shared is None:
        return None
    checkpoint = await checkpoint_at(host.store, row, shared)
    return Origin(owner(row, shared - 1), checkpoint.checkpoint, shared)


async def _outputs_same(host: Host, a: Compared, b: Compared) -> bool | None:
    """Whether both runs gave the same; None unless both are done at these snapshots."""
    outputs = []
    for side in (a, b):
        if side.row.status != "done" or side.checkpoint.snapshot != side.row.head_superstep:
            return None
        plan = await host.plan_of(side.row)
        outputs.append(await outputs_at(host, side.row, plan, side.checkpoint))
    return None if None in outputs else outputs[0] == outputs[1]


def _delta(shown: Sequence[Side], parts: Sequence[Sequence[Part]]) -> Delta:
    a, b = shown
    used = {
        f.name: None if None in (x, y) else round(y - x, 6)
        for f in fields(Usage)
        for x, y in [(getattr(a.usage, f.name), getattr(b.usage, f.name))]
    }
    usage = Usage(**{**used, "estimated": a.usage.estimated or b.usage.estimated})  # type: ignore[arg-type]
    wall = sum(p.wall_ms for p in parts[1]) - sum(p.wall_ms for p in parts[0])
    return Delta(b.snapshot - a.snapshot, wall, usage)


async def _graph_patch(host: Host, a: Compared, b: Compared) -> str | None:
    """What changes from one graph to the other, as text, the files of its prompts included."""
    if a.checkpoint.plan == b.checkpoint.plan:
        return None
    texts = []
    for side in (a, b):
        document = (await host.store.blobs(side.row.family, [side.checkpoint.plan]))[side.checkpoint.plan]
        texts.append({"graph": yaml_text(written(document)), **decode(document)["templates"]})
    names = dict.fromkeys([*texts[0], *texts[1]])
    lines = [[text.get(name, "").splitlines() for text in texts] for name in names]
    patches = [unified_diff(old, new, f"a/{n}", f"b/{n}", lineterm="")
               for n, (old, new) in zip(names, lines, strict=True)]  # fmt: skip
    return "\n".join(line for patch in patches for line in patch)
