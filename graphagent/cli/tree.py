"""The superstep tree as lines of styled pieces: what people watch while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphagent.cli.story import SessionView, StepView, Story, TaskView
from graphagent.cli.terminal import STATES, columns, one_line, tail
from graphagent.cli.turns import call_line, plain_turns, seconds, turn_line

Piece = tuple[str, str]
Line = list[Piece]

NAMES = 34
SIDE_BY_SIDE = 64
MOST_ITEMS = 6
MOST_TURNS = 2
"""So many turns of an agent are shown while it works."""
FEWEST = 12
"""Columns below which what a task is at isn't worth showing."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known besides the story.

    Attributes:
        height: Rows that the tree may take; 0 is any number.
        started_us: When this segment of the run began to be watched.
        full: Show ids whole everywhere.
    """

    graph: str
    width: int = 100
    height: int = 0
    started_us: int = 0
    now_us: int = 0
    full: bool = False


def tree(story: Story, frame: Frame) -> list[Line]:
    """The whole tree. Committed supersteps become one line when it would be taller than the frame."""
    root = story.root
    if root is None:
        return [[("● ", "blue"), (frame.graph, "bold")]]
    lines = header(story, root, frame)
    steps = [root.steps[n] for n in sorted(root.steps)]
    blocks = [step_lines(story, step, frame) for step in steps]
    while frame.height and len(lines) + sum(map(len, blocks)) > frame.height and len(blocks) > 2:
        drop = 2 if len(blocks[0]) == 1 else 1
        folded = steps[:drop] if not isinstance(blocks[0], _Folded) else [*blocks[0].steps, *steps[1:drop]]
        rest = blocks[drop:]
        blocks = [_Folded(folded), *rest]
        steps = [folded[-1], *steps[drop:]]
    return lines + branched(blocks)


class _Folded(list[Line]):
    """Some supersteps in one line."""

    def __init__(self, steps: Sequence[StepView]) -> None:
        self.steps = list(steps)
        first, last = self.steps[0].number, self.steps[-1].number
        took = sum(step.wall_ms for step in self.steps)
        count = f"{len(self.steps)} supersteps" if len(self.steps) > 1 else "1 superstep"
        span = f"{first}–{last}" if last > first else str(first)
        super().__init__([[("✔ ", "green"), (f"{span:<7} {seconds(took):>7}  {count}", "dim")]])


def branched(blocks: Sequence[Sequence[Line]]) -> list[Line]:
    """Blocks as branches of one stem."""
    out: list[Line] = []
    for i, block in enumerate(blocks):
        last = i == len(blocks) - 1
        for j, line in enumerate(block):
            stem = ("└─ " if last else "├─ ") if j == 0 else ("   " if last else "│  ")
            out.append([(stem, "dim"), *line])
    return out


def header(story: Story, root: SessionView, frame: Frame) -> list[Line]:
    """Which graph and session, and what it has used so far; on two lines where one is too narrow."""
    mark = {"running": ("▶", "blue")}.get(root.status, (STATES[root.status][0], STATES[root.status][2]))
    left: Line = [(mark[0] + " ", mark[1]), (one_line(frame.graph, 40), "bold"), ("  " + root.session, "dim")]
    right = spent(story, root, frame)
    room = frame.width - width(left) - columns(right)
    if room >= 2:
        return [[*left, (" " * room, ""), (right, "dim")]]
    return [left, [("  " + right, "dim")]]


def spent(story: Story, root: SessionView, frame: Frame) -> str:
    """`superstep 3 · 12.3 s · 3,812 tok · $0.0041`."""
    parts = [f"superstep {max(root.steps)}"] if root.steps else []
    parts.append(seconds(max(frame.now_us - frame.started_us, 0) // 1000))
    if story.tokens:
        parts.append(f"{story.tokens:,} tok")
    if story.cost:
        parts.append(money(story.cost))
    return " · ".join(parts)


def step_lines(story: Story, step: StepView, frame: Frame) -> list[Line]:
    """One line for a committed superstep, and one more for each task of an open one. Where the height doesn't matter,
    agents show their turns in both."""
    if step.status == "done":
        tasks = [] if frame.height else [t for task in step.tasks.values() for t in (task, *task.items.values())]
        turns = [block for task in tasks for block in turn_blocks(task, frame, 6, named=len(step.tasks) > 1)]
        return [committed_line(step, frame), *branched(turns)]
    symbol, _, color = STATES[step.status]
    took = seconds(max(frame.now_us - step.started_us, 0) // 1000) if step.status == "running" else ""
    if not step.tasks:
        return [[(f"{symbol} ", color), (f"{step.number:<3} {took:>7}", "")]]
    first: Line = [(f"{symbol} ", color), (f"{step.number:<3} {took:>7}", "")]
    blocks = [task_lines(story, task, frame, 6) for task in step.tasks.values()]
    return [first, *branched(blocks)]


def committed_line(step: StepView, frame: Frame) -> Line:
    """`✔ 2    2.1 s  search_web, search_docs                wrote notes (2 writers)`."""
    symbol, _, color = STATES["waiting" if any(t.status == "waiting" for t in step.tasks.values()) else "done"]
    if step.kind != "superstep":
        return [(f"{symbol} ", color), (f"{step.number:<3} {seconds(step.wall_ms):>7}  {step.kind}", "dim")]
    line: Line = [(f"{symbol} ", color), (f"{step.number:<3} {seconds(step.wall_ms):>7}  ", "")]
    names = ", ".join(named(task) for task in step.tasks.values())
    if len(step.tasks) == 1:
        names = names.removesuffix(" ⏸")
    wrote = changes(step)
    room = frame.width - 3 - width(line)
    if frame.width < SIDE_BY_SIDE or not wrote:
        return [*line, (one_line(names, room), "")]
    shown = one_line(names, max(NAMES, room - columns(wrote) - 2))
    gap = max(NAMES - columns(shown), 2)
    return [*line, (shown, ""), (" " * gap, ""), (one_line(wrote, max(room - columns(shown) - gap, 0)), "dim")]


def named(task: TaskView) -> str:
    """A task's name with what is special about it."""
    marks = {"replayed": " ⟲", "failed": " ✖", "waiting": " ⏸"}
    items = f" ×{len(task.items)}" if task.items else ""
    return f"{task.path}{items}{marks.get(task.status, '')}"


