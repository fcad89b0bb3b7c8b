"""Binding a session to another plan: a superstep of kind `edit`, after it was checked that the plan has a place for all
that the session holds. Older supersteps keep the plan that they ran under."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphagent.codec import freeze, show_digest
from graphagent.engine.moving import moved
from graphagent.errors import CodecError, Conflict, SchemaMismatch
from graphagent.graph.compatibility import Conflict as Found
from graphagent.graph.compatibility import conflicts, other_types
from graphagent.graph.compile import sub_plan
from graphagent.graph.plan import GraphPlan, Plan
from graphagent.graph.types import TypeMismatch, describe
from graphagent.ids import SessionId
from graphagent.marks import UPCASTER_MARK
from graphagent.session.functions import Functions
from graphagent.session.host import Host
from graphagent.session.runnable import check_runnable
from graphagent.session.services import code_roots
from graphagent.snapshot import TASK_ORDINAL, EffectRow, EffectState, SessionRow, Snapshot

Upcaster = Callable[[Any], Any]
Key = tuple[str, str, str, str]
"""Name of the graph, channel, type before and type after, as `describe` writes them."""


@dataclass(frozen=True, slots=True)
class Upcast:
    """A channel of another type in the new plan. `known`: there is an upcaster for it, or it holds nothing."""

    channel: str
    before: str
    after: str
    known: bool


@dataclass(frozen=True, slots=True)
class Report:
    """How a session fits another plan. `conflicts` say why it doesn't; nodes and channels are names."""

    row: SessionRow
    old: Plan
    new: Plan
    snapshot: int
    conflicts: tuple[Found, ...]
    upcasts: tuple[Upcast, ...]
    added_channels: tuple[str, ...]
    dropped_channels: tuple[str, ...]
    added_nodes: tuple[str, ...]
    dropped_nodes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the session runs this plan already."""
        return self.old.hash == self.new.hash

    @property
    def fits(self) -> bool:
        """Whether it can be bound to the plan."""
        return not self.conflicts and all(upcast.known for upcast in self.upcasts)

    def check(self) -> None:
        """Raise what keeps the session from being bound to the plan.

        Raises:
            SchemaMismatch: a channel has another type, and no upcaster.
            Conflict: the plan has no place for something.
        """
        if self.conflicts:
            hint = self.conflicts[0].help
            raise Conflict("; ".join(c.message for c in self.conflicts), hint=hint)
        missing = [u for u in self.upcasts if not u.known]
        if missing:
            listed = "; ".join(f"{u.channel}: {u.before} -> {u.after}" for u in missing)
            first = missing[0]
            names = ", ".join(f'"{x}"' for x in (self.old.name, first.channel, first.before, first.after))
            hint = f"mark a function with @graphagent.upcaster({names}), and name its module in `upcasters` of "
            message = f"{self.row.session} holds values of another type: {listed}"
            raise SchemaMismatch(message, hint=hint + "graphagent.toml")


async def report(host: Host, session: SessionId, plan: Plan, upcasters: Sequence[Upcaster] = ()) -> Report:
    """How a session fits another plan, as it stands now. Nothing is written.

    Raises:
        NotRunnable: the plan has a part that this release doesn't run.
    """
    row = await host.store.session(session)
    old = await host.plan_of(row)
    check_runnable(plan)
    assert row.head is not None
    snapshot = await host.snapshot_at(row, old, await host.store.checkpoint(row.head))
    journal = await host.store.effects(row.spans(row.head_superstep))
    return _report(row, old, plan, snapshot, journal, found_upcasters(host, plan, upcasters))


def _report(
    row: SessionRow, old: Plan, plan: Plan, snapshot: Snapshot, journal: Sequence[EffectRow],
    known: Mapping[Key, Upcaster],
) -> Report:  # fmt: skip
    upcasts = []
    new = plan if plan.entry == old.entry or old.entry not in plan.graphs else sub_plan(plan, old.entry)
    graph = new.graph if new.entry == old.entry else None
    if graph is not None:
        for name in other_types(old.graph, graph):
            was, now = (describe(g.channels[g.channel_index[name]].type) for g in (old.graph, graph))
            holds = snapshot.versions[old.graph.channel_index[name]] is not None
            upcasts.append(Upcast(name, was, now, not holds or (old.name, name, was, now) in known))
    found = conflicts(old, plan, snapshot.control, frozenset(u.channel for u in upcasts))
    found += _kept_name(old, plan) + _open_calls(row, journal)
    nodes = [set(), set()] if graph is None else [set(g.node_index) for g in (old.graph, graph)]
    channels = [set(), set()] if graph is None else [set(g.channel_index) for g in (old.graph, graph)]
    return Report(
        row, old, new, snapshot.superstep, () if new.hash == old.hash else tuple(found), tuple(upcasts),
        tuple(sorted(channels[1] - channels[0])), tuple(sorted(channels[0] - channels[1])),
        tuple(sorted(nodes[1] - nodes[0])), tuple(sorted(nodes[0] - nodes[1])),
    )  # fmt: skip


def _kept_name(old: Plan, new: Plan) -> list[Found]:
    if old.name == new.name:
        return []
    message = f"the session runs the graph `{old.name}`, not `{new.name}`"
    return [Found(message, ("metadata", "name"), f"keep the name `{old.name}`")]


def _open_calls(row: SessionRow, journal: Sequence[EffectRow]) -> list[Found]:
    """What was done in a superstep that hasn't closed would be done again, or be forgotten, behind the migration."""
    done = [r for r in journal if r.state is not EffectState.FAILED and not (r.ordinal == TASK_ORDINAL and _pure(r))]
    if not done:
        return []
    tasks = ", ".join(sorted({f"`{r.path}`" for r in done}))
    fork = f"graphagent fork {row.session} --at {row.head_superstep} --graph FILE"
    help = f"let it close first, or take its calls along: {fork}"
    message = f"superstep {row.head_superstep} hasn't closed, and calls were made in it by {tasks}"
    return [Found(message, (), help)]


