"""`graphagent run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphagent.cli.arguments import JsonlOption, ModelOption, ScriptedOption, UntilOption
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.cli.work import Work
    from graphagent.graph.plan import Plan
    from graphagent.session.graph_file import GraphFile
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Options, Outcome
    from graphagent.snapshot import SessionRow

GRAPH_HELP = "A NAME.graph.yaml, or a ready-made one: graphagent:NAME.graph.yaml"
GIVEN_HELP = "An input, read by its type; K=@FILE takes a file."
DOCUMENT_HELP = "All inputs as one JSON object."
TAG_HELP = "A tag for the new session. May be repeated."
SEED_HELP = "Seed of the new session; by default from the system."
SUPERSTEPS_HELP = "Stop the run after so many supersteps."
TOKENS_HELP = "Stop when so many tokens are used, children included."
BUDGET_HELP = "Stop when it has cost so much, children included."
TIMEOUT_HELP = "Stop so long after the start, waiting included: 90s, 10m, 4h."
DURABILITY_HELP = "When a superstep starts: when the one before it is durable, or queued; memory stores nothing."
Durability = Literal["strict", "pipelined", "memory"]


def run(
    ctx: typer.Context,
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help=GRAPH_HELP)],
    given: Annotated[list[str] | None, typer.Option("-i", metavar="K=V", help=GIVEN_HELP)] = None,
    document: Annotated[str | None, typer.Option("--input", metavar="JSON|@FILE|-", help=DOCUMENT_HELP)] = None,
    session: Annotated[str | None, typer.Option(metavar="S", help="Start a new run in this session.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A name for the new session.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help=TAG_HELP)] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help=SEED_HELP)] = None,
    until: UntilOption = None,
    max_supersteps: Annotated[int | None, typer.Option(metavar="N", min=1, help=SUPERSTEPS_HELP)] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", min=1, help=TOKENS_HELP)] = None,
    budget: Annotated[float | None, typer.Option(metavar="USD", min=0, help=BUDGET_HELP)] = None,
    timeout: Annotated[str | None, typer.Option(metavar="D", help=TIMEOUT_HELP)] = None,
    model: ModelOption = None,
    scripted: ScriptedOption = None,
    durability: Annotated[Durability | None, typer.Option(help=DURABILITY_HELP)] = None,
    jsonl: JsonlOption = False,
) -> int:
    """Run a graph in a new session, or once more in an old one."""
    from graphagent.cli import given as reading
    from graphagent.cli.segment import Segment
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.graph_file import read_graph_file

    models = reading.read_models(model or [])
    with Work(terminal_of(ctx), models=models, scripted=scripted, creates=True, durability=durability) as work:
        file = read_graph_file(graph, work.project.root)
        plan = file.compiled()
        warn(work.terminal, file)
        reading.check_models(plan, models, work.project.settings)
        inputs = reading.read_inputs(plan.graph, given or [], document)
        nodes, snapshot = reading.read_until(until or [], plan.graph)
        limits = reading.read_limits(max_supersteps, budget, max_tokens, timeout)
        options = operations.Options(name, tuple(tag or ()), seed, nodes, snapshot, limits, stop=work.stop_asked)
        operations.run_input(plan, inputs, options)  # an input that doesn't fit is told before the store is opened
        begin = beginning(work, plan, inputs, options, session)
        segment = Segment(work, plan.name, jsonl=jsonl)
        return segment.finish(segment.play(begin))


def beginning(
    work: Work, plan: Plan, inputs: Mapping[str, Any], options: Options, session: str | None
) -> Callable[[Host, Observer], Awaitable[Outcome]]:
    """What begins the run: in a new session, or in the one that is named."""
    from graphagent.session import operations

    row = work.row(session) if session is not None else None

    async def begin(host: Host, observer: Observer) -> Outcome:
        if row is not None:
            host.know(plan)
            same_graph(row, plan, await host.plan_of(row))
            return await operations.run_again(host, row.session, inputs, options, observer)
        return await operations.start(host, plan, inputs, options, observer)

    return begin


def warn(terminal: Terminal, file: GraphFile) -> None:
    """Show the warnings of a graph that has no errors."""
    from graphagent.cli.failures import tell_diagnostics

    if file.diagnostics and not terminal.flags.quiet:
        tell_diagnostics(terminal, file.frames)


def same_graph(row: SessionRow, plan: Plan, bound: Plan) -> None:
    """A session stays with its graph, and with the prompts that it was begun with in its place. Raises Conflict."""
    from graphagent.errors import Conflict
    from graphagent.graph.overriding import original_hash

    if original_hash(bound) != plan.hash:
        hint = f"graphagent fork {row.session} --at {row.head_superstep} --graph FILE"
        raise Conflict(f"{row.session} is bound to another text of {row.graph!r}", hint=hint)
