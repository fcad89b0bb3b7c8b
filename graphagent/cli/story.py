"""What the stream of events says so far: sessions, their supersteps, their tasks. It draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphagent.cli.turns import TurnView, take
from graphagent.engine.call_ids import child_id
from graphagent.events import Event

TEXT_KEPT = 400
OF_TURNS = frozenset({"x.agent.turn_started", "x.model.completed", "ToolCallStarted", "ToolCallCompleted"})
"""What the turns of an agent are drawn from."""


@dataclass(slots=True)
class TaskView:
    """One task of a superstep, or one item of a map. `text` is the end of what its model says, provisional; `turns` are
    those of an agent, and `told` the ids of the events that they were made of."""

    path: str
    status: str = "running"
    started_us: int = 0
    wall_ms: int | None = None
    attempt: int = 0
    text: str = ""
    note: str = ""
    seen: bool = True
    items: dict[str, TaskView] = field(default_factory=dict)
    child: str | None = None
    turns: list[TurnView] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """What was seen of it was provisional: it begins anew, or is told again for good."""
        self.turns.clear()
        self.told.clear()


@dataclass(slots=True)
class StepView:
    """One superstep. `changes` are (channel, how many tasks wrote it)."""

    number: int
    kind: str = "superstep"
    status: str = "running"
    started_us: int = 0
    wall_ms: int = 0
    tasks: dict[str, TaskView] = field(default_factory=dict)
    changes: list[tuple[str, int]] = field(default_factory=list)

    def turns_of(self, path: str) -> list[TurnView]:
        """The turns of a task, or of an item of a map."""
        task = self.tasks.get(path.partition("[")[0])
        found = task.items.get(path, task) if task is not None and "[" in path else task
        return [] if found is None else found.turns


@dataclass(slots=True)
class SessionView:
    """One session as it is seen here. Usage is what was seen, children not included."""

    session: str
    steps: dict[int, StepView] = field(default_factory=dict)
    status: str = "running"
    started_us: int = 0
    caller: str | None = None
    tokens: int = 0
    cost: float | None = 0.0
    interrupts: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def open(self) -> StepView | None:
        """The superstep that isn't committed yet."""
        last = self.steps[max(self.steps)] if self.steps else None
        return last if last is not None and last.status == "running" else None

    @property
    def running(self) -> int:
        """How many tasks run now, items of maps counted one by one."""
        step = self.open
        tasks = list(step.tasks.values()) if step else []
        leaves = [leaf for task in tasks for leaf in (list(task.items.values()) or [task])]
        return sum(leaf.status == "running" for leaf in leaves)


