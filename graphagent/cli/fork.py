"""`graphagent fork`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.arguments import (
    JSONL_HELP,
    MODEL_HELP,
    SCRIPTED_HELP,
    UNTIL_HELP,
    SessionArgument,
)
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.cli.work import Work
    from graphagent.session.documents.forms import ForkDocument
    from graphagent.session.forking import Options
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Fork, Outcome

AT_HELP = "Snapshot N, what superstep N reads; -1 or last: the newest."
SET_HELP = "Set a channel; CH=@FILE. May be repeated."
AS_HELP = "What is set counts as written by this node, which doesn't run: go on along its routes."
FRESH_HELP = "Make the calls of a superstep that hasn't closed again."
BEFORE_HELP = "Keep what superstep N did, and go on right before this call of it: write:0, each[2]:1."
ALONE_HELP = "Of a child session fork only that, not the sessions that called it."
DRY_HELP = "Only show what would be kept and run."
RUN = "With --run. "


def fork(
    ctx: typer.Context,
    session: SessionArgument,
    at: Annotated[str, typer.Option(metavar="N", help=AT_HELP)],
    edits: Annotated[list[str] | None, typer.Option("--set", metavar="CH=JSON", help=SET_HELP)] = None,
    graph: Annotated[str | None, typer.Option(metavar="FILE", help="Go on with this graph.")] = None,
    as_node: Annotated[str | None, typer.Option("--as", metavar="NODE", help=AS_HELP)] = None,
    name: Annotated[str | None, typer.Option(help="A name for the fork.")] = None,
    same_seed: Annotated[bool, typer.Option("--same-seed", help="Keep the seed of the origin.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help=FRESH_HELP)] = False,
    before: Annotated[str | None, typer.Option(metavar="PATH:ORDINAL", help=BEFORE_HELP)] = None,
    alone: Annotated[bool, typer.Option("--alone", help=ALONE_HELP)] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=DRY_HELP)] = False,
    run: Annotated[bool, typer.Option("--run", help="Run the fork at once.")] = False,
    until: Annotated[list[str] | None, typer.Option(metavar="NODE|N", help=RUN + UNTIL_HELP)] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="[NAME=]SPEC", help=RUN + MODEL_HELP)] = None,
    scripted: Annotated[Path | None, typer.Option(metavar="FILE", help=RUN + SCRIPTED_HELP)] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help=RUN + JSONL_HELP)] = False,
) -> int:
    """Make a new session from a snapshot of an old one, with edits."""
    from graphagent.cli import given as reading
    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid
    from graphagent.session.forking import Options
    from graphagent.session.graph_file import read_graph_file

    if dry_run and run:
        raise InputInvalid("--dry-run", "--run can't be given with it")
    models = reading.read_models(model or [])
    with Work(terminal_of(ctx), models=models, scripted=scripted) as work:
        plan = None if graph is None else read_graph_file(graph, work.project.root).compiled()
        options = Options(None, plan, name, same_seed, fresh, alone, before, as_node)
        made = work.call(making(work, Wanted(session, at, edits or [], until or [], models, dry_run, run), options))
        if run:
            return run_fork(work, made, until or [], jsonl=jsonl)
        return told(work.terminal, work.call(document_of, made, not dry_run))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which fork is wanted, in the words of who wants it."""

    session: str
    at: str
    edits: list[str]
    until: list[str]
    models: Mapping[str, str]
    dry_run: bool
    run: bool


def making(work: Work, wanted: Wanted, options: Options) -> Callable[[Host], Awaitable[Fork]]:
    """What makes the fork; all that is said of its graph is checked against that one first."""
    from dataclasses import replace

    from graphagent.cli import given as reading
    from graphagent.cli.show import snapshot_of
    from graphagent.errors import InputInvalid
    from graphagent.session import operations

    async def make(host: Host) -> Fork:
        row = await work.project.resolve(wanted.session)
        target = options.plan or await host.plan_of(row)
        reading.check_models(target, wanted.models, work.project.settings)
        reading.read_until(wanted.until, target.graph)
        edits = reading.read_edits(target.graph, wanted.edits)
        number = await snapshot_of(host, row, wanted.at)
        if number == 0 and wanted.run and row.caller is None and options.as_node is None:
            hint = (
                "--at 1 has its inputs; for others leave --run away, then: graphagent run GRAPH --session FORK -i ..."
            )
            raise InputInvalid("--run", "snapshot 0 is before the inputs, so there is nothing to run", hint=hint)
        return await operations.fork(host, row.session, number, replace(options, edits=edits), dry_run=wanted.dry_run)

    return make


