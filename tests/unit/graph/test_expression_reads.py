from __future__ import annotations

import pytest

from graphagent.graph.expressions import EACH, parse


def paths(text: str) -> list[tuple[str, tuple[str | int, ...], str, bool]]:
    return [(read.root, read.path, text[read.start : read.end], read.guarded) for read in parse(text).reads]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", []),
        ("a", [("a", (), "a", False)]),
        ("a.b['c'][0][-1].d", [("a", ("b", "c", 0, -1, "d"), "a.b['c'][0][-1].d", False)]),
        ("a[i].b", [("a", (), "a", False), ("i", (), "i", False)]),
        ("a.b[i.j].c", [("a", ("b",), "a.b", False), ("i", ("j",), "i.j", False)]),
        ("a[1:].b", [("a", (), "a", False)]),
        ("a[true]", [("a", (), "a", False)]),
        ("first(a).b", [("a", (), "a", False)]),
        ("a + a", [("a", (), "a", False), ("a", (), "a", False)]),
        ("[f.claim for f in a.b if f.ok]",
         [("a", ("b", EACH, "claim"), "f.claim", False), ("a", ("b",), "a.b", False),
          ("a", ("b", EACH, "ok"), "f.ok", False)]),
        ("[x for r in results for x in r.items]",
         [("results", (EACH, "items", EACH), "x", False), ("results", (), "results", False),
          ("results", (EACH, "items"), "r.items", False)]),
        ("[x.a for x in sorted(b)]", [("b", (), "b", False)]),
        ("[x.a + y for x in [1]]", [("y", (), "y", False)]),
        ("has(a.b)", [("a", ("b",), "a.b", True)]),
        ("has(a[i].b)", [("a", (), "a", True), ("i", (), "i", False)]),
        ("default(a.b, c, d)", [("a", ("b",), "a.b", True), ("c", (), "c", True), ("d", (), "d", False)]),
        ("has(e) and e.kind == 'x'", [("e", (), "e", True), ("e", ("kind",), "e.kind", True)]),
        ("e.kind == 'x' and has(e)", [("e", ("kind",), "e.kind", False), ("e", (), "e", True)]),
        ("e.a if has(e) else e.b", [("e", ("a",), "e.a", True), ("e", (), "e", True), ("e", ("b",), "e.b", False)]),
        ("not has(e) or e.a", [("e", (), "e", True), ("e", ("a",), "e.a", True)]),
        ("not (not has(e)) and e.a", [("e", (), "e", True), ("e", ("a",), "e.a", True)]),
        ("has(e) or e.a", [("e", (), "e", True), ("e", ("a",), "e.a", False)]),
        ("(has(e) or x) and e.a", [("e", (), "e", True), ("x", (), "x", False), ("e", ("a",), "e.a", False)]),
        ("[e.a for x in xs if has(e)]", [("e", ("a",), "e.a", True), ("xs", (), "xs", False), ("e", (), "e", True)]),
        ("{'k': a.b, c: 1}", [("a", ("b",), "a.b", False), ("c", (), "c", False)]),
    ],
)  # fmt: skip
def test_reads(text: str, expected: list[tuple[str, tuple[str | int, ...], str, bool]]) -> None:
    assert paths(text) == expected
