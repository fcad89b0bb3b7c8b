"""A file with twelve different mistakes shows twelve findings, each at its place, with what to do about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.acceptance.test_cli import call

GRAPH = """\
apiVersion: graphagent/v1
kind: Graph
metadata: { name: twelve }
types:
  Note: { id: str, text: str, score: int }
inputs: { topic: str, depth: "int = 2" }
outputs: { report: str }
models: { fast: scripted/fast }
channels:
  notes: { type: "list[«1:Nota»]", reducer: append }
  draft: { type: str, default: "" }
  total: { type: int, reducer: «2:append» }
  rounds: { type: int, reducer: sum }
  report: { type: str, default: "" }
limits: { supersteps: 20 }
start: plan
nodes:
  plan:
    kind: llm
    model: «3:fats»
    prompt: "Plan {{ «4:topc» }}."
    with: { topic: "${ inputs.topic }" }
    returns: { steps: "list[Note]" }
    writes: { notes: "${ out.«5:stepz» }" }
    next: [facts, style]
  facts:
    kind: llm
    model: fast
    «6:promt»: "Check {{ n }} facts."
    with: { n: "${ len(«7:notse») }" }
    writes: { draft: "${ out.text }" }
    next: gather
  style:
    kind: llm
    model: fast
    prompt: "Check the style."
    writes: { «8:draft»: "${ out.text }", rounds: «9:"one"» }
    next: gather
  gather:
    kind: router
    join: all
    next:
      - { when: "«10:len(draft)»", to: plan }
      - { to: «11:wrte» }
  write:
    kind: set
    writes: { report: "${ draft }" }
    next: end
  «12:orphan»:
    kind: set
    next: end
"""
EXPECTED = {
    1: ("GA103", "did you mean `Note`?"), 2: ("GA302", None), 3: ("GA103", "did you mean `fast`?"),
    4: ("GA501", "did you mean `topic`?"), 5: ("GA204", "did you mean `steps`?"), 6: ("GA004", "did you mean `prompt`?"),
    7: ("GA203", "did you mean `notes`?"), 8: ("GA406", "join the branches"), 9: ("GA301", "without quotes it is no text"),
    10: ("GA206", "write `len(draft) != 0`"), 11: ("GA101", "did you mean `write`?"), 12: ("GA401", None),
}  # fmt: skip
"""Code of each mistake and a piece of its help: structure, names, types, expressions, a template, and flow."""
_MARK = re.compile(r"«(\d+):(.*?)»")


def written(folder: Path) -> dict[int, tuple[int, int, int]]:
    """Writes the file; the places of the mistakes are (line, column, end column)."""
    places: dict[int, tuple[int, int, int]] = {}
    lines = []
    for number, line in enumerate(GRAPH.splitlines(), 1):
        while (mark := _MARK.search(line)) is not None:
            places[int(mark[1])] = (number, mark.start() + 1, mark.start() + 1 + len(mark[2]))
            line = line[: mark.start()] + mark[2] + line[mark.end() :]
        lines.append(line)
    (folder / "twelve.graph.yaml").write_text("\n".join(lines) + "\n")
    return places


def test_twelve_mistakes_are_twelve_findings_at_their_places(tmp_path: Path) -> None:
    places = written(tmp_path)
    assert len(places) == 12
    document = json.loads(call(tmp_path, "validate", "twelve.graph.yaml", "--json", code=3).stdout)
    assert document["counts"] == {"error": 12, "warning": 0}
    found = {(d["span"]["line"], d["span"]["column"], d["span"]["end_column"]): d for d in document["diagnostics"]}
    assert sorted(found) == sorted(places.values())
    for number, place in places.items():
        code, help = EXPECTED[number]
        assert found[place]["code"] == code, found[place]["frame"]
        assert help is None or help in (found[place]["help"] or ""), found[place]["frame"]
        assert "^" * (place[2] - place[1]) in found[place]["frame"]


def test_every_finding_says_what_to_do(tmp_path: Path) -> None:
    written(tmp_path)
    text = call(tmp_path, "validate", "twelve.graph.yaml", code=3).stdout
    frames = text.split("\n\n")
    assert frames[-1].startswith("12 errors in 1 file.")
    for frame in frames[:-1]:
        assert "help: " in frame or re.search(r"\^+ \S", frame), frame


def test_fixes_leave_only_what_needs_thought(tmp_path: Path) -> None:
    written(tmp_path)
    told = call(tmp_path, "validate", "--fix", "twelve.graph.yaml", code=3)
    assert "7 fixed, 5 left" in told.stderr
    assert sorted(re.findall(r"^error\[(GA\d+)\]", told.stdout, re.M)) == ["GA206", "GA301", "GA302", "GA401", "GA406"]
