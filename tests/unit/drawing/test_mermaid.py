from __future__ import annotations

import re

from graphagent.drawing import DiagramNode, draw
from tests.unit.drawing import corpus


def test_a_graph_with_a_subgraph() -> None:
    lines = draw(corpus.MAP, format="mermaid").splitlines()
    assert lines == [
        "flowchart TB",
        '  n_start(["start"])',
        '  n_split["split<br>code"]',
        '  n_condense[["condense<br>graph · self, at most 2 deep"]]',
        '  n_reduce("reduce<br>llm")',
        '  n_end((("end")))',
        '  subgraph n_each["summarize_each<br>map · over chunks"]',
        '    n_each_do("each doc<br>llm · fast")',
        "  end",
        "  n_start --> n_split",
        "  n_split --> n_each",
        '  n_each -->|"sum#40;#91;s.tokens for s in summaries#93;#41; #62; 6000"| n_condense',
        '  n_each -->|"else"| n_reduce',
        "  n_condense --> n_end",
        "  n_reduce --> n_end",
    ]


def test_loops_are_dotted_and_errors_red() -> None:
    text = draw(corpus.SELF_LOOP, format="mermaid", direction="lr")
    assert text.startswith("flowchart LR\n")
    assert 'n_poll -.->|"↻ not ready"| n_poll' in text
    assert "linkStyle 2 stroke:#b3231b" in text


def test_hostile_labels_stay_within_their_quotes() -> None:
    for line in draw(corpus.SCRIPTS, format="mermaid").splitlines():
        inside = "".join(re.findall(r'"([^"]*)"', line))
        assert line.count('"') in (0, 2)
        assert not re.search(r"[&`|{}\[\]]|<(?!br>)", inside)


def test_ids_are_safe_and_unique() -> None:
    names = ["a b", "a_b", "a/b", "end", "名"]
    nodes = [DiagramNode(name, name, "set") for name in names]
    text = draw(corpus.diagram("ids", nodes, []), format="mermaid")
    assert re.findall(r"^  (\w+)\[", text, flags=re.MULTILINE) == ["n_a_b", "n_a_b_2", "n_a_b_3", "n_end", "n__"]


def test_states_are_classes() -> None:
    text = draw(corpus.WRITER, format="mermaid", overlay=corpus.WRITER_RUN)
    assert "class n_write,n_run_tests,n_judge done" in text
    assert "stroke-width:4px" in text
