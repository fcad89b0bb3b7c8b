"""A person's writes as those of a node: its token goes on along its routes, though it didn't run. Pure."""

from __future__ import annotations

from dataclasses import replace

from graphagent.engine.environment import RunFacts
from graphagent.engine.failures import view
from graphagent.engine.results import TaskResult
from graphagent.engine.superstep import Barrier, Closed, MergeConflict, finish
from graphagent.engine.tokens import Groups, send_on
from graphagent.engine.waits import deliver
from graphagent.errors import InputInvalid
from graphagent.graph.plan import GraphPlan, NodePlan
from graphagent.graph.suggest import suggest
from graphagent.snapshot import Control, Snapshot, Token


def stand_in(graph: GraphPlan, snapshot: Snapshot, facts: RunFacts, name: str) -> Closed:
    """The state in which a node has just ended that wrote what `snapshot` holds by now.

    A node that is due, or whose token waits, is over with it. One whose routes led to what is due now has taken them
    anew. One of a run that is over gives it a new token. Other tokens stay as they are.

    Args:
        snapshot: With the writes in it, and the versions that they have.

    Raises:
        InputInvalid: there is no such node, it has no token here, or its routes can't be told without what it gives.
    """
    node = _node(graph, name)
    rest, groups = _taken_from(graph, snapshot, node)
    result = TaskResult(Token(node.index, snapshot.superstep, groups), "done")
    barrier = Barrier(graph, snapshot, facts, rest.spent, None)
    barrier.values, barrier.versions = list(snapshot.values), list(snapshot.versions)
    taken = barrier.route(result, barrier.env())
    if isinstance(taken, TaskResult):
        said = view(taken.error or {}).get("message")
        hint = "a node that didn't run has no `out`; name one whose routes ask for channels only"
        raise InputInvalid("--as", f"the routes of {name!r} can't be taken: {said}", hint=hint)
    try:
        barrier.fold(node.index, taken.writes)
    except MergeConflict as conflict:
        raise InputInvalid("--as", f"what the route of {name!r} writes: {conflict.args[0]['message']}") from None
    placed = send_on(graph, rest, snapshot.superstep, result.token, taken)
    control = replace(rest, due=placed.due, waiting=placed.waiting, joins=placed.joins)
    control = deliver(graph, barrier.wake_subscribers(control), barrier.env)
    closed = Closed(
        tuple(barrier.values), tuple(barrier.versions), barrier.changed, barrier.writers, control, (result,), (taken,)
    )
    if placed.failure is None and (control.due or control.waiting or control.joins):
        return closed
    return finish(graph, closed, facts, snapshot, placed.failure)


def _node(graph: GraphPlan, name: str) -> NodePlan:
    index = graph.node_index.get(name)
    if index is None:
        near = suggest(name, graph.node_index)
        hint = f"did you mean {near!r}?" if near else f"nodes are: {', '.join(graph.node_index)}"
        raise InputInvalid("--as", f"the graph has no node {name!r}", hint=hint)
    return graph.nodes[index]


def _taken_from(graph: GraphPlan, snapshot: Snapshot, node: NodePlan) -> tuple[Control, Groups]:
    """Control without the tokens in whose place the node goes on, and the groups that its own token has."""
    control, index = snapshot.control, node.index
    for waiting in control.waiting:
        if waiting.token.node == index:
            rest = replace(control, waiting=tuple(w for w in control.waiting if w is not waiting))
            ran = waiting.reason not in ("before", "after")
            return _over(rest, node, snapshot.superstep, ran=ran), waiting.token.groups
    for token in control.due:
        if token.node == index:
            rest = replace(control, due=tuple(t for t in control.due if t is not token))
            return _over(rest, node, snapshot.superstep, ran=token.answer is not None), token.groups
    if not (control.due or control.waiting or control.joins) and snapshot.run_id is not None:
        return control, ()
    return _taken_back(graph, snapshot, node)


def _over(control: Control, node: NodePlan, superstep: int, *, ran: bool) -> Control:
    """Control in which the node ran; `ran` says that it is counted already."""
    visits = tuple(v + (i == node.index and not ran) for i, v in enumerate(control.visits))
    last_run = {**control.last_run, node.index: superstep} if node.on_update else control.last_run
    return replace(control, visits=visits, last_run=last_run)


def _taken_back(graph: GraphPlan, snapshot: Snapshot, node: NodePlan) -> tuple[Control, Groups]:
    """The same for a node whose routes placed tokens that are there still."""
    control, index = snapshot.control, node.index
    placed = [t for t in (*control.due, *(w.token for w in control.waiting)) if index in t.sources]
    met = [t.node for t in placed if t.sources != (index,)]
    met += [j.node for j in control.joins if index in j.sources and not j.over]
    if met:
        target = graph.nodes[met[0]].name
        hint = "fork before the superstep in which it ran, where it is due; `graphagent history` has the numbers"
        raise InputInvalid("--as", f"a route of {node.name!r} has met others at {target!r} already", hint=hint)
    if not placed:
        raise InputInvalid(
            "--as", f"{node.name!r} has no token at snapshot {snapshot.superstep}", hint=_named(graph, control)
        )
    token = placed[0]
    groups = token.groups
    own = [
        (g.fork, g.superstep) for t in placed for g in t.groups[-1:] if g.fork == index and g.superstep == t.placed - 1
    ]
    if own:
        groups = groups[:-1]
    return replace(
        control,
        due=tuple(t for t in control.due if t not in placed),
        waiting=tuple(w for w in control.waiting if w.token not in placed),
        joins=tuple(j for j in control.joins if (j.fork, j.superstep) not in own),
    ), groups


def _named(graph: GraphPlan, control: Control) -> str:
    """Which nodes could be named."""
    tokens = [*control.due, *(w.token for w in control.waiting)]
    found = [t.node for t in tokens] + [t.sources[0] for t in tokens if len(t.sources) == 1]
    names = ", ".join(dict.fromkeys(graph.nodes[i].name for i in found))
    return f"here can be named: {names}" if names else "nothing has run here yet: give a later snapshot"
