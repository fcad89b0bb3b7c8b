"""`graphagent run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.graph.plan import Plan
    from graphagent.session.graph_file import GraphFile
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Outcome
    from graphagent.snapshot import SessionRow

MODEL_HELP = "NAME=SPEC, or SPEC for all models: provider/model, provider/model@base_url, or scripted. May be repeated."
UNTIL_HELP = "Pause before this node, or at snapshot N. May be repeated."
JSONL_HELP = "Print every event as a line of JSON; the last line is the document."


def run(
    ctx: typer.Context,
    graph: Annotated[
        str, typer.Argument(metavar="GRAPH", help="A NAME.graph.yaml, or a ready-made one: graphagent:NAME.graph.yaml")
    ],
    given: Annotated[
        list[str] | None,
        typer.Option("-i", metavar="K=V", help="An input, read by its type; K=@FILE takes a file."),
    ] = None,
    document: Annotated[
        str | None, typer.Option("--input", metavar="JSON|@FILE|-", help="All inputs as one JSON object.")
    ] = None,
    session: Annotated[str | None, typer.Option(metavar="S", help="Start a new run in this session.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A name for the new session.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="A tag for the new session. May be repeated.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of the new session; by default from the system.")
    ] = None,
    until: Annotated[list[str] | None, typer.Option(metavar="NODE|N", help=UNTIL_HELP)] = None,
    max_supersteps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop the run after so many supersteps.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop when so many tokens are used, children included.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", min=0, help="Stop when it has cost so much, children included.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="D", help="Stop so long after the start, waiting included: 90s, 10m, 4h.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="[NAME=]SPEC", help=MODEL_HELP)] = None,
    scripted: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Recorded answers for models of provider scripted.")
    ] = None,
    durability: Annotated[
        Literal["strict", "pipelined", "memory"] | None,
        typer.Option(
            help="When a superstep starts: when the one before it is durable, or queued; memory stores nothing."
        ),
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help=JSONL_HELP)] = False,
) -> int:
    """Run a graph in a new session, or once more in an old one."""
    from graphagent.cli import given as reading
    from graphagent.cli.segment import Segment
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.graph_file import read_graph_file

    terminal = terminal_of(ctx)
    models = reading.read_models(model or [])
    with Work(terminal, models=models, scripted=scripted, creates=True, durability=durability) as work:
        file = read_graph_file(graph, work.project.root)
        plan = file.compiled()
        warn(terminal, file)
        reading.check_models(plan, models, work.project.settings)
        inputs = reading.read_inputs(plan.graph, given or [], document)
        nodes, snapshot = reading.read_until(until or [], plan.graph)
        options = operations.Options(
            name, tuple(tag or ()), seed, nodes, snapshot,
            reading.read_limits(max_supersteps, budget, max_tokens, timeout), stop=work.stop_asked,
        )  # fmt: skip
        operations.run_input(plan, inputs, options)  # an input that doesn't fit is told before the store is opened
        row = work.row(session) if session is not None else None
        if row is not None:
            same_graph(row, plan)

        async def begin(host: Host, observer: Observer) -> Outcome:
            if row is not None:
                host.know(plan)
                return await operations.run_again(host, row.session, inputs, options, observer)
            return await operations.start(host, plan, inputs, options, observer)

        segment = Segment(work, plan.name, jsonl=jsonl)
        return segment.finish(segment.play(begin))


def warn(terminal: Terminal, file: GraphFile) -> None:
    """Show the warnings of a graph that has no errors."""
    from graphagent.cli.failures import tell_diagnostics

    if file.diagnostics and not terminal.flags.quiet:
        tell_diagnostics(terminal, file.frames)


def same_graph(row: SessionRow, plan: Plan) -> None:
    """A session stays with its graph. Raises Conflict."""
    from graphagent.errors import Conflict

    if row.plan != plan.hash:
        hint = f"graphagent fork {row.session} --at {row.head_superstep} --graph FILE"
        raise Conflict(f"{row.session} is bound to another text of {row.graph!r}", hint=hint)
