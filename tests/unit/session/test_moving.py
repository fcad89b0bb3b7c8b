"""A snapshot under another graph: channels and nodes are found by name."""

from __future__ import annotations

import textwrap
from pathlib import Path

from graphagent.engine.moving import moved, moved_control
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import GraphPlan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import validate_text
from graphagent.snapshot import UNSET, Control, Group, PendingJoin, Snapshot, Token, Waiting

HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\n"
OLD = """
    outputs: { b: int }
    channels: { a: { type: int, default: 1 }, b: { type: int, default: 2 }, c: int }
    start: x
    nodes:
      x: { kind: set, writes: { b: 3 }, next: y }
      y: { kind: set, writes: { a: 3, c: 1 }, next: z }
      z: { kind: set, next: end }
"""
NEW = """
    outputs: { b: int }
    channels: { b: { type: int, default: 9 }, d: { type: int, default: 4 }, a0: { type: int, default: 0 } }
    start: z
    nodes:
      z: { kind: set, writes: { d: 1, a0: 1 }, next: w }
      w: { kind: set, writes: { b: 3 }, next: x }
      x: { kind: set, next: end }
"""


def graph(folder: Path, text: str) -> GraphPlan:
    spec, found, _ = validate_text(HEAD + textwrap.dedent(text), "t.graph.yaml", ProjectFolder(folder))
    assert spec is not None, found
    return compile_spec(spec, lambda name: None).graph


def test_channels_move_by_name(tmp_path: Path) -> None:
    old, new = graph(tmp_path, OLD), graph(tmp_path, NEW)
    given = {"a": 10, "b": 2, "c": 30}
    versions = {"a": 4, "b": None, "c": 5}
    snapshot = Snapshot(
        6, tuple(given[c.name] for c in old.channels), tuple(versions[c.name] for c in old.channels),
        (None,) * 3, Control(visits=(0, 0, 0)), b"d", None, 0,
    )  # fmt: skip
    after = moved(snapshot, old, new)
    assert dict(zip([c.name for c in new.channels], after.values, strict=True)) == {"a0": 0, "b": 9, "d": 4}
    assert set(after.versions) == {None}
    back = moved(after, new, old)
    assert dict(zip([c.name for c in old.channels], back.values, strict=True)) == {"a": 1, "b": 2, "c": UNSET}
    assert (after.digest, after.superstep, moved(snapshot, old, old)) == (b"d", 6, snapshot)


def test_control_moves_by_name_and_what_is_gone_is_left_out(tmp_path: Path) -> None:
    old, new = graph(tmp_path, OLD), graph(tmp_path, NEW)
    x, y, z = (old.node_index[n] for n in "xyz")
    start = Group(-3, 1, (0,))
    control = Control(
        due=(Token(z, 3, (start, Group(y, 2, (1,))), (x, y)), Token(y, 3)),
        waiting=(Waiting(Token(x, 2), "interrupt", 2), Waiting(Token(y, 2), "timer", 2)),
        joins=(PendingJoin(z, -3, 1, (0,), (start,), (y, x)), PendingJoin(y, -3, 1, (0,), (), ())),
        visits=tuple({x: 5, y: 6, z: 7}[i] for i in range(3)),
        last_run={x: 1, y: 2},
    )
    after = moved_control(control, old, new)
    names = [n.name for n in new.nodes]
    (token,) = after.due
    assert (names[token.node], token.groups, [names[s] for s in token.sources]) == ("z", (start,), ["x"])
    assert [names[w.token.node] for w in after.waiting] == ["x"]
    (join,) = after.joins
    assert (names[join.node], join.fork, [names[s] for s in join.sources]) == ("z", -3, ["x"])
    assert dict(zip(names, after.visits, strict=True)) == {"z": 7, "w": 0, "x": 5}
    assert {names[n]: k for n, k in after.last_run.items()} == {"x": 1}
