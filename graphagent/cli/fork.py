"""`graphagent fork`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.flags import terminal_of
from graphagent.cli.resume import SESSION_HELP
from graphagent.cli.run import JSONL_HELP, MODEL_HELP, UNTIL_HELP

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.cli.work import Work
    from graphagent.session.documents.forms import ForkDocument
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Fork, Outcome


def fork(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="S", help=SESSION_HELP)],
    at: Annotated[str, typer.Option(metavar="N", help="Snapshot N, what superstep N reads; -1 or last: the newest.")],
    edits: Annotated[
        list[str] | None, typer.Option("--set", metavar="CH=JSON", help="Set a channel; CH=@FILE. May be repeated.")
    ] = None,
    graph: Annotated[str | None, typer.Option(metavar="FILE", help="Go on with this graph.")] = None,
    name: Annotated[str | None, typer.Option(help="A name for the fork.")] = None,
    same_seed: Annotated[bool, typer.Option("--same-seed", help="Keep the seed of the origin.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make the calls of a superstep that hasn't closed again.")
    ] = False,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="PATH:ORDINAL",
            help="Keep what superstep N did, and go on right before this call of it: write:0, each[2]:1.",
        ),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Of a child session fork only that, not the sessions that called it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be kept and run.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Run the fork at once.")] = False,
    until: Annotated[list[str] | None, typer.Option(metavar="NODE|N", help="With --run. " + UNTIL_HELP)] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="[NAME=]SPEC", help="With --run. " + MODEL_HELP)] = None,
    scripted: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --run. Recorded answers for models of provider scripted.")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="With --run. " + JSONL_HELP)] = False,
) -> int:
    """Make a new session from a snapshot of an old one, with edits."""
    from graphagent.cli import given as reading
    from graphagent.cli.show import snapshot_of
    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid
    from graphagent.session import operations
    from graphagent.session.forking import Options
    from graphagent.session.graph_file import read_graph_file

    terminal = terminal_of(ctx)
    if dry_run and run:
        raise InputInvalid("--dry-run", "--run can't be given with it")
    models = reading.read_models(model or [])
    with Work(terminal, models=models, scripted=scripted) as work:
        plan = None if graph is None else read_graph_file(graph, work.project.root).compiled()

        async def make(host: Host) -> Fork:
            row = await work.project.resolve(session)
            target = plan or await host.plan_of(row)
            reading.check_models(target, models, work.project.settings)
            reading.read_until(until or [], target.graph)
            changed = reading.read_edits(target.graph, edits or [])
            number = await snapshot_of(host, row, at)
            options = Options(changed, plan, name, same_seed, fresh, alone, before)
            return await operations.fork(host, row.session, number, options, dry_run=dry_run)

        made = work.call(make)
        if run:
            return run_fork(work, made, until or [], jsonl=jsonl)
        document = work.call(document_of, made, not dry_run)
        return told(terminal, document)


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
        terminal.say(f"run it: {terminal.command('resume', root)}", "dim")
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
