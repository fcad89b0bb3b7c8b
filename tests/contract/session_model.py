"""What sessions of the state machine's graph must do, in plain values: no engine, no store, no journal.

The graph: `first` writes, `ask` puts a question and `hold` waits for the event `go` side by side, and when both are
answered `pay` makes a write and the run ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: machine }
inputs: { x: int }
outputs: { log: "list[str]", total: int }
channels:
  log: { type: "list[str]", reducer: append }
  total: { type: int, reducer: sum, scope: session }
start: first
nodes:
  first: { kind: code, python: "MODULE:first", with: { x: "${ inputs.x }" }, returns: int, writes: { log: ["${ 'first ' + str(out) }"], total: "${ out }" }, next: [ask, hold] }
  ask: { kind: human, mode: choose, prompt: "Which?", options: [red, blue], writes: { log: ["${ out.choice }"] }, next: pay }
  hold: { kind: wait, event: go, returns: { n: int }, writes: { log: ["${ 'go ' + str(event.n) }"] }, next: pay }
  pay: { kind: code, join: all, python: "MODULE:pay", with: { x: "${ inputs.x }" }, effects: write, returns: str, writes: { log: ["${ out }"] }, next: end }
"""  # noqa: E501
PLAN_ORDER = ("first", "ask", "hold", "pay")

Given = tuple[Literal["run", "answer", "event", "cancel", "settle", "edit"], int | str | None]


@dataclass(frozen=True)
class State:
    """One snapshot."""

    status: str = "idle"
    x: int = 0
    log: tuple[str, ...] = ()
    total: int = 0
    due: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    arrived: frozenset[str] = frozenset()
    got: tuple[tuple[str, int | str | None], ...] = ()
    kept: tuple[int | str | None, ...] = ()
    queue: tuple[int | str | None, ...] = ()

    @property
    def busy(self) -> bool:
        return bool(self.due or self.waiting)

    def begin(self, x: int | str | None) -> State:
        return State("running", int(x or 0), total=self.total, due=frozenset({"first"}), queue=self.queue)

    def woken(self, node: str, by: int | str | None) -> State:
        got = (*self.got, (node, by))
        return replace(self, waiting=self.waiting - {node}, due=self.due | {node}, got=got)

    def delivered(self) -> State:
        if "hold" in self.waiting and self.kept:
            return replace(self, kept=self.kept[1:]).woken("hold", self.kept[0])
        return self

    def ended(self, status: str) -> State:
        return State(status, self.x, self.log, self.total, queue=self.queue)

    def applied(self, inputs: Sequence[Given]) -> State:
        """After a superstep of inputs."""
        state = self
        for kind, value in inputs:
            if kind == "run":
                state = replace(state, queue=(*state.queue, value)) if state.busy else state.begin(value)
            elif kind == "answer" and "ask" in state.waiting:
                state = state.woken("ask", value)
            elif kind == "event" and state.busy:
                state = replace(state, kept=(*state.kept, value)).delivered()
            elif kind == "edit":
                state = replace(state, log=(str(value),))
            elif kind == "cancel":
                state = state.ended("cancelled")
        if state.status != "cancelled" and state.busy:
            state = replace(state, status="running" if state.due else "waiting")
        return state

    def stepped(self) -> State:
        """After a superstep of tasks."""
        log, total, waiting, arrived, got = list(self.log), self.total, set(self.waiting), set(self.arrived), self.got
        due: set[str] = set()
        for node in [n for n in PLAN_ORDER if n in self.due]:
            if node == "first":
                log, total = [*log, f"first {self.x}"], total + self.x
                due |= {"ask", "hold"}
            elif node == "pay":
                log.append(f"paid {self.x}")
            elif node in dict(got):
                log.append(f"go {dict(got)[node]}" if node == "hold" else str(dict(got)[node]))
                arrived.add(node)
            else:
                waiting.add(node)
        if len(arrived) == 2:
            due, arrived = due | {"pay"}, set()
        left = tuple(g for g in got if g[0] not in self.due)
        state = State(self.status, self.x, tuple(log), total, frozenset(due), frozenset(waiting), frozenset(arrived),
                      left, self.kept, self.queue).delivered()  # fmt: skip
        if state.busy:
            return replace(state, status="running" if state.due else "waiting")
        return state.ended("running" if state.queue else "done")


@dataclass
class Modelled:
    """One session: its snapshots, what it was given and hasn't taken, and its status in the authority row."""

    history: list[State] = field(default_factory=lambda: [State()])
    pending: list[Given] = field(default_factory=list)
    status: str = "idle"

    @property
    def head(self) -> State:
        return self.history[-1]

    @property
    def asks(self) -> bool:
        """Whether its question is open."""
        return "ask" in self.head.waiting and all(kind != "answer" for kind, _ in self.pending)

    def _move(self, state: State) -> None:
        self.history.append(state)
        self.status = state.status

    def drive(self, *, opened: bool, doubt: bool) -> None:
        """Run until nothing is left to do.

        Args:
            opened: The superstep after the head has rows in its journal, so that inputs wait for its barrier.
            doubt: A write of it has no outcome, and nobody has settled it.
        """
        while True:
            now = self.status != "running" and any(kind in ("run", "cancel") for kind, _ in self.pending)
            if self.pending and (now or not (opened and self.head.due)):
                given, self.pending = self.pending, []
                self._move(self.head.applied(given))
            if self.head.due and self.status != "cancelled":
                if doubt:
                    self.status = "waiting"
                    return
                opened = False
                self._move(self.head.stepped())
                while self.pending and self.pending[0][0] == "settle":
                    self.pending.pop(0)
                if self.status != "running":
                    return
            elif self.head.queue and not self.head.waiting:
                queue = self.head.queue
                self._move(replace(self.head, queue=queue[1:]).begin(queue[0]))
            else:
                return

    def forked(self, at: int) -> Modelled:
        """A fork at a snapshot."""
        return Modelled(self.history[: at + 1], [], "waiting" if self.history[at].busy else "done")