def changes(step: StepView) -> str:
    """`wrote notes (2 writers), plan`."""
    if not step.changes:
        return ""
    return "wrote " + ", ".join(f"{c} ({n} writers)" if n > 1 else c for c, n in step.changes)


def task_lines(story: Story, task: TaskView, frame: Frame, indent: int) -> list[Line]:
    """A task of the open superstep, with its items or its child session below."""
    symbol, _, color = STATES.get(task.status, STATES["running"])
    took = task.wall_ms if task.wall_ms is not None else max(frame.now_us - task.started_us, 0) // 1000
    name = f"{task.path:<14}" if frame.width >= SIDE_BY_SIDE else task.path
    line: Line = [(f"{symbol} ", color), (f"{name} {seconds(took):>7}  ", "")]
    room = frame.width - indent - width(line)
    if room >= FEWEST:
        line += [(about(task, room), "red" if task.status == "failed" else "dim")]
    blocks = turn_blocks(task, frame, indent + 3)
    blocks += [task_lines(story, item, frame, indent + 3) for item in shown_items(task)]
    child = story.sessions.get(task.child or "")
    if child is not None:
        line = [(f"{symbol} ", color), (f"{task.path} ▸ {short(child.session, full=frame.full)}  ", ""),
                (standing(child), "dim")]  # fmt: skip
        step = child.open
        blocks += [task_lines(story, t, frame, indent + 3) for t in (step.tasks.values() if step else ())]
    return [line, *branched(blocks)]


def turn_blocks(task: TaskView, frame: Frame, indent: int, *, named: bool = False) -> list[list[Line]]:
    """An agent's turns, each with its calls below; of a frame with a height only the newest.

    Args:
        named: Say whose they are.
    """
    turns = task.turns[-MOST_TURNS:] if frame.height else task.turns
    blocks = []
    for turn in turns:
        whose: Line = [(f"{task.path} ", "")] if named or ("[" in task.path and not frame.height) else []
        line = [*whose, *turn_line(turn, frame.width - indent - width(whose))]
        blocks.append([line, *branched([[call_line(c, frame.width - indent - 3)] for c in turn.calls.values()])])
    return blocks


def about(task: TaskView, room: int) -> str:
    """What a task is at: its error, its items, or the end of what its model says."""
    if task.note and task.status in ("failed", "running"):
        return one_line(task.note, room)
    if task.items:
        done = sum(item.status in ("done", "replayed") for item in task.items.values())
        return one_line(f"{done} of {len(task.items)} items done", room)
    if task.status == "replayed":
        return "from the journal"
    return tail(task.text, room) if task.text and task.status == "running" else ""


def shown_items(task: TaskView) -> list[TaskView]:
    """The items of a map that are at work, a few of them."""
    return [item for item in task.items.values() if item.status == "running"][:MOST_ITEMS]


def standing(child: SessionView) -> str:
    """How a child session stands."""
    last = max(child.steps, default=0)
    return f"superstep {last} · {child.running} running" if child.status == "running" else child.status


def short(session: str, *, full: bool = False) -> str:
    """An id cut to its first characters; whole with -v."""
    return session if full else session[:12] + "…"


def width(line: Line) -> int:
    """Columns of a line."""
    return sum(columns(text) for text, _ in line)


def money(dollars: float) -> str:
    """`$0.0041`, with as many digits as say something."""
    return f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.4f}"


@dataclass(slots=True)
class Plain:
    """The same story as plain lines, one for each finished task, for pipes and logs."""

    graph: str
    told: set[tuple[str, int, str]] = field(default_factory=set)

    def committed(self, story: Story, view: SessionView, step: StepView) -> list[str]:
        """The lines of a committed superstep."""
        if step.kind != "superstep":
            return []
        who = self.where(story, view)
        lines, wrote, last = [], changes(step), next(reversed(step.tasks.values()), None)
        for task in step.tasks.values():
            lines.append(
                f"{who}superstep {step.number} {STATES[task.status][1]} "
                f"{named(task).removesuffix(' ⏸').removesuffix(' ⟲')} {(task.wall_ms or 0) / 1000:.1f}s"
                + (" from the journal" if task.status == "replayed" else "")
                + (f"  {wrote}" if wrote and task is last else "")
            )
            lines += plain_turns(task.turns, f"{who}  ")
            for item in task.items.values():
                lines += plain_turns(item.turns, f"{who}  {item.path} ")
        return lines

    def where(self, story: Story, view: SessionView) -> str:
        """The session's id before lines that aren't the root's."""
        return "" if view is story.root else f"  {view.session} "
