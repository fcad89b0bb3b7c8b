"""`graphagent models probe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.llm.probe import Probed
    from graphagent.messages import Model


def probe(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="As a graph has it under `use`.")],
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="The address of an OpenAI-compatible API.")
    ] = None,
) -> int:
    """Try what a model can do with a few small calls, and compare it with what is assumed."""
    from graphagent.cli.targets import project_folder
    from graphagent.concurrency import run_sync
    from graphagent.llm import open_model
    from graphagent.llm.capabilities import NOTHING_SAID
    from graphagent.session.settings import load_settings

    terminal = terminal_of(ctx)
    said = load_settings(project_folder(terminal)).capabilities.get(name, NOTHING_SAID)
    model = native(open_model(name, base_url=base_url, capabilities=said))
    found = run_sync(probed, model)
    wrong = [one for one in found if one.declared is not None and one.declared != one.works]
    if terminal.flags.json:
        rows = [{"ability": o.ability, "declared": o.declared, "works": o.works, "said": o.said} for o in found]
        terminal.document({"schema": "graphagent/probe@1", "model": name, "abilities": rows})
    else:
        for one in found:
            terminal.result(f"{one.ability:12} {'yes' if one.works else 'no':4} {one.said}")
        if wrong:
            lines = "\n".join(f"  {one.ability} = {str(one.works).lower()}" for one in wrong)
            terminal.say(f'not as assumed; in graphagent.toml:\n  [capabilities."{name}"]\n{lines}', "yellow")
    return Exit.OK


def native(model: Model) -> Model:
    """The adapter itself, without what stands in for abilities that it lacks."""
    from graphagent.llm.emulation import EmulatedTools
    from graphagent.llm.typed import TypedAnswers

    return model.inner if isinstance(model, EmulatedTools | TypedAnswers) else model


async def probed(model: Model) -> list[Probed]:
    """All abilities; the model is closed."""
    from graphagent.llm.probe import probe as try_out

    try:
        return [one async for one in try_out(model)]
    finally:
        await model.aclose()
