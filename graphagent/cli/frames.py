"""A run-time error as a frame: the place in the YAML, then the author's own code, then what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphagent.cli.terminal import harmless, one_line
from graphagent.graph.plan import NodePlan, Plan, Position

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.snapshot import SessionRow

SHOWN_INPUTS = 6


def frame(record: Mapping[str, Any], superstep: int, node: NodePlan | None, given: Mapping[str, Any]) -> list[str]:
    """The lines of an error.

    Args:
        record: The error record, with `trace` where the author's code raised it.
        node: The node that failed, with its position if that is known.
        given: The arguments that it got.
    """
    lines = [f"failed at superstep {superstep}: {told(record, node)}"]
    if node is not None and node.position is not None:
        lines += excerpt(node.position)
    trace = record.get("trace") or []
    where = [f"{f['file']}:{f['line']} in {f['function']}" for f in trace]
    wide = max(map(len, where), default=0)
    lines += [f"  {place:<{wide}}   {f['text']}" for place, f in zip(where, trace, strict=True)]
    if given:
        shown = [f"{name} = {brief(value)}" for name, value in list(given.items())[:SHOWN_INPUTS]]
        lines.append(f"  inputs: {', '.join(shown)}")
    return [harmless(line) for line in lines]


def told(record: Mapping[str, Any], node: NodePlan | None) -> str:
    """Who failed, how, and at which attempt."""
    name, message = record.get("node"), record["message"]
    if name is None:
        return str(message)
    tries = ""
    by_node = record.get("source") != "model"  # a model's tries are made inside the attempt
    if node is not None and node.retry.max > 1 and record.get("attempt") is not None and by_node:
        tries = f" (attempt {record['attempt'] + 1} of {node.retry.max})"
    if record["kind"] == "code_failed" and record.get("trace"):
        return f"node `{name}` raised {message}{tries}"
    return f"node `{name}`: {message} [{record['kind']}]{tries}"


def excerpt(position: Position) -> list[str]:
    """The line of the file with carets below."""
    gutter = " " * len(str(position.line))
    text = position.text.replace("\t", "    ")
    before = len(position.text[: position.column - 1].replace("\t", "    "))
    carets = "^" * max(position.end_column - position.column, 1)
    return [
        f"{gutter}--> {position.file}:{position.line}:{position.column}",
        f"{gutter} |",
        f"{position.line} | {text}",
        f"{gutter} | {' ' * before}{carets}",
    ]


def brief(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, list):
        return f"list of {len(value)}"
    if isinstance(value, dict):
        return one_line("{" + ", ".join(value) + "}", 60)
    return one_line(json.dumps(value, ensure_ascii=False, default=str), 60)


def failed_node(plan: Plan, name: str | None) -> NodePlan | None:
    """The node that an error names. Of a plan from the store, the place is looked up in today's file if it's equal."""
    graph = plan.graph
    index = graph.node_index.get(name) if name is not None else None
    if index is None:
        return None
    if graph.nodes[index].position is None and plan.file is not None and Path(plan.file).is_file():
        from graphagent.session.graph_file import read_graph_file

        today = read_graph_file(plan.file).plan
        if today is not None and today.hash == plan.hash:
            return today.graph.nodes[index]
    return graph.nodes[index]


async def arguments_of(host: Host, row: SessionRow, plan: Plan, node: NodePlan) -> dict[str, Any]:
    """The arguments that a node of the open superstep gets; those that can't be evaluated are left out."""
    from graphagent.engine.environment import RunFacts, environment
    from graphagent.graph.expressions import EvaluationError
    from graphagent.graph.plan import REDACTED
    from graphagent.session.loading import load_snapshot
    from graphagent.session.reading import checkpoint_at

    checkpoint = await checkpoint_at(host.store, row, row.head_superstep)
    snap = await load_snapshot(host.store, row, plan.graph, checkpoint)
    facts = RunFacts(snap.run_id or "", row.session)
    env = environment(plan.graph, snap.values, snap.control, facts, snap.superstep, snap.committed_at)
    given: dict[str, Any] = {}
    secret = {channel.name for channel in plan.graph.channels if channel.secret}
    for name, value in node.arguments:
        if any(read.root in secret for read in value.reads):
            given[name] = REDACTED
            continue
        try:
            given[name] = value.evaluate(env)
        except EvaluationError:
            continue
    return given
