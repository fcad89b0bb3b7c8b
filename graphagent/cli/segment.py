"""A segment of a run as a command shows it: the tree, questions in place, the end card, the result."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphagent.cli.ask import Later, ask
from graphagent.cli.cards import MEMORY, card, local
from graphagent.cli.exits import Exit, exit_of
from graphagent.cli.frames import arguments_of, failed_node, frame
from graphagent.cli.render import REDRAWS_PER_SECOND, View, view_of
from graphagent.cli.terminal import Terminal, harmless
from graphagent.cli.work import Work
from graphagent.errors import GraphAgentError, InputInvalid, StoreError
from graphagent.events import Event
from graphagent.ids import SessionId
from graphagent.session.observer import Observer

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.session.operations import Outcome

Begin = Callable[["Host", Observer], Awaitable["Outcome"]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a segment ended: its `run` document, the error record with the author's frames, and where it points."""

    run: dict[str, Any]
    error: list[str]


class Segment:
    """Plays a run.

    Args:
        graph: Its name, for the tree.
        jsonl: Print every event as a line of JSON, and the document as the last one.
    """

    def __init__(self, work: Work, graph: str, *, jsonl: bool = False) -> None:
        self.work, self.graph, self.jsonl = work, graph, jsonl
        self.terminal: Terminal = work.terminal
        self.broken = False
        self.session: str | None = None

    def play(self, begin: Begin) -> Ended:
        """Run, ask what is asked as long as somebody answers, and run on."""
        ended = self._run(begin)
        while ended.run["status"] == "waiting" and self.terminal.asks and not self.work.stopping and not self.broken:
            answered = self._ask(ended.run)
            if answered is None:
                break
            ended = self._run(answered)
        return ended

    def finish(self, ended: Ended) -> int:
        """The end card, the result, the exit code."""
        self.tell(ended)
        if self.terminal.flags.json or self.jsonl:
            if not self.broken:
                self.terminal.document(ended.run)
        elif ended.run["status"] == "done" and ended.run["outputs"]:
            self.terminal.result(readable(ended.run["outputs"]))
        return self.code(ended)

    def code(self, ended: Ended) -> int:
        """The exit code."""
        if self.broken:
            return Exit.PIPE
        if self.work.stopping and ended.run["status"] == "waiting":
            return Exit.INTERRUPTED
        return exit_of(ended.run)

    def tell(self, ended: Ended) -> None:
        """The end card, or the frame of the error and the commands that go on from there."""
        if ended.run["status"] != "failed" or ended.run["reason"] == "limit":
            card(self.terminal, ended.run)
            return
        terminal, error = self.terminal, ended.run["error"] or {}
        first, *rest = ended.error or [error.get("message", "the run failed")]
        terminal.tell(f"{terminal.symbol('failed')} {first}", "red", "bold")
        for line in rest:
            terminal.tell(terminal.paint(line, "red") if line.strip().startswith("|  ") else line)
        hint = error.get("hint") or ("what finished is kept and won't run again" if rest else None)
        if hint:
            terminal.tell(f"{terminal.paint('hint:', 'cyan')} {harmless(hint)}")
        for i, command in enumerate(ended.run["next"]):
            terminal.tell(f"{'then:' if i == 0 else '  or:'} {local(terminal, command)}")

    # ---- running -----------------------------------------------------------------------------------------------

    def _run(self, begin: Begin) -> Ended:
        view = view_of(self.terminal, self.graph)
        try:
            return self.work.call(self._watched, begin, view)
        except KeyboardInterrupt:
            root = view.story.root
            if root is None:
                raise
            self.work.stopping = True
            return self.work.call(self._standing, root.session)
        except StoreError:
            root = view.story.root
            if root is not None and self.work.project.settings.store != MEMORY:
                hint = self.terminal.command("resume", root.session)
                self.terminal.tell(f"committed supersteps of {root.session} are kept; go on with: {hint}", "yellow")
            raise

    async def _watched(self, host: Host, begin: Begin, view: View) -> Ended:
        import trio

        from graphagent.concurrency import lone_nursery

        def send(event: Event) -> None:
            view.feed(event)
            if self.jsonl:
                self._line(event)

        async def tick() -> None:
            while True:
                await trio.sleep(1 / REDRAWS_PER_SECOND)
                view.tick()

        with view.shown():
            async with lone_nursery() as nursery:
                if self.terminal.live:
                    nursery.start_soon(tick)
                outcome = await begin(host, Observer(send))
                nursery.cancel_scope.cancel()
            if view.story.root is not None:
                view.story.root.status = outcome.row.status
        return await ended_of(host, outcome)

    async def _standing(self, host: Host, session: str) -> Ended:
        from graphagent.session.operations import standing

        return await ended_of(host, await standing(host, SessionId(session)))

    def _line(self, event: Event) -> None:
        """Print an event. When nobody reads any more, the run is paused at its next barrier."""
        from graphagent.session.documents.events import event_data

        if self.broken:
            return
        try:
            self.terminal.out.write(json.dumps(event_data(event), ensure_ascii=False, separators=(",", ":")) + "\n")
            self.terminal.out.flush()
        except BrokenPipeError:
            self.broken = self.work.stopping = True

    # ---- asking ------------------------------------------------------------------------------------------------

    def _ask(self, run: Mapping[str, Any]) -> Begin | None:
        """Answer the first question, if somebody does; what runs on afterwards."""
        if not run["interrupts"]:
            return None
        interrupt = run["interrupts"][0]
        while True:
            try:
                value = ask(self.terminal, interrupt)
                self.work.call(self._answer, interrupt["id"], value)
            except (Later, KeyboardInterrupt):
                return None
            except InputInvalid as error:
                self.terminal.tell(f"  {error}", "red")
                continue
            return self._driving(run["session"])

    async def _answer(self, host: Host, interrupt: str, value: Any) -> None:
        from graphagent.session import operations

        row = await operations.find_interrupt(host, interrupt)
        await operations.answer(host, row, value)

    def _driving(self, session: str) -> Begin:
        async def begin(host: Host, observer: Observer) -> Outcome:
            from graphagent.session import operations

            options = operations.Options(stop=self.work.stop_asked)
            return await operations.drive(host, SessionId(session), options, observer)

        return begin


async def ended_of(host: Host, outcome: Outcome) -> Ended:
    """The document of an outcome, and the frame of its error."""
    from graphagent.session.documents import run_document

    document = await run_document(host, outcome)
    lines: list[str] = []
    record = outcome.error
    if outcome.row.status == "failed" and record is not None:
        node = failed_node(outcome.plan, record.get("node"))
        given: dict[str, Any] = {}
        if node is not None and record.get("trace"):
            try:
                given = await arguments_of(host, outcome.row, outcome.plan, node)
            except GraphAgentError:
                given = {}
        lines = frame(record, record.get("superstep") or outcome.row.head_superstep, node, given)
    return Ended(document.data(), lines)


def readable(outputs: Mapping[str, Any]) -> str:
    """Outputs for people: a lone text as it is, anything else as YAML."""
    if len(outputs) == 1:
        (value,) = outputs.values()
        if isinstance(value, str):
            return value
    return as_yaml(outputs)


def as_yaml(value: Any) -> str:
    """Plain data as YAML, with long texts as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=100)
    return dumped
