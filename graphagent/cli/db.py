"""`graphagent db check|verify|migrate|gc`: the store itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.ports import StoreState
    from graphagent.session.documents.forms import CollectDocument, Damaged, StoreDocument, VerifyDocument
    from graphagent.session.host import Host
    from graphagent.session.retention_rules import Retention


def check(ctx: typer.Context) -> int:
    """Check the versions and the files of the store, quickly; nothing is changed."""
    from graphagent.session.documents.keeping import store_document

    terminal = terminal_of(ctx)
    return show_state(terminal, store_document(state_of(terminal)))


def migrate(ctx: typer.Context) -> int:
    """Bring the store to the schema of this release, as opening it does."""
    from graphagent.cli.work import Work
    from graphagent.session.documents.keeping import store_document

    terminal = terminal_of(ctx)
    before = state_of(terminal)

    async def open_it(host: Host) -> None:
        """Opening applies what is pending."""

    with Work(terminal) as work:
        work.call(open_it)
    return show_state(terminal, store_document(state_of(terminal), before.pending))


def state_of(terminal: Terminal) -> StoreState:
    """The state of the project's store, which isn't opened for it."""
    from graphagent import registry
    from graphagent.cli.work import Work
    from graphagent.concurrency import run_sync
    from graphagent.errors import InputInvalid, NotFound
    from graphagent.session.settings import MEMORY

    work = Work(terminal)
    settings = work.project.settings
    if settings.store == MEMORY:
        raise InputInvalid("--store", "a store in memory ends with its process; there is nothing to check")
    if not work.stored:
        raise NotFound(f"there is no store {settings.store}", hint="graphagent init, then run a graph")
    file = settings.store_file
    kind, place = ("postgres", settings.store) if file is None else ("sqlite", file)
    found: StoreState = run_sync(registry.load("stores", kind).inspect, place)
    return found


def show_state(terminal: Terminal, document: StoreDocument) -> int:
    """Print what was found; refused if something is damaged, or lacks migrations."""
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        version = f"{document.schema_version} of {document.newest_version}"
        lines = [
            f"store       {document.store}", f"schema      {version}; oldest reader {document.min_reader}",
            f"id          {document.store_id}   made by {document.created_by}",
        ]  # fmt: skip
        lines += [f"applied     {name}" for name in document.applied]
        lines += [f"pending     {name}" for name in document.pending]
        terminal.table("\n".join(lines))
        tell_damage(terminal, document.problems)
    if document.pending and not document.problems:
        terminal.say(f"to bring it up to date: {terminal.command('db', 'migrate')}")
    return Exit.OK if document.ok else Exit.REFUSED


def tell_damage(terminal: Terminal, problems: list[Damaged]) -> None:
    """A line for each thing that is damaged."""
    for found in problems:
        where = [f"session {found.session}"] if found.session else []
        where += [f"superstep {found.superstep}"] if found.superstep is not None else []
        where += [f"checkpoint {found.checkpoint}"] if found.checkpoint else []
        terminal.tell(
            f"{terminal.symbol('failed')} {', '.join([*where, ''])[:-2]}: {found.message}".replace(" : ", " ")
        )


def verify(ctx: typer.Context) -> int:
    """Read every row and blob of every session, and compute every digest again."""
    from graphagent.cli.work import Work
    from graphagent.session.documents.keeping import verify_document
    from graphagent.session.verifying import verify_store

    terminal = terminal_of(ctx)

    async def read(host: Host) -> VerifyDocument:
        return verify_document(host.store, await verify_store(host.store, host.artifacts))

    with Work(terminal) as work:
        document = work.call(read)
    counts = f"{document.sessions} sessions, {document.checkpoints} checkpoints, {document.blobs} blobs"
    counts += f", {document.artifacts} artifacts" if document.artifacts else ""
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.result(f"{counts}: {'all whole' if document.ok else f'{len(document.problems)} damaged'}")
        tell_damage(terminal, document.problems)
    if not document.ok:
        terminal.say("the other sessions aren't touched; restore a backup, or fork before the damage", "yellow")
    return Exit.OK if document.ok else Exit.REFUSED


OLDER_HELP = "What had its last commit before is past its time.  [default: the setting retention, else 30d]"
EVERY_HELP = "Of what is trimmed, keep every N-th snapshot.  [default: the setting retention, else 100]"


def gc(
    ctx: typer.Context,
    older_than: Annotated[str | None, typer.Option("--older-than", metavar="D", help=OLDER_HELP)] = None,
    keep_every: Annotated[int | None, typer.Option("--keep-every", metavar="N", min=1, help=EVERY_HELP)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> int:
    """Delete and trim sessions that are past their time; what runs, waits or is needed by others stays."""
    from graphagent.cli.work import Work
    from graphagent.session.documents.keeping import collect_document
    from graphagent.session.retention import collect

    terminal = terminal_of(ctx)
    changed = rules_given(older_than, keep_every)

    async def run(host: Host, dry: bool) -> CollectDocument:
        retention = changed(host.settings.retention)
        found = await collect(host.store, host.clock, retention, artifacts=host.artifacts, dry_run=dry)
        return collect_document(host.store, found, dry_run=dry)

    with Work(terminal) as work:
        document = work.call(run, True)
        more = document.blobs or document.artifacts or document.strays
        if not dry_run and (document.sessions or document.trimmed or document.checkpoints or more):
            sure(terminal, f"Remove {summary(document)}?", yes=yes)
            document = work.call(run, False)
    if terminal.flags.json:
        terminal.document(document.data())
    else:
        terminal.result(f"{'would remove' if dry_run else 'removed'} {summary(document)}")
    if document.skipped:
        terminal.say(f"{len(document.skipped)} families were in use and are left for later", "dim")
    return Exit.OK


def rules_given(older_than: str | None, keep_every: int | None) -> Callable[[Retention | None], Retention]:
    """What flags make of the setting. Its rules for graphs and tags stay.

    Raises:
        InputInvalid: it is no duration.
    """
    from dataclasses import replace

    from graphagent.errors import InputInvalid
    from graphagent.graph.duration import parse_duration
    from graphagent.session.retention_rules import Retention

    age = None if older_than is None else parse_duration(older_than)
    if older_than is not None and age is None:
        raise InputInvalid("--older-than", f"{older_than!r} is no duration", hint="such as 12h or 30d")

    def changed(setting: Retention | None) -> Retention:
        rules = setting or Retention()
        length = rules.older_than_us if age is None else age.ms * 1000
        return replace(rules, older_than_us=length, keep_every=keep_every or rules.keep_every)

    return changed


def summary(document: CollectDocument) -> str:
    """What goes."""
    of_others = f"{document.checkpoints} checkpoints and {document.blobs} blobs of others"
    more = f", {document.artifacts} artifacts of others" if document.artifacts else ""
    more += f", the bytes of {document.strays} artifacts that have no row" if document.strays else ""
    return f"{len(document.sessions)} sessions, {of_others}{more}"


def sure(terminal: Terminal, question: str, *, yes: bool) -> None:
    """Ask before something is destroyed.

    Raises:
        Conflict: nobody said yes.
    """
    from graphagent.cli.ask import confirm
    from graphagent.errors import Conflict

    if not yes and not confirm(terminal, question):
        hint = None if terminal.asks else "say it with --yes where nobody can be asked"
        raise Conflict("nothing was removed", hint=hint)
