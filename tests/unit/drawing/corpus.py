"""Diagrams that the tests of this folder draw."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

from graphagent.drawing import Diagram, DiagramChannel, DiagramEdge, DiagramNode, Group, NodeRun, Overlay

Way = tuple[str, ...]
KINDS = ("set", "code", "llm", "router", "human", "emit", "tool", "agent", "wait")


def diagram(
    name: str, nodes: Iterable[str | DiagramNode], ways: Iterable[Way], groups: Iterable[Group] = ()
) -> Diagram:
    """Nodes as `id:kind`; ways as (source, target, kind, label)."""
    made = []
    for node in nodes:
        if isinstance(node, str):
            label, _, kind = node.partition(":")
            node = DiagramNode(label, label, kind)
        made.append(node)
    edges = tuple(DiagramEdge(f"e{i}", *way) for i, way in enumerate(ways))  # type: ignore[arg-type]
    return Diagram(name, tuple(made), edges, tuple(groups))


CHAIN = diagram(
    "chain",
    ["start:start", "fetch:code", "summarize:llm", "publish:emit", "end:end"],
    [("start", "fetch"), ("fetch", "summarize"), ("summarize", "publish"), ("publish", "end")],
)

DIAMOND = diagram(
    "diamond",
    ["start:start", "draft:llm", "facts:code", "style:llm", "legal:human", "print:emit", "end:end"],
    [
        ("start", "draft"),
        *[("draft", branch, "fork") for branch in ("facts", "style", "legal")],
        *[(branch, "print") for branch in ("facts", "style", "legal")],
        ("print", "end"),
    ],
)
DIAMOND = replace(DIAMOND, nodes=tuple(replace(n, join="all") if n.id == "print" else n for n in DIAMOND.nodes))

NESTED_LOOPS = diagram(
    "nested loops",
    ["start:start", "plan:llm", "write:llm", "test:code", "judge:router", "review:human", "end:end"],
    [
        ("start", "plan"),
        ("plan", "write"),
        ("write", "test"),
        ("test", "judge"),
        ("judge", "write", "route", "tries < 5"),
        ("judge", "review", "else"),
        ("review", "plan", "route", "decision == 'reject'"),
        ("review", "end", "else"),
    ],
)

SELF_LOOP = diagram(
    "self loop",
    ["start:start", "poll:code", "done:emit", "end:end"],
    [
        ("start", "poll"),
        ("poll", "poll", "route", "not ready"),
        ("poll", "poll", "error"),
        ("poll", "done", "else"),
        ("done", "poll", "route", "again"),
        ("done", "end", "else"),
    ],
)

MAP = diagram(
    "summarize-documents",
    [
        "start:start",
        "split:code",
        DiagramNode("each/do", "each doc", "llm", sublabel="fast", group="each"),
        DiagramNode("condense", "condense", "graph", sublabel="self, at most 2 deep"),
        "reduce:llm",
        "end:end",
    ],
    [
        ("start", "split"),
        ("split", "each"),
        ("each", "condense", "route", "sum([s.tokens for s in summaries]) > 6000"),
        ("each", "reduce", "else"),
        ("condense", "end"),
        ("reduce", "end"),
    ],
    [Group("each", "summarize_each", "map", count=1, sublabel="over chunks")],
)

MAP_IN_MAP = diagram(
    "map in map",
    [
        "start:start",
        "split:code",
        DiagramNode("docs/pick", "pick", "code", group="docs"),
        DiagramNode("docs/pages/do", "translate", "llm", group="docs/pages"),
        "end:end",
    ],
    [
        ("start", "split"),
        ("split", "docs"),
        ("docs/pick", "docs/pages"),
        ("docs", "end", "else"),
        ("docs", "split", "route", "more"),
        ("docs/pages", "docs/pages", "route", "another page"),
    ],
    [
        Group("docs", "each_doc", "map", count=2),
        Group("docs/pages", "each_page", "map", parent="docs", count=1, join="all"),
    ],
)

_REFUND = [("start", "start"), ("lookup", "code"), ("ask", "human"), ("pay", "tool"), ("deny", "set"), ("end", "end")]
SUPPORT = diagram(
    "customer-support",
    [
        *("start:start", "classify:llm", "route:router", "answer:agent", "await_customer:wait"),
        *(DiagramNode(f"refund_flow/{n}", n, kind, group="refund_flow") for n, kind in _REFUND),
        *("resolve:set", "expire:set", "escalate:emit", "end:end"),
    ],
    [
        ("start", "classify"),
        ("classify", "route"),
        ("route", "escalate", "route", "urgent"),
        ("route", "refund_flow", "route", "triage.intent == 'refund'"),
        ("route", "answer", "else"),
        ("answer", "await_customer"),
        ("await_customer", "expire", "error", "error.kind == 'timeout'"),
        ("await_customer", "resolve", "route", "event.solved"),
        ("await_customer", "answer", "route", "attempts < 3"),
        ("await_customer", "escalate", "else"),
        ("refund_flow", "resolve", "route", "decision == 'approve'"),
        ("refund_flow", "escalate", "else"),
        ("resolve", "end"),
        ("expire", "end"),
        ("escalate", "end"),
        ("classify", "escalate", "error"),
        ("refund_flow/start", "refund_flow/lookup"),
        ("refund_flow/lookup", "refund_flow/pay", "route", "amount <= 50"),
        ("refund_flow/lookup", "refund_flow/ask", "else"),
        ("refund_flow/ask", "refund_flow/pay", "route", "decision == 'approve'"),
        ("refund_flow/ask", "refund_flow/deny", "else"),
        ("refund_flow/pay", "refund_flow/end"),
        ("refund_flow/deny", "refund_flow/end"),
    ],
    [Group("refund_flow", "refund_flow", "graph", count=4)],
)

ROUTER = diagram(
    "router",
    ["start:start", "route:router", *(f"branch_{i}:llm" for i in range(5)), "end:end"],
    [
        ("start", "route"),
        ("route", "branch_0", "route", "triage.intent == 'refund' and amount < 50"),
        ("route", "branch_1", "route", "len(findings) >= 3 and verdict == 'accept'"),
        ("route", "branch_2", "route", "inputs.language in ['de', 'fr', 'it', 'es']"),
        ("route", "branch_3", "route", "default(error.cause, '') == 'http_404_gone'"),
        ("route", "branch_4", "else"),
        *[(f"branch_{i}", "end") for i in range(5)],
    ],
)

ERRORS = diagram(
    "errors",
    ["start:start", "fetch:code", "parse:code", "store:tool", "apologise:emit", "limits:limit", "end:end", "fail:fail"],
    [
        ("start", "fetch"),
        ("fetch", "parse"),
        ("fetch", "fail", "error", "error.kind == 'auth'"),
        ("fetch", "apologise", "error"),
        ("parse", "store"),
        ("parse", "fail", "error", "gave up"),
        ("store", "end", "route", "out.ok"),
        ("store", "fail", "else", "the bank refused"),
        ("apologise", "fail"),
        ("limits", "apologise", "limit"),
    ],
)

WRITER = diagram(
    "code-writer",
    [
        *("start:start", "write:llm", "run_tests:code", "run_lint:code"),
        DiagramNode("judge", "judge", "router", join="all"),
        *("review:human", "give_up:emit", "end:end"),
    ],
    [
        ("start", "write"),
        ("write", "run_tests", "fork"),
        ("write", "run_lint", "fork"),
        ("run_tests", "judge", "error", "error.kind == 'timeout'"),
        ("run_tests", "judge"),
        ("run_lint", "judge"),
        ("judge", "review", "route", "passed"),
        ("judge", "write", "route", "tries < 5"),
        ("judge", "give_up", "else"),
        ("review", "end"),
        ("give_up", "end"),
    ],
)
WRITER = replace(
    WRITER,
    description="Writes code until its tests pass.",
    nodes=tuple(
        replace(n, reads=("log", "lint"), writes=("files", "tries")) if n.id == "write" else n for n in WRITER.nodes
    ),
)
WRITER_RUN = Overlay(
    nodes={
        "write": NodeRun("done", 3, 1234, "340 tok · $0.0021"),
        "run_tests": NodeRun("done", 3, 2100),
        "run_lint": NodeRun("replayed", 3, 12),
        "judge": NodeRun("done", 3, 0),
        "review": NodeRun("waiting", 1, prompt="Tests pass after 3 tries. Edit or accept."),
        "give_up": NodeRun("skipped"),
    },
    taken={"e0": 1, "e1": 3, "e2": 3, "e4": 3, "e5": 3, "e6": 1, "e7": 2},
    channels={"files": "v3→v4"},
    outlined=frozenset({"judge"}),
    due=frozenset({"end"}),
    caption="code-writer @7",
)

TWO_JOINS = diagram(
    "two joins",
    [
        *("start:start", "draft:llm", "facts:code", "verify:code", "style:router"),
        DiagramNode("print", "print", "emit", join="all"),
        *("deep:router", "left:set", "right:set"),
        DiagramNode("meet", "meet", "set", join="all"),
        "end:end",
    ],
    [
        ("start", "draft"),
        ("draft", "facts", "fork"),
        ("draft", "style", "fork"),
        ("facts", "verify"),
        ("verify", "print"),
        ("style", "print", "route", "needs_style"),
        ("style", "end", "else"),
        ("print", "deep"),
        ("deep", "left", "fork"),
        ("deep", "right", "fork"),
        ("left", "meet"),
        ("right", "meet"),
        ("meet", "end"),
    ],
)

SCRIPTS = diagram(
    "scripts & <hostile> labels",
    [
        "start:start",
        DiagramNode("cjk", "要約を作成する", "llm"),
        DiagramNode("rtl", "שלום עולם", "code"),
        DiagramNode("emoji", "🚀 launch", "emit"),
        DiagramNode("bad", "<script>alert('&\"')</script>\x1b[31m\x00\ud800\u202e]]>", "set"),
        DiagramNode("long", "a_name_of_a_node_that_goes_on_and_on_until_it_has_more_than_a_hundred_letters" * 2, "set"),
        DiagramNode('id"><x', "", "unheard_of"),
        "end:end",
    ],
    [
        ("start", "cjk"),
        ("cjk", "rtl", "route", '状態 == "完了"'),
        ("cjk", "emoji", "else"),
        ("rtl", "bad", "route", "\x1b]0;owned\x07 --> `x` | {y}"),
        ("emoji", "long"),
        ("bad", 'id"><x'),
        ("long", 'id"><x', "error"),
        ('id"><x', "end"),
    ],
)

_EVERY_KIND = [
    DiagramNode("answer", "answer", "agent", sublabel="main, 3 tools"),
    DiagramNode("draft", "draft", "llm", sublabel="fast"),
    DiagramNode("find", "find", "tool", sublabel="search"),
    DiagramNode("count", "count", "code", sublabel="shop.pay:order", flags=("interrupt before",)),
    DiagramNode("tests", "tests", "code", sublabel="run pytest -q", flags=("sandbox wasm",)),
    DiagramNode("ask", "ask", "human", sublabel="approve"),
    DiagramNode("refund", "refund", "graph", sublabel="refunds · 4 nodes"),
    DiagramNode("each", "each", "map", sublabel="over docs · 1 node"),
    DiagramNode("route", "route", "router"),
    DiagramNode("tidy", "tidy", "set"),
    DiagramNode("publish", "publish", "emit", sublabel="news.out"),
    DiagramNode("reply", "reply", "wait", sublabel="event customer.replied", flags=("interrupt after",)),
    DiagramNode("pause", "pause", "wait", sublabel="10m"),
    DiagramNode("meet", "meet", "set", join="at least 2"),
    DiagramNode("first", "first", "wait", join="at least 1, cancels siblings"),
]
EVERY_KIND = replace(
    diagram(
        "every kind",
        ["start:start", *_EVERY_KIND, "end:end"],
        [
            *(("start", name, "fork") for name in ("answer", "draft", "find", "count", "tests", "ask")),
            *[("answer", "refund"), ("draft", "each"), ("find", "route"), ("count", "tidy"), ("tests", "publish")],
            *[("ask", "reply"), ("reply", "reply", "route", "again"), ("publish", "publish", "route", "again")],
            *[("find", "find", "error"), ("count", "count", "error"), ("reply", "pause")],
            *((name, "meet") for name in ("refund", "each", "route")),
            *((name, "first") for name in ("tidy", "publish", "pause")),
            *[("meet", "end"), ("first", "end")],
        ],
    ),
    channels=(
        DiagramChannel("notes", "list[Note]", "append", ("answer", "draft", "find", "count"), ("refund", "first")),
        DiagramChannel("a_longer_name", "dict[str, list[int]]", "my.own:reducer", (), ("meet",)),
        DiagramChannel("unread", "str", "last", ("ask",)),
    ),
)

HUB = diagram(
    "hub with five spokes",
    [
        "start:start",
        DiagramNode("hub/research", "research", "graph", "finds things", "research · 6 nodes", "hub"),
        DiagramNode("hub/write", "write", "agent", "writes it up", "main, 2 tools", "hub"),
        DiagramNode("hub/calculate", "calculate", "tool", "does sums", "calc", "hub"),
        DiagramNode("hub/translate", "translate", "llm", "", "fast", "hub"),
        DiagramNode("hub/review", "review", "agent", "", "main", "hub"),
        *("ask:human", "end:end"),
    ],
    [("start", "hub"), ("hub", "ask", "route", "unsure"), ("ask", "hub"), ("hub", "end", "else")],
    [Group("hub", "hub", "agent", count=5, sublabel="main, 1 tool, 5 delegates")],
)

NOTHING = Diagram("nothing", ())
LONELY = diagram("lonely", ["a:set", "b:set"], [])


def random_diagram(nodes: int, edges: int, seed: int, backwards: float = 0.06) -> Diagram:
    """A connected graph with loops, labels and parallel edges; the same for a seed on every machine."""
    rng = random.Random(seed)
    names = [f"node_{i}" for i in range(nodes)]
    ways: list[Way] = [("start", names[0])]
    ways += [(names[max(0, i - rng.randint(1, 6))], names[i]) for i in range(1, nodes)]
    while len(ways) < edges - 1:
        a = rng.randrange(nodes)
        b = min(nodes - 1, a + rng.randint(0, max(6, nodes // 12)))
        if rng.random() < backwards:
            a, b = b, a
        elif a == b:
            continue
        ways.append((names[a], names[b], *(("route", f"x > {a}") if rng.random() < 0.3 else ())))
    ways.append((names[-1], "end"))
    kinds = [f"{name}:{rng.choice(KINDS)}" for name in names]
    return diagram(f"random {nodes} {seed}", ["start:start", *kinds, "end:end"], ways)


NAMED = {
    d.name: d
    for d in (
        CHAIN, DIAMOND, NESTED_LOOPS, SELF_LOOP, MAP, MAP_IN_MAP, SUPPORT, ROUTER, ERRORS, WRITER, TWO_JOINS, SCRIPTS,
        EVERY_KIND, HUB, NOTHING, LONELY,
    )
}  # fmt: skip
SMALL = [random_diagram(8 + seed, 12 + 2 * seed, seed, 0.15) for seed in range(24)]
EVERY = [*NAMED.values(), *SMALL, random_diagram(50, 80, 50)]
