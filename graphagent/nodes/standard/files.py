"""`std.files`: files that exist only in the session, in a channel: path -> text. A deleted one is null."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan
from graphagent.graph.types import INT, STR
from graphagent.nodes.standard.offer import TEXT, StandardTool, Told, standard_tool, writes_to
from graphagent.ports import Task

CHANNEL: Final = "files"
LINES: Final = 500
"""So many lines of a file are read at once unless the model says otherwise."""
HITS: Final = 100
PATH_LIMIT: Final = 255
SIZE_LIMIT: Final = 256 * 1024


class FilesSet:
    """The tools of one task, on the files as its own calls have left them."""

    def __init__(self, graph: GraphPlan) -> None:
        self.writes = writes_to(graph, CHANNEL)
        self.files: dict[str, str] = {}
        self._seen: Any = None

    def offers(self) -> list[StandardTool]:
        """The tools of this set."""
        path, nothing = TEXT, (STR, "")
        tools = [
            ("ls", "List the files below a folder, with their sizes.", {"folder": nothing}, self.ls),
            ("read_file", "Read lines of a file, from line `offset` on.",
             {"path": path, "offset": (INT, 0), "limit": (INT, LINES)}, self.read),
            ("write_file", "Write a whole file; one of this name is replaced.",
             {"path": path, "content": TEXT}, self.write),
            ("edit_file", "Replace a text that stands exactly once in a file.",
             {"path": path, "old": TEXT, "new": TEXT}, self.edit),
            ("delete_file", "Delete a file.", {"path": path}, self.delete),
            ("glob", "Find files by a pattern such as `notes/*.md`.", {"pattern": TEXT}, self.glob),
            ("grep", "Find the lines that hold a text.", {"text": TEXT, "pattern": (STR, "*")}, self.grep),
        ]  # fmt: skip
        return [
            standard_tool(name, about, fields, call, writes=self.writes, ordered=True)  # type: ignore[arg-type]
            for name, about, fields, call in tools
        ]

    async def ls(self, task: Task, arguments: dict[str, Any]) -> Told:
        """Paths below a folder."""
        self._look(task)
        folder = arguments["folder"].strip("/")
        found = [p for p in sorted(self.files) if not folder or p == folder or p.startswith(f"{folder}/")]
        return Told("\n".join(f"{p} ({len(self.files[p]):,} characters)" for p in found) or "there are no files")

    async def read(self, task: Task, arguments: dict[str, Any]) -> Told:
        """Some lines."""
        self._look(task)
        lines = self._text(arguments["path"]).splitlines()
        start = max(arguments["offset"], 0)
        end = start + max(min(arguments["limit"], LINES), 1)
        text = "\n".join(lines[start:end])
        left = len(lines) - end
        return Told(f"{text}\n[{left:,} more lines, from offset {end}]" if left > 0 else text)

    async def write(self, task: Task, arguments: dict[str, Any]) -> Told:
        """A whole file."""
        self._look(task)
        return self._write(checked(arguments["path"]), arguments["content"])

    async def edit(self, task: Task, arguments: dict[str, Any]) -> Told:
        """One exact, unique match."""
        self._look(task)
        path, old = arguments["path"], arguments["old"]
        text = self._text(path)
        count = text.count(old) if old else 0
        if count != 1:
            message = f"the old text stands {count} times in {path}; it has to stand there exactly once"
            hint = "give more of the lines around it" if count else "read the file, and copy the text from there"
            raise _refused(message, "$.old", hint)
        return self._write(path, text.replace(old, arguments["new"], 1))

    async def delete(self, task: Task, arguments: dict[str, Any]) -> Told:
        """Take a file away."""
        self._look(task)
        path = arguments["path"]
        self._text(path)
        del self.files[path]
        return Told(f"{path} is deleted", {path: None})

    async def glob(self, task: Task, arguments: dict[str, Any]) -> Told:
        """Paths by pattern."""
        self._look(task)
        found = [p for p in sorted(self.files) if fnmatchcase(p, arguments["pattern"])]
        return Told("\n".join(found) or "no file fits")

    async def grep(self, task: Task, arguments: dict[str, Any]) -> Told:
        """Lines that hold a text."""
        self._look(task)
        hits = [
            f"{path}:{i}: {line}"
            for path in sorted(self.files)
            if fnmatchcase(path, arguments["pattern"])
            for i, line in enumerate(self.files[path].splitlines())
            if arguments["text"] in line
        ]
        more = [f"[{len(hits) - HITS:,} more]"] if len(hits) > HITS else []
        return Told("\n".join([*hits[:HITS], *more]) or "no line holds it")

    def _look(self, task: Task) -> None:
        """Take the files as earlier turns have left them; those of this turn's calls stand in `files` already."""
        if task.seen is not self._seen:
            files: Mapping[str, Any] = task.seen.get(CHANNEL) or {}
            self._seen, self.files = task.seen, {path: text for path, text in files.items() if isinstance(text, str)}

    def _text(self, path: str) -> str:
        if path not in self.files:
            near = ", ".join(sorted(self.files)[:10])
            raise _refused(f"there is no file {path!r}", "$.path", f"the files: {near}" if near else "there are none")
        return self.files[path]

    def _write(self, path: str, text: str) -> Told:
        if len(text) > SIZE_LIMIT:
            message = f"{len(text):,} characters are too many for one file, {SIZE_LIMIT:,} are allowed"
            raise _refused(message, "$.content", "split it into several files")
        self.files[path] = text
        return Told(f"{path} is written, {len(text):,} characters", {path: text})


def checked(path: str) -> str:
    """A path in the tree of files. Raises NodeError for one that leads out of it."""
    parts = path.split("/")
    bad = not path.strip() or "\0" in path or len(path) > PATH_LIMIT or "\\" in path
    if bad or any(part in ("", ".", "..") for part in parts):
        raise _refused(f"{path[:80]!r} is no path here", "$.path", "write it like notes/plan.md, without .. and /")
    return path


def _refused(message: str, field: str, hint: str) -> NodeError:
    return NodeError(message, kind="invalid_input", cause="bad_arguments", details={"field": field}, hint=hint)
