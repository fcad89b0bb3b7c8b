"""What `validate` checks, and how it shows what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphagent.cli.annotations import github, sarif
from graphagent.cli.exits import Exit
from graphagent.cli.failures import color_frame
from graphagent.cli.targets import project_folder
from graphagent.cli.terminal import Terminal
from graphagent.graph.diagnostics import Diagnostic, place, render
from graphagent.session.graph_file import SHIPPED, GraphFile, find_graphs, read_graph_file
from graphagent.session.settings import root_of

if TYPE_CHECKING:
    from graphagent.session.held import Held


class Check:
    """The files that were named, and the form in which findings are wanted.

    Args:
        format: `text`, `json`, `github` or `sarif`.
        strict: Warnings fail too.
        held: A session that the graphs should be able to take over.
    """

    def __init__(
        self, terminal: Terminal, files: Sequence[str], format: str, *, strict: bool, held: Held | None = None
    ) -> None:
        self.terminal, self.files, self.format, self.strict, self.held = terminal, files, format, strict, held
        self.given = project_folder(terminal)

    def all(self) -> list[GraphFile]:
        """All files, checked. Raises NotFound for a file or folder that isn't there."""
        return [self.one(file) for file in find_graphs(self.files)]

    def one(self, file: str | Path) -> GraphFile:
        """One file, checked in its project. Raises NotFound."""
        root = None if str(file).startswith(SHIPPED) else root_of(file)
        checked = read_graph_file(file, self.given or root)
        return checked if self.held is None else self.held.against(checked)

    def again(self, file: GraphFile) -> GraphFile:
        """The file as it is now."""
        return self.one(file.path)

    def fails(self, found: Sequence[Diagnostic]) -> bool:
        """Whether there is a finding that counts."""
        return any(self.strict or d.severity == "error" for d in found)

    def show(self, checked: Sequence[GraphFile]) -> Exit:
        """Write what was found; the exit code says whether it fails."""
        found = sorted({d: None for file in checked for d in file.diagnostics}, key=place)  # imports come several times
        suppressions = [s for file in checked for s in file.suppressions]
        if self.format == "json":
            self.terminal.document(document(checked, found, strict=self.strict))
        elif self.format == "sarif":
            self.terminal.document(sarif(found, suppressions))
        elif self.format == "github":
            self.terminal.out.write(github(found, suppressions))
            self.terminal.out.flush()
        else:
            self._text(checked, found)
        return Exit.INVALID if self.fails(found) else Exit.OK

    def _text(self, checked: Sequence[GraphFile], found: Sequence[Diagnostic]) -> None:
        """The frames, which here are the result; a line for each file that is good, and one for each comment."""
        terminal = self.terminal
        for file in checked:
            if not self.fails(file.diagnostics):
                parts = [counted(file.nodes, "node"), counted(file.channels, "channel")]
                what = ", ".join(parts) if file.plan is not None else "a library"
                terminal.say(f"{terminal.symbol('done')} {file.name}: {file.graph}, {what}{self._could_go_on(file)}")
            for comment in file.suppressions:
                terminal.say(f"{terminal.paint('note:', 'cyan')} {file.name}:{comment.span.line}: {comment.note}")
        if found:
            text = render(found, {name: text for file in checked for name, text in file.texts.items()})
            if terminal.colored(terminal.out):
                text = "\n".join(color_frame(line, colored=True) for line in text.splitlines())
            terminal.result(text)

    def _could_go_on(self, file: GraphFile) -> str:
        if self.held is None or file.plan is None:
            return ""
        return f"; {self.held.session} could go on with it from snapshot {self.held.snapshot}"


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def document(files: Sequence[GraphFile], found: Sequence[Diagnostic], *, strict: bool) -> dict[str, Any]:
    """The `validate` document."""
    from graphagent.session.documents.validate import CheckedFile, validate_document

    checked = [CheckedFile(f.name, f.text, f.graph, f.plan, f.nodes, f.channels, f.texts) for f in files]
    return validate_document(checked, found, strict=strict).data()
