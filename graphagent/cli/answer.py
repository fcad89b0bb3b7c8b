"""`graphagent answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.arguments import JsonlOption, ModelOption, ScriptedOption
from graphagent.cli.flags import terminal_of
from graphagent.ids import SessionId

OTHERS = ("approve", "reject", "edit")

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Outcome


def answer(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="INTERRUPT|S", help="A question, or the session that has one open question.")
    ],
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="The answer as JSON, @FILE or -; a form as an object.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Yes.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="No.")] = False,
    choose: Annotated[
        str | None,
        typer.Option(metavar="X", help="This one of the options; of a write in doubt `done` VALUE, `retry` or `fail`."),
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Change the value in $EDITOR.")] = False,
    note: Annotated[str | None, typer.Option(help="A remark that is kept with the answer.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only store the answer; `resume` runs on.")] = False,
    model: ModelOption = None,
    scripted: ScriptedOption = None,
    jsonl: JsonlOption = False,
) -> int:
    """Answer a question of a waiting session, and run on."""
    from graphagent.cli import given as reading
    from graphagent.cli.segment import Segment
    from graphagent.cli.work import Work
    from graphagent.session import operations

    terminal = terminal_of(ctx)
    with Work(terminal, models=reading.read_models(model or []), scripted=scripted) as work:
        name = target if target.startswith("itr_") else work.row(target).session
        question = work.call(question_of, name)
        flags = {"approve": approve or None, "reject": reject or None, "choose": choose, "edit": edit or None}
        given = answer_given(terminal, question, value, flags)
        receipt = work.call(store_answer, question["id"], given, note)
        if no_wait:
            return told(terminal, receipt)

        async def begin(host: Host, observer: Observer) -> Outcome:
            options = operations.Options(stop=work.stop_asked)
            root = await host.root_of(SessionId(question["session"]))
            return await operations.drive(host, root, options, observer)

        graph = work.row(question["session"]).graph
        segment = Segment(work, graph, jsonl=jsonl)
        return segment.finish(segment.play(begin))


async def question_of(host: Host, target: str) -> dict[str, Any]:
    """The question as a document."""
    from graphagent.session import operations
    from graphagent.session.documents import interrupt_in

    return (await interrupt_in(host, await operations.find_interrupt(host, target))).data()


async def store_answer(host: Host, interrupt: str, value: Any, note: str | None) -> dict[str, Any]:
    """Store the answer; the `answer` document."""
    from graphagent.session import operations
    from graphagent.session.documents import answer_document, interrupt_in

    row = await operations.find_interrupt(host, interrupt)
    done = await operations.answer(host, row, value, note=note)
    return answer_document(await interrupt_in(host, done)).data()


def told(terminal: Terminal, receipt: Mapping[str, Any]) -> int:
    """The receipt of an answer that nobody waits for."""
    if terminal.flags.json:
        terminal.document(receipt)
    interrupt = receipt["interrupt"]
    terminal.say(f"{terminal.symbol('done')} answered   go on: {terminal.command('resume', interrupt['session'])}")
    return 0


def answer_given(terminal: Terminal, question: Mapping[str, Any], value: str | None, flags: Mapping[str, Any]) -> Any:
    """The answer that the arguments give; a person is asked if they give none.

    Raises:
        InputInvalid: they give several, or none where nobody can be asked, or one that the question can't have.
    """
    from graphagent.cli.ask import Later, ask, edited
    from graphagent.cli.given import parse_json, read_text
    from graphagent.errors import Conflict, InputInvalid

    if question["kind"] == "in_doubt" and flags["choose"] is not None and not any(flags[f] for f in OTHERS):
        extra = {} if value is None else {"value": parse_json(read_text(value, "VALUE"), "VALUE")}
        return {"decision": flags["choose"], **extra}
    if question["kind"] == "elicitation" and value is None and sum(flag is not None for flag in flags.values()) == 1:
        chosen = "decline" if flags["reject"] else flags["choose"]
        if chosen in ("decline", "cancel"):
            return {"action": chosen}
    ways = [f"--{name}" for name, flag in flags.items() if flag is not None] + ["VALUE"] * (value is not None)
    if len(ways) > 1:
        raise InputInvalid("answer", f"{' and '.join(ways)} can't both be given")
    if not ways:
        if not terminal.asks:
            raise InputInvalid("answer", "no answer is given", hint=ways_for(question))
        try:
            return ask(terminal, question)
        except Later:
            raise Conflict("not answered; the question stays open") from None
    wanted: tuple[str, ...]
    if flags["choose"] is not None:
        wanted, out = ("choose",), {"choice": flags["choose"]}
    elif flags["edit"]:
        if question["kind"] == "tool_approval":
            return {"decision": "edit", "args": edited(question["payload"]["args"])}
        wanted, out = ("edit",), None
    elif value is None:
        wanted, out = ("approve", "tool_approval"), {"decision": "approve" if flags["approve"] else "reject"}
    else:
        return parse_json(read_text(value, "VALUE"), "VALUE")
    if question["kind"] not in wanted:
        message = f"{ways[0]} doesn't answer a question of kind {question['kind']}"
        raise InputInvalid("answer", message, hint=ways_for(question))
    return {"value": edited(question["payload"])} if out is None else out


def ways_for(question: Mapping[str, Any]) -> str:
    """How a question of this kind is answered."""
    options = " | ".join(question["options"] or [])
    return {
        "approve": "--approve, or --reject with --note",
        "choose": f"--choose X, one of: {options}",
        "form": "VALUE is a JSON object with the fields " + ", ".join(form_fields(question)),
        "edit": "VALUE is the new value as JSON, or --edit",
        "tool_approval": "--approve, --reject, --edit, or VALUE: {decision: respond, content}",
        "elicitation": "VALUE is a JSON object with the fields that are asked for; --reject, or --choose cancel",
        "in_doubt": "--choose done VALUE, the JSON that it returned; --choose retry, or --choose fail",
    }.get(question["kind"], "VALUE is JSON")


def form_fields(question: Mapping[str, Any]) -> list[str]:
    """The names of a form's fields."""
    schema = question["answer_schema"].get("properties", {}).get("form", {})
    return list(schema.get("properties", {}))
