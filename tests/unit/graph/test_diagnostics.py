"""Frames: exact text, columns that line up under any writing, nothing that steers a terminal."""

from __future__ import annotations

from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Note, Span, frame, render, show_path

FILE = "graphs/summarize.graph.yaml"


def finding(line: int, column: int, end: int, **more: object) -> Diagnostic:
    return Diagnostic("GA203", "error", "m", Span(FILE, line, column, line, end), **more)  # type: ignore[arg-type]


def test_the_frame_of_the_design() -> None:
    lines = [""] * 40 + ["      summaries: ${ sumaries + [out] }"]
    span = Span(FILE, 41, 21, 41, 29)
    item = Diagnostic(
        "GA203", "error", "unknown channel `sumaries`", span, label="not declared under `channels`",
        notes=(Note("`summaries: list[Summary]` is declared here", Span(FILE, 19, 3, 19, 12)),),
        help="did you mean `summaries`?", fix=Fix("replace", (Edit(span, "summaries"),)),
    )  # fmt: skip
    assert frame(item, "\n".join(lines)) == (
        "error[GA203]: unknown channel `sumaries`\n"
        "  --> graphs/summarize.graph.yaml:41:21\n"
        "   |\n"
        "41 |       summaries: ${ sumaries + [out] }\n"
        "   |                     ^^^^^^^^ not declared under `channels`\n"
        "   |\n"
        "note: `summaries: list[Summary]` is declared here\n"
        "  --> graphs/summarize.graph.yaml:19:3\n"
        "help: did you mean `summaries`?   (`graphagent validate --fix` applies it)"
    )


def carets(line: str, column: int, end: int) -> tuple[str, str]:
    shown = frame(finding(1, column, end), line).split("\n")
    return shown[3].removeprefix("1 | "), shown[4].removeprefix("  | ")


def test_carets_under_wide_letters_and_tabs() -> None:
    assert carets("\tab", 2, 4) == ("    ab", "    ^^")
    assert carets("\u4f60\u597d ab", 4, 6) == ("\u4f60\u597d ab", "     ^^")
    assert carets("\u4f60\u597d", 2, 3) == ("\u4f60\u597d", "  ^^")
    assert carets("e\u0301 ab", 4, 6) == ("e\u0301 ab", "  ^^")
    family = "\U0001f469\u200d\U0001f4bb"
    assert carets(f"{family} ab", 5, 7) == (f"{family} ab", "   ^^")


def test_an_empty_span_gets_one_caret_and_a_far_one_the_end() -> None:
    assert carets("ab", 3, 3)[1] == "  ^"
    assert carets("ab", 50, 60)[1] == "  ^"


def test_long_lines_are_cut_around_the_place() -> None:
    shown, below = carets("x" * 5_000 + "MARK" + "y" * 5_000, 5_001, 5_005)
    assert len(shown) < 250
    assert shown[below.index("^") : below.rindex("^") + 1] == "MARK"


def test_nothing_steers_the_terminal() -> None:
    item = Diagnostic("GA203", "error", "a\x1b[31mb\u202ec\nd", Span("f\x1b", 1, 1, 1, 2), label="\x07", help="\x9b")
    shown = frame(item, "\x1b]0;x\u202e\u2066")
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert shown.count("\n") == 6


def test_rendering_sorts_counts_and_cuts() -> None:
    text = "x\n" * 70
    found = [finding(line, 1, 2) for line in range(60, 0, -1)]
    found.append(Diagnostic("GA404", "warning", "w", Span(FILE, 1, 1, 1, 2)))
    shown = render(found, {FILE: text})
    assert shown.startswith("error[GA203]: m\n --> graphs/summarize.graph.yaml:1:1\n")
    assert shown.endswith("\n\n... and 11 more\n\n60 errors, 1 warning in 1 file.  graphagent explain GA203")
    assert shown.count("GA203]") == 49
    assert render([], {}) == ""


def test_the_document_has_every_field_in_order() -> None:
    document = finding(1, 1, 2, path="$.a").document("x")
    assert list(document) == [
        "code", "severity", "message", "file", "span", "path", "label", "notes", "help", "frame", "fix",
    ]  # fmt: skip
    assert document["span"] == {"file": FILE, "line": 1, "column": 1, "end_line": 1, "end_column": 2}
    assert document["fix"] is None


def test_paths() -> None:
    assert show_path(("nodes", "write", "next", 0)) == "$.nodes.write.next[0]"
    assert show_path(("a b", 'c"')) == '$["a b"]["c""]'
