from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from graphagent.cli.fixing import MAX_ROUNDS, fix_file
from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Span
from graphagent.graph.document import Document, Source
from graphagent.session.graph_file import GraphFile, read_graph_file
from tests.unit.cli.plans import HEAD

TEXT = HEAD + (
    "channels: { sums: { type: int, default: 0 } }\nstart: aa\nnodes:\n"
    "  aa: { kind: set, writes: { smus: '${ smus + 1 }' }, nxt: end }\n"
)
UNREAD = Document(Source("", "g"), None)


def graph(folder: Path, content: bytes) -> GraphFile:
    file = folder / "g.graph.yaml"
    file.write_bytes(content)
    return read_graph_file(file)


def again(file: GraphFile) -> GraphFile:
    return read_graph_file(file.path)


def finding(text: str, *spans: tuple[int, int]) -> Diagnostic:
    edits = tuple(Edit(Span("g", 1, a, 1, b), text) for a, b in spans)
    return Diagnostic("GA101", "error", text, edits[0].span, fix=Fix(f"replace by `{text}`", edits))


def test_fixes_that_show_only_after_others(tmp_path: Path) -> None:
    done = fix_file(graph(tmp_path, TEXT.encode()), again)
    assert done.file.diagnostics == []
    assert sorted(d.code for d in done.applied) == ["GA004", "GA102", "GA203"]
    assert done.file.path.read_text() == TEXT.replace("smus", "sums").replace("nxt", "next")


def test_a_byte_order_mark_line_ends_and_rights_stay(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
    file = graph(tmp_path, content)
    file.path.chmod(0o640)
    assert fix_file(file, again).file.diagnostics == []
    assert file.path.read_bytes() == content.replace(b"smus", b"sums").replace(b"nxt", b"next")
    assert file.path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file.path]


def test_a_file_without_a_fix_is_never_touched(tmp_path: Path) -> None:
    file = graph(tmp_path, TEXT.replace("smus", "something").replace("nxt", "next").encode())
    before = file.path.stat()
    done = fix_file(file, again)
    assert done.applied == ()
    assert done.file.diagnostics
    after = file.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_overlapping_fixes_are_applied_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "g"
    path.write_text("abcdef")
    rounds = [
        [finding("X", (1, 4)), finding("Y", (3, 5)), finding("Z", (5, 7)), finding("Z", (5, 7))],
        [finding("Q", (1, 2), (3, 4))],
        [],
    ]
    seen: list[str] = []

    def read(file: GraphFile) -> GraphFile:
        seen.append(file.path.read_text())
        return replace(file, texts={"g": seen[-1]}, diagnostics=rounds[len(seen)])

    done = fix_file(GraphFile(path, "g", {"g": "abcdef"}, UNREAD, rounds[0], None), read)
    assert seen == ["XdZ", "QdQ"]
    assert [d.message for d in done.applied] == ["X", "Z", "Z", "Q"]


def test_fixes_that_never_end_are_stopped(tmp_path: Path) -> None:
    path = tmp_path / "g"
    path.write_text("a")

    def read(file: GraphFile) -> GraphFile:
        return replace(file, texts={"g": path.read_text()})

    done = fix_file(GraphFile(path, "g", {"g": "a"}, UNREAD, [finding("ba", (1, 2))], None), read)
    assert len(done.applied) == MAX_ROUNDS
    assert path.read_text() == "b" + "a" * MAX_ROUNDS


def test_a_file_that_somebody_changed_is_left_alone(tmp_path: Path) -> None:
    file = graph(tmp_path, TEXT.encode())
    file.path.write_text("# mine\n" + TEXT)
    done = fix_file(file, again)
    assert done.refused is not None
    assert "changed by somebody else" in done.refused
    assert file.path.read_text() == "# mine\n" + TEXT


def test_a_folder_that_cant_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = graph(tmp_path, TEXT.encode())

    def full(*_: object, **__: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    done = fix_file(file, again)
    assert done.applied == ()
    assert "No space left on device" in (done.refused or "")
    assert file.path.read_text() == TEXT
