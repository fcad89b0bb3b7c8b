"""`graphagent demo`."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.segment import Ended
    from graphagent.cli.terminal import Terminal
    from graphagent.cli.work import Work
    from graphagent.session.host import Host
    from graphagent.session.observer import Observer
    from graphagent.session.operations import Outcome

GRAPH = "graphagent:summarize.graph.yaml"
SCRIPTED = "scripted/demo"
LOCAL = "local/smollm2"
TITLES = ("bees", "lighthouses")


def demo(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Option(metavar="SPEC", help="local, scripted, or any provider/model[@base_url].")
    ] = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the project there.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Also replay and fork the session, and say whether all is well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Install the weights without asking.")] = False,
) -> int:
    """Summarize a text with a small local model: no key, no account."""
    terminal = terminal_of(ctx)
    if check and keep is None:
        with tempfile.TemporaryDirectory(prefix="graphagent-demo-") as nowhere:
            return play(terminal, Path(nowhere), chosen_model(terminal, model, yes=yes), check=True, stays=False)
    folder = keep or Path(tempfile.mkdtemp(prefix="graphagent-demo-"))
    return play(terminal, folder, chosen_model(terminal, model, yes=yes), check=check, stays=True)


def play(terminal: Terminal, folder: Path, spec: str, *, check: bool, stays: bool) -> int:
    """Run the graph in this folder and tell what came of it, and what to try next if the folder stays."""
    from graphagent.cli.segment import Segment
    from graphagent.cli.work import Work
    from graphagent.session import operations
    from graphagent.session.graph_file import read_graph_file

    (folder / ".graphagent").mkdir(parents=True, exist_ok=True)
    terminal.flags.project = str(folder)
    script = shipped("summarize.script.yaml") if spec == SCRIPTED else None
    file = read_graph_file(GRAPH)
    plan = file.compiled()
    inputs = {"texts": [{"title": t, "text": shipped(f"texts/{t}.txt").read_text(encoding="utf-8")} for t in TITLES]}
    with Work(terminal, models={"*": spec}, scripted=script, creates=True) as work:

        async def begin(host: Host, observer: Observer) -> Outcome:
            options = operations.Options(name="demo", stop=work.stop_asked)
            return await operations.start(host, plan, inputs, options, observer)

        segment = Segment(work, plan.name)
        ended = segment.play(begin)
        if ended.run["status"] != "done":
            return segment.finish(ended)
        told(work, ended, spec)
        code = checked(work, ended) if check else Exit.OK
        if stays:
            try_next(work, ended.run["session"], spec)
    return code


def chosen_model(terminal: Terminal, asked: Literal["local", "scripted"] | str | None, *, yes: bool) -> str:
    """The model to use: the one that was asked for, else the local one, else recorded answers; and says which."""
    import os

    from graphagent.errors import GraphAgentError

    spec = asked or os.environ.get("GRAPHAGENT_MODEL") or "local"
    if spec == "scripted":
        terminal.say("scripted model: recorded answers", "yellow")
        return SCRIPTED
    if spec != "local":
        return spec
    try:
        install(terminal, yes=yes)
    except GraphAgentError as error:
        terminal.say(f"the local model isn't there: {error.message}", "yellow")
        if error.hint:
            terminal.say(f"hint: {error.hint}", "dim")
        terminal.say("scripted model: recorded answers", "yellow")
        return SCRIPTED
    terminal.say("local model: SmolLM2 with 135 million weights. It is tiny: expect plain words and mistakes.")
    return LOCAL


def install(terminal: Terminal, *, yes: bool) -> None:
    """Make sure that the local model can run. Raises GraphAgentError."""
    from importlib.util import find_spec

    from graphagent.cli.local import agreed
    from graphagent.errors import Conflict, MissingExtra
    from graphagent.llm.local.install import install as install_weights
    from graphagent.llm.local.install import locate

    if find_spec("xllamacpp") is None:
        raise MissingExtra("local", "xllamacpp")
    if locate() is not None:
        return
    if not yes and not terminal.asks:
        raise Conflict("its weights aren't installed", hint=terminal.command("local", "install", "--yes"))
    install_weights(lambda weights: agreed(terminal, weights, yes=yes))


def shipped(name: str) -> Path:
    """A file that comes with the ready-made graphs."""
    from graphagent.session.shipped import find_shipped

    return find_shipped(name)


def told(work: Work, ended: Ended, spec: str) -> None:
    """The summary and the supersteps."""
    from graphagent.session.documents import history_document

    terminal, session = work.terminal, ended.run["session"]

    async def read(host: Host) -> str:
        row = await work.project.resolve(session)
        return str(await history_document(host, row))

    table = work.call(read)
    if terminal.flags.json:
        terminal.document(ended.run)
    else:
        terminal.result(ended.run["outputs"]["summary"])
    terminal.say("")
    terminal.say(table)
    terminal.say("")
    if spec in (LOCAL, SCRIPTED):
        terminal.say("a big model: --model openai/gpt-5-mini, or GRAPHAGENT_MODEL=provider/model@base_url", "dim")


def try_next(work: Work, session: str, spec: str) -> None:
    """Where the session is, and three commands."""
    terminal = work.terminal

    async def store_name(host: Host) -> str:
        return host.store.name

    terminal.say(f"stored in {work.call(store_name)}")
    terminal.say("try next:")
    for words in (
        ("history", session, "--values"),
        (
            "fork",
            session,
            "--at",
            "3",
            "--set",
            'notes=["Bees dance to tell each other where food is."]',
            "--run",
            *scripted_flags(spec),
        ),
        ("visualize", session),
    ):
        terminal.say("  " + terminal.command(*map(shlex.quote, words)))


def scripted_flags(spec: str) -> tuple[str, ...]:
    """What a command needs to go on with the same model."""
    if spec == SCRIPTED:
        return ("--model", SCRIPTED, "--scripted", str(shipped("summarize.script.yaml")))
    return () if spec == LOCAL else ("--model", spec)


def checked(work: Work, ended: Ended) -> Exit:
    """Replay the session, fork it in the middle, and say whether both are right."""
    from graphagent.ids import SessionId
    from graphagent.session import operations

    session = SessionId(ended.run["session"])

    async def run(host: Host) -> tuple[Any, Any]:
        report = await operations.replay(host, session)
        fork = await operations.fork(host, session, 2)
        return report, await operations.replay(host, fork.row.session)

    report, forked = work.call(run)
    right = report.identical and forked.identical
    terminal, steps = work.terminal, len(report.supersteps)
    terminal.say(f"{mark(terminal, report)} replay of {steps} supersteps from the journal")
    terminal.say(f"{mark(terminal, forked)} fork at snapshot 2, replayed")
    terminal.say("check: ok" if right else "check: failed")
    return Exit.OK if right else Exit.FAILED


def mark(terminal: Terminal, report: Any) -> str:
    """The symbol of what a replay found."""
    return f"{terminal.symbol('done')} identical:" if report.identical else f"{terminal.symbol('failed')} differs:"