async def document_of(host: Host, made: Fork, created: bool) -> ForkDocument:
    """The `fork` document."""
    from graphagent.session.documents import fork_document

    return await fork_document(host, made, created=created)


def told(terminal: Terminal, document: ForkDocument) -> int:
    """The id of the fork, or the preview of one that isn't made."""
    if terminal.flags.json:
        terminal.document(document.data())
    elif document.session is None:
        terminal.table(preview_text(document))
    else:
        terminal.result(document.session)
    if document.session is not None:
        if document.family:
            callers = ", ".join(f.session for f in reversed(document.family))
            terminal.say(f"forked with it: {callers}", "dim")
        root = document.family[0].session if document.family else document.session
        again = ("run", "GRAPH", "--session", root, "-i", "...")  # before its inputs nothing is due
        waits = not (document.family or document.origin.snapshot or document.as_node)
        words = again if waits else ("resume", root)
        terminal.say(f"run it: {terminal.command(*words)}", "dim")
    return 0


def preview_text(document: ForkDocument) -> str:
    """What a fork keeps, what it will run, and what its origin did after the snapshot."""
    preview = document.preview
    certain = [r.node for r in preview.reachable if r.certainty == "certain"]
    possible = [r.node for r in preview.reachable if r.certainty == "possible"]
    spent = preview.spent_after
    rows = [
        ("from", f"{document.origin.session} at snapshot {document.origin.snapshot}"),
        ("keeps", f"{preview.kept_supersteps} supersteps"),
        *(("sets", f"{e.channel}: {words(e.before)} -> {words(e.after)}") for e in document.edits),
        *([("as", f"{document.as_node}, which doesn't run: its routes are taken")] if document.as_node else []),
        ("due", ", ".join(preview.due) or "nothing"),
        ("will run", ", ".join(certain) or "nothing"),
        ("may run", ", ".join(possible) or "nothing else"),
        ("spent", f"{spent.model_calls} model calls, {spent.input_tokens + spent.output_tokens:,} tokens after it"),
    ]
    for effect in preview.side_effects:
        again = "  it may be made again" if effect.class_ == "write" else ""
        rows.append((effect.class_, f"{effect.node}: {effect.name}, {effect.times_in_origin} times after it{again}"))
    return "\n".join(f"{key:<9} {value}" for key, value in rows)


def words(value: Any) -> str:
    """A value of a document in a few words."""
    from graphagent.cli.frames import brief

    data = value.data()
    return brief(data["value"]) if "value" in data else str(data["value_ref"]["preview"])


def run_fork(work: Work, made: Fork, until: list[str], *, jsonl: bool) -> int:
    """Run a fork at once; the document holds both."""
    from graphagent.cli import given as reading
    from graphagent.cli.segment import Segment
    from graphagent.session import operations

    async def begin(host: Host, observer: Observer) -> Outcome:
        plan = await host.plan_of(await host.store.session(made.root))
        nodes, snapshot = reading.read_until(until, plan.graph)
        options = operations.Options(until=nodes, until_snapshot=snapshot, stop=work.stop_asked)
        return await operations.resume(host, made.root, options, observer)

    terminal = work.terminal
    top = made.family[0][0] if made.family else made.row
    segment = Segment(work, top.graph, jsonl=jsonl)
    ended = segment.play(begin)
    if not (terminal.flags.json or jsonl):
        return segment.finish(ended)
    segment.tell(ended)
    document = work.call(document_of, made, True).data()
    if not segment.broken:
        terminal.document({**document, "head": ended.run["head"], "run": ended.run})
    return segment.code(ended)
