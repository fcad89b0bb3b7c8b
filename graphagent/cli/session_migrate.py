"""`graphagent migrate S --to FILE`: a session goes on with a newer version of its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphagent.cli.exits import Exit

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.session.host import Host
    from graphagent.session.migrating import Report


def migrate_session(terminal: Terminal, session: str, file: str, *, check: bool) -> int:
    """Tell how a session fits a graph, and bind it to that unless it is only to be checked."""
    from graphagent.cli.work import Work
    from graphagent.session import migrating
    from graphagent.session.graph_file import read_graph_file

    with Work(terminal) as work:
        plan = read_graph_file(file, work.project.root).compiled()

        async def run(host: Host) -> Report:
            row = await work.project.resolve(session)
            if check:
                return await migrating.report(host, row.session, plan)
            return await migrating.migrate(host, row.session, plan)

        found = work.call(run)
    moved = not check and not found.same
    if terminal.flags.json:
        terminal.document(document(found, migrated=moved))
    else:
        terminal.table("\n".join(lines_of(found, migrated=moved)))
    if check and found.fits and not found.same:
        terminal.say(f"do it: {terminal.command('migrate', found.row.session, '--to', file)}", "dim")
    if moved:
        terminal.say(f"run it: {terminal.command('resume', found.row.session)}", "dim")
    return Exit.OK if found.fits else Exit.REFUSED


def lines_of(found: Report, *, migrated: bool) -> list[str]:
    """The report for people."""
    from graphagent.codec import show_digest

    if found.same:
        return [f"{found.row.session} runs this graph already"]
    rows = [
        ("channels", [f"+ {name}" for name in found.added_channels] + [f"- {name}" for name in found.dropped_channels]),
        ("types", [f"{u.channel}: {u.before} -> {u.after}" + ("" if u.known else " (no upcaster)")
                   for u in found.upcasts]),
        ("nodes", [f"+ {name}" for name in found.added_nodes] + [f"- {name}" for name in found.dropped_nodes]),
    ]  # fmt: skip
    name = found.old.name
    what = "goes on with" if migrated else "could go on with" if found.fits else "can't go on with"
    lines = [f"{found.row.session}@{found.snapshot} {what} {name} {show_digest(found.new.hash)}"]
    lines += [f"{key:<9} {', '.join(parts)}" for key, parts in rows if parts]
    lines += [f"✖ {conflict.message}\n  {conflict.help}" for conflict in found.conflicts]
    return lines


def document(found: Report, *, migrated: bool) -> dict[str, Any]:
    """The report as data."""
    from graphagent.codec import show_digest

    return {
        "schema": "graphagent/session-migration@1",
        "session": found.row.session,
        "snapshot": found.snapshot,
        "from": show_digest(found.old.hash),
        "to": show_digest(found.new.hash),
        "ok": found.fits,
        "migrated": migrated,
        "channels": {"added": list(found.added_channels), "dropped": list(found.dropped_channels)},
        "types": [
            {"channel": u.channel, "before": u.before, "after": u.after, "known": u.known} for u in found.upcasts
        ],
        "nodes": {"added": list(found.added_nodes), "dropped": list(found.dropped_nodes)},
        "conflicts": [{"message": c.message, "help": c.help} for c in found.conflicts],
    }
