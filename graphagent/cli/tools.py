"""`graphagent tools`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphagent.cli.flags import terminal_of


def tools(
    ctx: typer.Context,
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help="The file of a graph, or a ready-made one.")],
) -> int:
    """List the tools of a graph as its models would see them; none is called."""
    from graphagent.cli.targets import project_folder
    from graphagent.concurrency import run_sync
    from graphagent.session.documents.tools import tools_document
    from graphagent.session.functions import Functions
    from graphagent.session.graph_file import read_graph_file
    from graphagent.session.services import Models, Services, code_roots
    from graphagent.session.settings import load_settings, root_of

    terminal = terminal_of(ctx)
    folder = project_folder(terminal)
    file = read_graph_file(graph, folder)
    plan = file.compiled()
    settings = load_settings(folder or root_of(file.path))
    functions = Functions(code_roots(plan, settings.root), settings.allow_modules)
    document = run_sync(tools_document, plan, Services(plan, Models(settings, {}), functions))
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.table(str(document))
    return 0