class Story:
    """Everything that was seen, by session. The first session is the root."""

    def __init__(self) -> None:
        self.sessions: dict[str, SessionView] = {}
        self.root: SessionView | None = None
        self._counted: set[str] = set()

    def feed(self, event: Event) -> SessionView:
        """Take in one event; the view of its session."""
        view = self.sessions.get(event.session)
        if view is None:
            view = self._appear(event)
        match event.kind:
            case "RunStarted" | "RunContinued":
                view.status = "running"
                view.interrupts.clear()
            case "RunCompleted":
                view.status = "done"
            case "RunError":
                view.status = "failed"
                self._abandon(view)
            case "RunCancelled":
                view.status = "cancelled"
            case "RunPaused":
                view.status = "waiting"
            case "x.superstep.started":
                self._step_started(view, event)
            case "x.superstep.committed":
                self._step_committed(view, event)
            case "x.interrupt.opened":
                view.interrupts.append(event.data)
            case "x.model.completed":
                if event.event_id not in self._counted:  # it comes twice: when it happens, and committed
                    self._counted.add(event.event_id)
                    self._spend(view, event.data["usage"])
                self._task(view, event)
            case _ if event.task is not None and event.superstep is not None:
                self._task(view, event)
        return view

    @property
    def tokens(self) -> int:
        """Model tokens of all sessions."""
        return sum(view.tokens for view in self.sessions.values())

    @property
    def cost(self) -> float | None:
        """Dollars of all sessions; None if a price is unknown."""
        costs = [view.cost for view in self.sessions.values()]
        return None if any(c is None for c in costs) else sum(c for c in costs if c is not None)

    # ---- sessions ----------------------------------------------------------------------------------------------

    def _appear(self, event: Event) -> SessionView:
        view = SessionView(event.session, started_us=event.time)
        if self.root is None:
            self.root = view
        else:
            view.caller = self._attach(event.session)
        self.sessions[event.session] = view
        return view

    def _attach(self, child: str) -> str | None:
        """Hang a child under the task that calls it: its id derives from there."""
        for view in self.sessions.values():
            step = view.open
            tasks = list(step.tasks.values()) if step else []
            for task in [leaf for t in tasks for leaf in (t, *t.items.values())]:
                for placed in range(step.number + 1 if step else 0):
                    if child_id(view.session, placed, task.path, task.attempt) == child:  # type: ignore[arg-type]
                        task.child = child
                        return view.session
        return None

    def _spend(self, view: SessionView, usage: Mapping[str, Any]) -> None:
        view.tokens += usage["input_tokens"] + usage["output_tokens"]
        cost = usage.get("cost_micro", 0)
        view.cost = None if view.cost is None or cost is None else view.cost + cost / 1e6

    # ---- supersteps --------------------------------------------------------------------------------------------

    def _step_started(self, view: SessionView, event: Event) -> None:
        number = event.superstep or 0
        step = view.steps.get(number)
        if step is None or (event.provisional and step.status != "running"):
            step = view.steps[number] = StepView(number, started_us=event.time)
        step.kind = event.data["kind"]
        if not event.provisional:
            step.started_us = event.time

    def _step_committed(self, view: SessionView, event: Event) -> None:
        step = view.steps.setdefault(event.superstep or 0, StepView(event.superstep or 0))
        step.status = "done"
        step.wall_ms = max(event.time - step.started_us, 0) // 1000
        step.changes = [(c["channel"], len(c["writers"])) for c in event.data["changes"]]

    def _abandon(self, view: SessionView) -> None:
        """The open superstep can't be committed: it is kept, and said to have failed."""
        step = view.open
        if step is not None:
            step.status = "failed"

    # ---- tasks -------------------------------------------------------------------------------------------------

    def _task(self, view: SessionView, event: Event) -> None:
        step = view.steps.setdefault(event.superstep or 0, StepView(event.superstep or 0, started_us=event.time))
        task = self._find(step, event)
        data = event.data
        match event.kind:
            case "x.task.started" if event.provisional:
                task.begin()
                task.status, task.text, task.note = "running", "", ""
                task.attempt, task.started_us = event.attempt or 0, event.time
            case "x.task.started" if task.path in step.tasks:
                for told in (task, *task.items.values()):
                    told.begin()
                step.tasks[task.path] = step.tasks.pop(task.path)  # committed events have the order of the plan
            case "RunContent":
                task.text = (task.text + data["delta"])[-TEXT_KEPT:]
            case "x.task.retry":
                task.note = f"{data['cause']}: next attempt in {data['wait_ms'] / 1000:.1f} s"
            case "x.task.finished":
                self._finished(task, event)
            case _ if event.kind in OF_TURNS:
                self._turns(task, event)

    def _turns(self, task: TaskView, event: Event) -> None:
        """Its turns are those of its newest attempt; what earlier ones did is committed as well."""
        attempt = event.attempt or 0
        if attempt > task.attempt:
            task.begin()
            task.attempt = attempt
        if attempt == task.attempt and event.event_id not in task.told:
            task.told.add(event.event_id)
            take(task.turns, event)

    def _finished(self, task: TaskView, event: Event) -> None:
        data = event.data
        task.status = data["status"]
        if not task.seen and data["status"] == "done":
            task.status = "replayed"
        if data.get("error"):
            task.note = str(data["error"]["message"])
        if "wall_ms" in data:
            task.wall_ms = data["wall_ms"]
        else:
            task.wall_ms = max(event.time - task.started_us, 0) // 1000

    def _find(self, step: StepView, event: Event) -> TaskView:
        path = event.task or ""
        name, bracket, _ = path.partition("[")
        tasks = step.tasks
        if bracket:
            parent = tasks.setdefault(name, TaskView(name, started_us=event.time))
            tasks = parent.items
        if path not in tasks:
            tasks[path] = TaskView(path, started_us=event.time, attempt=event.attempt or 0, seen=event.provisional)
        return tasks[path]
