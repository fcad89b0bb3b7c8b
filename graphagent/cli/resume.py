"""`graphagent resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.arguments import JsonlOption, ModelOption, ScriptedOption, SessionArgument, UntilOption
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Outcome

DISCARD_HELP = "Begin this task of the open superstep anew: its calls don't fit its code any more."


def resume(
    ctx: typer.Context,
    session: SessionArgument,
    until: UntilOption = None,
    retry: Annotated[str | None, typer.Option(metavar="NODE", help="Give only this failed node a new attempt.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also a session whose process died too often.")] = False,
    discard_task: Annotated[str | None, typer.Option(metavar="PATH", help=DISCARD_HELP)] = None,
    accept_repeat: Annotated[
        bool, typer.Option("--accept-repeat", help="Discard it though it has begun writes, which it may make again.")
    ] = False,
    max_supersteps: Annotated[int | None, typer.Option(min=1, help="A new bound on the run's supersteps.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="A new bound on the run's tokens.")] = None,
    budget: Annotated[float | None, typer.Option(metavar="USD", min=0, help="A new bound on the run's cost.")] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="D", help="A new bound on the run's time, counted from its start.")
    ] = None,
    model: ModelOption = None,
    scripted: ScriptedOption = None,
    jsonl: JsonlOption = False,
) -> int:
    """Run on from a session's newest checkpoint."""
    from graphagent.cli import given as reading
    from graphagent.cli.segment import Segment
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.discarding import Discard

    terminal = terminal_of(ctx)
    models = reading.read_models(model or [])
    if accept_repeat and discard_task is None:
        raise typer.BadParameter("it belongs to --discard-task PATH", param_hint="--accept-repeat")
    discard = None if discard_task is None else Discard(discard_task, accept_repeat, _user())
    with Work(terminal, models=models, scripted=scripted) as work:
        row = work.row(session)

        async def begin(host: Host, observer: Observer) -> Outcome:
            plan = await host.plan_of(row)
            reading.check_models(plan, models, work.project.settings)
            nodes, snapshot = reading.read_until(until or [], plan.graph)
            limits = reading.read_limits(max_supersteps, budget, max_tokens, timeout)
            options = operations.Options(until=nodes, until_snapshot=snapshot, limits=limits, stop=work.stop_asked)
            return await operations.resume(
                host, row.session, options, observer, retry=retry, force=force, discard=discard
            )

        segment = Segment(work, row.graph, jsonl=jsonl)
        return segment.finish(segment.play(begin))


def _user() -> str | None:
    """Who sits at this terminal, as far as the system says."""
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError, ImportError):  # no such account, as in many containers
        return None
