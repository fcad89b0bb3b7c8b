"""`graphagent send`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.arguments import JsonlOption, ModelOption, ScriptedOption, SessionArgument
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Outcome


def send(
    ctx: typer.Context,
    session: SessionArgument,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The name that a `wait` node waits for.")],
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="The event's data, a JSON object: JSON, @FILE or -.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only store the event; `resume` runs on.")] = False,
    model: ModelOption = None,
    scripted: ScriptedOption = None,
    jsonl: JsonlOption = False,
) -> int:
    """Post an event to a session, and run on."""
    from graphagent.cli import given as reading
    from graphagent.cli.segment import Segment
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.documents import sent_document
    from graphagent.session.sending import send as post

    terminal = terminal_of(ctx)
    value = None if data is None else reading.parse_json(reading.read_text(data, "DATA"), "DATA")
    with Work(terminal, models=reading.read_models(model or []), scripted=scripted) as work:
        row = work.row(session)
        accepted = work.call(post, row.session, event, value)
        if no_wait:
            if terminal.flags.json:
                terminal.document(sent_document(row.session, event, accepted).data())
            hint = terminal.command("resume", row.session)
            terminal.say(f"{terminal.symbol('done')} sent {event}   go on: {hint}")
            return 0

        async def begin(host: Host, observer: Observer) -> Outcome:
            options = operations.Options(stop=work.stop_asked)
            return await operations.drive(host, await host.root_of(row.session), options, observer)

        segment = Segment(work, row.graph, jsonl=jsonl)
        return segment.finish(segment.play(begin))
