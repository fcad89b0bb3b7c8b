from __future__ import annotations

from graphagent.drawing.layering import back_edges, layers


def test_the_edge_that_closes_a_cycle_in_the_order_of_the_text_goes_back() -> None:
    assert back_edges(3, [(0, 1), (1, 2), (2, 0)]) == [False, False, True]
    assert back_edges(3, [(2, 0), (0, 1), (1, 2)]) == [True, False, False]


def test_an_edge_to_itself_goes_back_and_a_cross_edge_does_not() -> None:
    assert back_edges(4, [(0, 1), (0, 2), (1, 3), (2, 3), (1, 1), (2, 1)]) == [False] * 4 + [True, False]


def test_a_path_of_thousands_needs_no_deep_recursion() -> None:
    pairs = [(i, i + 1) for i in range(5000)] + [(5000, 0)]
    assert sum(back_edges(5001, pairs)) == 1


def test_the_longest_path_gives_the_layer() -> None:
    assert layers(4, [(0, 1), (1, 2), (0, 2), (2, 3)], frozenset({0})) == [0, 1, 2, 3]


def test_a_source_moves_down_to_what_it_shares_with_others() -> None:
    assert layers(4, [(0, 1), (1, 2), (3, 2)], frozenset({0})) == [0, 1, 2, 1]
    assert layers(5, [(0, 1), (1, 2), (3, 2), (3, 4)], frozenset({0})) == [0, 1, 2, 1, 2]
    assert layers(4, [(0, 1), (1, 2), (3, 2)], frozenset({0, 3})) == [0, 1, 2, 0]


def test_a_source_never_pushes_what_it_shares() -> None:
    # 0-1-2-3-4 is a chain, 5 leads to 4 and by way of 6 to 2: it stays where 2 may stay
    pairs = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 4), (5, 6), (6, 2)]
    assert layers(7, pairs, frozenset({0})) == [0, 1, 2, 3, 4, 0, 1]


def test_there_is_no_empty_layer() -> None:
    pairs = [(0, 1), (1, 2), (0, 3), (4, 3), (4, 5), (5, 6), (6, 3)]
    found = layers(7, pairs, frozenset())
    assert set(found) == set(range(max(found) + 1))