def _pure(row: EffectRow) -> bool:
    return row.effect_class == "pure"


def found_upcasters(host: Host, plan: Plan, given: Sequence[Upcaster]) -> dict[Key, Upcaster]:
    """The upcasters by their keys: those given, and those in the modules that the project's settings name.

    Raises:
        NodeError: a module can't be imported.
    """
    functions = Functions(code_roots(plan, host.settings.root), host.settings.allow_modules)
    there = [f for name in host.settings.upcasters for f in functions.marked(name, UPCASTER_MARK)]
    return {key: function for function in (*there, *given) for key in getattr(function, UPCASTER_MARK, ())}


async def migrate(
    host: Host, session: SessionId, plan: Plan, *, upcasters: Sequence[Upcaster] = (), by: str | None = None
) -> Report:
    """Bind a session to another plan. A failed run is paused by it; nothing runs yet.

    Raises:
        Conflict: the plan has no place for something that the session holds; nothing was written.
        SchemaMismatch: a channel has another type, and no upcaster, or one whose result doesn't fit.
        SessionBusy: somebody runs it.
    """
    before = await report(host, session, plan, upcasters)
    before.check()
    if before.same:
        return before
    known = found_upcasters(host, plan, upcasters)
    line = await host.open(session)
    try:
        journal = line.journal.sealed(line.snapshot.superstep)
        found = _report(line.row, before.old, plan, line.snapshot, journal, known)
        found.check()
        new = host.know(found.new)
        values = {u.channel: _upcast(u, before.old, new.graph, line.snapshot, known) for u in found.upcasts
                  if _holds(line.snapshot, before.old.graph, u.channel)}  # fmt: skip
        data = {
            "from": show_digest(before.old.hash), "to": show_digest(new.hash), "channels": sorted(values),
            "by": by,
        }  # fmt: skip
        await line.migrate(new, moved(line.snapshot, before.old.graph, new.graph), values, data)
    finally:
        await host.release(line)
    return found


def _holds(snapshot: Snapshot, graph: GraphPlan, channel: str) -> bool:
    return snapshot.versions[graph.channel_index[channel]] is not None


def _upcast(upcast: Upcast, old: Plan, graph: GraphPlan, snapshot: Snapshot, known: Mapping[Key, Upcaster]) -> Any:
    """The channel's value as the new type has it. Raises SchemaMismatch."""
    name = upcast.channel
    upcaster = known[old.name, name, upcast.before, upcast.after]
    try:
        made = upcaster(snapshot.values[old.graph.channel_index[name]])
        return graph.channels[graph.channel_index[name]].check(freeze(made))
    except (TypeMismatch, CodecError) as error:
        message = f"the upcaster of `{name}` gave something else than a `{upcast.after}`: {error}"
        raise SchemaMismatch(message, hint="correct the upcaster; nothing was written") from error
    except Exception as error:
        message = f"the upcaster of `{name}` failed: {type(error).__name__}: {error}"
        raise SchemaMismatch(message, hint="correct the upcaster; nothing was written") from error
