"""`std.sessions`: delegates that are started in the background, looked at later, and collected when they are done.

The channel says what was started, under the names that the model gave: `{delegate, status, outputs}`, and by what the
engine finds the session again. No id of a session is in it, so equal sessions have equal digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.types import ANY, STR, DictOf, LiteralOf
from graphagent.nodes.spokes import TASK, Spoke
from graphagent.nodes.standard.offer import TEXT, StandardTool, Told, standard_tool, writes_to
from graphagent.nodes.tool_events import ToolEvents
from graphagent.ports import Task

CHANNEL: Final = "sessions"
NAME_LIMIT: Final = 100
STARTED: Final = "started"


class SessionsSet:
    """The tools of one task, on what its own calls have started too."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert node.agent is not None
        self.writes, self.events = writes_to(graph, CHANNEL), ToolEvents(node, graph)
        self.spokes = {name: Spoke(delegate, plan) for name, delegate in node.agent.delegates.items()}
        self.known: dict[str, Mapping[str, Any]] = {}
        self._seen: Any = None

    def offers(self) -> list[StandardTool]:
        """The tools of this set."""
        start = {
            "name": TEXT, "delegate": (LiteralOf(tuple(self.spokes)), TEXT[1]), TASK: TEXT,
            "inputs": (DictOf(ANY), {}),
        }  # fmt: skip
        tools: list[tuple[str, str, dict[str, Any], Any]] = [
            ("start", "Start a delegate in the background, under a name of your choice, and go on with something else. "
             "`inputs` are the parameters of the delegate besides `task`.", start, self.start),
            ("check", "See how what you started stands: all of it, or one by its name.", {"name": (STR, "")},
             self.check),
            ("collect", "Get the result of what you started, by its name, once it is done.", {"name": TEXT},
             self.collect),
        ]  # fmt: skip
        return [
            standard_tool(name, about, fields, call, writes=self.writes, ordered=True)
            for name, about, fields, call in tools
        ]

    async def start(self, task: Task, arguments: dict[str, Any]) -> Told:
        """A session of a delegate's graph, with what the delegate's own tool would hand over."""
        self._look(task)
        name, spoke = arguments["name"], self.spokes[arguments["delegate"]]
        if not name.strip() or len(name) > NAME_LIMIT:
            raise _refused(
                f"{name[:40]!r} is no name here", "$.name", f"give a text of at most {NAME_LIMIT} characters"
            )
        if name in self.known:
            raise _refused(f"{name!r} is started already", "$.name", "give another name, or check this one")
        given = spoke.check({**arguments["inputs"], TASK: arguments[TASK]})
        handoff = spoke.handoff(task, given, "model", [])
        self.events.handed(task, handoff.data(hidden=self.events.hidden))
        started = await task.start_session(spoke.delegate.graph, name, handoff.inputs(spoke.names))
        entry = {"delegate": spoke.delegate.name, "status": "running", "outputs": None, STARTED: started}
        return self._note({name: entry}, f"{name} is started")

    async def check(self, task: Task, arguments: dict[str, Any]) -> Told:
        """The status of one, or of all."""
        self._look(task)
        names = [arguments["name"]] if arguments["name"] else sorted(self.known)
        changed, lines = {}, []
        for name in names:
            entry = self._entry(name)
            if entry["status"] not in ("done", "failed", "cancelled"):
                found = await task.look_at_session(entry[STARTED])
                entry = changed[name] = {**entry, "status": found["status"]}
            lines.append(f"{name}: {entry['status']}")
        return self._note(changed, "\n".join(lines) or "nothing is started")

    async def collect(self, task: Task, arguments: dict[str, Any]) -> Told:
        """The typed outputs of one that is done."""
        self._look(task)
        name = arguments["name"]
        entry = self._entry(name)
        if entry["outputs"] is not None:
            return Told(_json(entry["outputs"]))
        found = await task.look_at_session(entry[STARTED])
        status, error = found["status"], found["error"] or {}
        if status == "done":
            spoke = self.spokes.get(entry["delegate"])
            outputs = found["outputs"]
            outputs = outputs["out"] if spoke is not None and spoke.delegate.single else outputs
            return self._note({name: {**entry, "status": status, "outputs": outputs}}, _json(outputs))
        if status in ("running", "idle", "waiting"):
            said = "waits for somebody" if status == "waiting" and found["reason"] != "paused" else "isn't done yet"
            return self._note({name: {**entry, "status": status}}, f"{name} {said}: collect it later")
        raise NodeError(
            f"{name} ended as {status}: {error.get('message', '')}".rstrip(": "), kind="child_failed",
            cause=error.get("kind"), retryable=False, hint=error.get("hint") or "start it again under another name",
        )  # fmt: skip

    def _look(self, task: Task) -> None:
        """Take what earlier turns have left; what this turn's calls started stands in `known` already."""
        if task.seen is not self._seen:
            self._seen, self.known = task.seen, dict(task.seen.get(CHANNEL) or {})

    def _entry(self, name: str) -> Mapping[str, Any]:
        entry = self.known.get(name)
        if not isinstance(entry, Mapping) or STARTED not in entry:
            names = ", ".join(sorted(self.known))
            raise _refused(
                f"nothing is started under {name!r}", "$.name", f"the names: {names}" if names else "nothing is"
            )
        return entry

    def _note(self, changed: dict[str, Any], text: str) -> Told:
        self.known.update(changed)
        return Told(text, changed) if changed else Told(text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _refused(message: str, field: str, hint: str) -> NodeError:
    return NodeError(message, kind="invalid_input", cause="bad_arguments", details={"field": field}, hint=hint)
