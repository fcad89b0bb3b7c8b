from __future__ import annotations

from graphagent.graph import keys
from graphagent.graph.key_pages import TABLES, all_pages, pages_of


def test_every_key_of_the_language_has_a_page() -> None:
    pages = {where: [page.key for page in all_pages() if page.where == where] for where in TABLES}
    assert {where: set(found) for where, found in pages.items()} == {w: set(shape) for w, (shape, _) in TABLES.items()}
    assert all(len(found) == len(set(found)) for found in pages.values())


def test_every_table_of_keys_is_there() -> None:
    shapes = [value for name, value in vars(keys).items() if name.isupper() and _is_shape(value)]
    shown = [shape for shape, _ in TABLES.values()]
    covered = {key for shape in shown for key in shape}
    assert all(shape in shown or set(shape) <= covered for shape in [*shapes, *keys.KINDS.values()])
    assert {kind for kind, shape in keys.KINDS.items() if shape} == {
        where.removeprefix("`kind: ").rstrip("`") for where in TABLES if where.startswith("`kind:")
    }


def _is_shape(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, keys.Key) for item in value.values())


def test_a_key_that_stands_at_several_places_has_several_pages() -> None:
    assert [page.where for page in pages_of("effects")] == ["a tool", "`kind: code`"]
    assert pages_of("effects")[0].text.startswith("`effects` of a tool\n  pure, read or write")
    assert "required" in pages_of("next")[0].text
