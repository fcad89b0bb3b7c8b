"""The names under which an agent's model sees its tools."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from graphagent.nodes.offers import by_shown_name, without_import
from graphagent.ports import ToolInfo


@dataclass(frozen=True)
class Offered:
    info: ToolInfo


def offered(name: str) -> Offered:
    return Offered(ToolInfo(name, "python", "", {}, None, "read", 60.0))


ENTRIES = ("search", "github", "team.search", "team.github", "team.archive.search", "archive.search", "other.search")


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("search", "search"),
        ("github.create", "github.create"),
        ("team.search", "search"),
        ("team.github.create", "github.create"),
        ("team.archive.search", "search"),
        ("critic", "critic"),
    ],
)
def test_names_of_imports_are_left_out(name: str, own: str) -> None:
    assert without_import(name, ENTRIES) == own


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["team.search", "team.github.create"], ["search", "github_create"]),
        (["search", "archive.search"], ["search", "archive_search"]),
        (["archive.search", "other.search", "critic"], ["archive_search", "other_search", "critic"]),
        (
            ["archive.search", "other.search", "x.archive_search"],
            ["archive_search", "other_search", "x_archive_search"],
        ),
    ],
)
def test_two_that_would_be_alike_keep_theirs(names: list[str], shown: list[str]) -> None:
    offers = [offered(name) for name in names]
    found = by_shown_name(offers, (*ENTRIES, "x.archive_search"))
    assert found == dict(zip(shown, offers, strict=True))
