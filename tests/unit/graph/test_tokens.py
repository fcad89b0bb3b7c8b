"""May-analyses over tokens: who can meet whom, and which fork a join waits for."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.graph.flow import Flow
from graphagent.graph.spec import GraphSpec, NodeSpec, Route, RouterBody, SetBody
from graphagent.graph.tokens import Tokens
from tests.examples_count import examples


def tokens(start: str, joins: str = "", parking: str = "", **routes: str) -> Tokens:
    """A graph in short: `a="b c | d"` is a node with a fork to b and c, or else d."""
    nodes = {}
    for name, text in routes.items():
        following = tuple(Route(tuple(part.split())) for part in text.split("|"))
        kind = "human" if name in parking.split() else "set"
        body = RouterBody() if len(following) > 1 else SetBody()
        nodes[name] = NodeSpec(name, kind, body, following, join="all" if name in joins.split() else None)
    return Tokens(Flow(GraphSpec("", tuple(start.split()), nodes)))


def meetings(found: Tokens) -> set[str]:
    return {a + b for a, b in combinations(sorted(found.nodes), 2) if found.together(a, b)}


def test_branches_in_step_meet_and_others_do_not() -> None:
    assert meetings(tokens("a b", a="c", b="d", c="end", d="end")) == {"ab", "cd"}
    assert meetings(tokens("a", a="b", b="end")) == set()


def test_a_waiting_node_meets_all_that_comes() -> None:
    assert meetings(tokens("a b", parking="a", a="end", b="c", c="end")) == {"ab", "ac"}


def test_a_join_waits_for_its_branches() -> None:
    found = tokens("a b", joins="j", a="j", b="c", c="d", d="j", j="e", e="end")
    assert meetings(found) == {"ab"} | set()
    assert found.join_forks == {"j": ""}


def test_a_join_of_an_inner_fork_goes_on_beside_the_outer_branch() -> None:
    found = tokens("f", joins="j o", f="g x", g="a b", a="j", b="j", j="o", x="y", y="z", z="o", o="end")
    assert found.join_forks == {"j": "g", "o": "f"}
    assert {"gx", "ab", "ay", "by", "jz"} <= meetings(found)
    assert not any("o" in pair for pair in meetings(found))


def test_a_join_in_a_loop() -> None:
    found = tokens("w", joins="j", w="a b", a="j", b="c", c="j", j="w | end")
    assert found.join_forks == {"j": "w"}
    assert meetings(found) == {"ab"}


def test_a_join_behind_another_of_the_same_fork_has_nothing_to_wait_for() -> None:
    found = tokens("a b", joins="j k", a="j", b="j", j="k", k="end")
    assert found.join_forks == {"j": ""}


def test_a_fork_in_only_one_route() -> None:
    found = tokens("n", joins="j", n="a b | c", a="j", b="j", c="j", j="end")
    assert found.join_forks == {}


NAMES = "abcdef"
TARGETS = st.lists(st.sampled_from([*NAMES, "end"]), min_size=1, max_size=2, unique=True).map(" ".join)
NEXT = st.lists(TARGETS, min_size=1, max_size=2).map(" | ".join)


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, NEXT)), st.sets(st.sampled_from(NAMES), max_size=2), st.randoms())
@settings(max_examples=examples(200), deadline=None)
def test_whatever_meets_in_a_run_was_foreseen(routes: dict[str, str], parking: set[str], random: object) -> None:
    found = tokens("a b", parking=" ".join(parking), **routes)
    possible = meetings(found)
    due = {"a", "b"}
    for _ in range(12):
        waiting = {name for name in due & parking if random.random() < 0.5}  # type: ignore[attr-defined]
        running = due - waiting
        assert {a + b for a, b in combinations(sorted(running), 2)} <= possible
        due = set(waiting)
        for name in sorted(running):
            due |= set(random.choice(routes[name].split("|")).split()) - {"end"}  # type: ignore[attr-defined]


def test_forks_without_end_are_bounded() -> None:
    chain = {f"n{i}": f"n{i + 1} x{i}" for i in range(200)} | {f"x{i}": "end" for i in range(200)} | {"n200": "end"}
    found = tokens("n0", **chain)
    assert found.stacks
    assert found.too_deep is not None


def test_too_many_pairs_give_the_coarse_answer() -> None:
    names = [f"n{i}" for i in range(600)]
    found = tokens(" ".join(names), **dict.fromkeys(names, "end"))
    assert found.pairs is None
    assert found.together("n0", "n599")
