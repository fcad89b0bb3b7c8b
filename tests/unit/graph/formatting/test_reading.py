from __future__ import annotations

from graphagent.graph.formatting.reading import read_tree
from graphagent.graph.formatting.tree import Branch, Entry


def entries(text: str) -> dict[str, Entry]:
    root = read_tree(text).root
    assert root is not None
    assert isinstance(root.value, Branch)
    return {entry.key.text: entry for entry in root.value.entries if entry.key is not None}


def test_comments_belong_to_what_they_stand_at() -> None:
    found = entries(
        "# file\n\n# above a\na: 1 # beside a\nb: # beside b\n  c: 1\n  # end of b\n# above d\nd: [x] # beside d\n# end"
    )
    assert [c.text for c in found["a"].before] == ["# file", "# above a"]
    assert [c.spaced for c in found["a"].before] == [False, True]
    assert [c.text for c in found["a"].beside] == ["# beside a"]
    assert [c.text for c in found["b"].beside] == ["# beside b"]
    assert isinstance(found["b"].value, Branch)
    assert [c.text for c in found["b"].value.after] == ["# end of b"]
    assert [c.text for c in found["d"].before] == ["# above d"]
    assert [c.text for c in found["d"].beside] == ["# beside d"]


def test_a_hash_in_text_is_no_comment() -> None:
    text = "a: x#y\nb: 'x # y'\nc: |\n  # text\nd: \"x\n  # y\"\ne: &h x\n"
    assert list(read_tree(text).comments()) == []


def test_brackets_on_one_line_are_flow_and_others_arent() -> None:
    found = entries("a: { b: 1 }\nc: { d: 1,\n  e: 2 }\n")
    assert [isinstance(e.value, Branch) and e.value.flow for e in found.values()] == [True, False]


def test_blank_lines_in_a_kept_block_scalar_are_its_own() -> None:
    found = entries("a: |+\n  x\n\nb: 1\n\nc: |\n  x\n\nd: 1\n")
    assert [found[key].spaced for key in "bcd"] == [False, True, True]


def test_the_head_of_a_document_stays() -> None:
    tree = read_tree("%YAML 1.1\n# c\n--- # d\na: 1\n...\n# e\n")
    assert tree.head == ("%YAML 1.1", "# c", "---")
    assert list(tree.comments()) == ["# c", "# d", "# e"]
