"""Arguments and flags that several commands take, as types of their parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SESSION_HELP = "A session: its id, the first six or more characters of it, @last, or @-2 for the one before."
MODEL_HELP = "NAME=SPEC, or SPEC for all models: provider/model, provider/model@base_url, or scripted. May be repeated."
SCRIPTED_HELP = "Recorded answers for models of provider scripted."
UNTIL_HELP = "Pause before this node, or at snapshot N. May be repeated."
JSONL_HELP = "Print every event as a line of JSON; the last line is the document."
WATCH_HELP = "Show it again whenever it has changed, until Ctrl-C; off a terminal only what is new."

SessionArgument = Annotated[str, typer.Argument(metavar="S", help=SESSION_HELP)]
UntilOption = Annotated[list[str] | None, typer.Option(metavar="NODE|N", help=UNTIL_HELP)]
ModelOption = Annotated[list[str] | None, typer.Option(metavar="[NAME=]SPEC", help=MODEL_HELP)]
ScriptedOption = Annotated[Path | None, typer.Option(metavar="FILE", help=SCRIPTED_HELP)]
JsonlOption = Annotated[bool, typer.Option("--jsonl", help=JSONL_HELP)]
WatchOption = Annotated[bool, typer.Option("--watch", help=WATCH_HELP)]
