"""`graphagent doctor`."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from graphagent.cli.terminal import Terminal
    from graphagent.session.settings import Settings

PACKAGES = ("trio", "pydantic", "PyYAML", "Jinja2", "httpx", "apsw", "rich", "typer")
KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "VLLM_BASE_URL", "OLLAMA_HOST", "GRAPHAGENT_MODEL", "GRAPHAGENT_STORE")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and the command that mends it."""

    state: Literal["ok", "warning", "error"]
    what: str
    told: str
    remedy: str | None = None


def doctor(ctx: typer.Context) -> int:
    """Check this machine and project."""
    terminal = terminal_of(ctx)
    findings = list(look(terminal))
    if terminal.flags.json:
        rows = [{"state": f.state, "what": f.what, "told": f.told, "remedy": f.remedy} for f in findings]
        terminal.document({"schema": "graphagent/doctor@1", "findings": rows})
    else:
        terminal.table("\n".join(line(f) for f in findings))
    return Exit.FAILED if any(f.state == "error" for f in findings) else Exit.OK


def line(finding: Finding) -> str:
    """A finding as text."""
    mark = {"ok": "✔", "warning": "⚠", "error": "✖"}[finding.state]
    remedy = f"   {finding.remedy}" if finding.remedy else ""
    return f"{mark} {finding.what}: {finding.told}{remedy}"


def look(terminal: Terminal) -> Iterator[Finding]:
    """All findings, in the order in which they are shown."""
    yield Finding("ok", "Python", sys.version.split()[0])
    yield from packages()
    yield from guarded("project", lambda: project(terminal))
    yield from local_model(terminal)
    keys = [name for name in KEYS if os.environ.get(name)]
    yield Finding("ok", "environment", f"set: {', '.join(keys)}" if keys else "no model key is set")
    width = shutil.get_terminal_size().columns
    yield Finding("ok", "terminal", f"{width} columns, {'ASCII only' if terminal.ascii else 'Unicode'}")


def guarded(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; an error of ours is a finding too."""
    from graphagent.errors import GraphAgentError

    try:
        yield from check()
    except GraphAgentError as error:
        yield Finding("error", what, error.message, error.hint)


def packages() -> Iterator[Finding]:
    """The versions of what the package needs."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("error", "packages", f"{name} is missing", f"pip install {name}")
    yield Finding("ok", "packages", ", ".join(found))


def project(terminal: Terminal) -> Iterator[Finding]:
    """The project folder, its store, and its graphs."""
    from graphagent.cli.work import Work
    from graphagent.session.graph_file import read_graph_file
    from graphagent.session.hooks import HookSettings
    from graphagent.session.host import Host
    from graphagent.session.settings import MEMORY

    with Work(terminal) as work:
        settings = work.project.settings
        yield Finding("ok", "project", str(settings.root))
        file = settings.store_file

        async def name(host: Host) -> str:
            return host.store.name

        if settings.store == MEMORY:
            yield Finding("warning", "store", "sessions are kept in memory only")
        elif file is None:
            yield from guarded("store", lambda: iter([Finding("ok", "store", work.call(name))]))
        elif file.exists():
            yield Finding("ok", "store", f"{work.call(name)}, {file.stat().st_size / 1e6:.1f} MB")
        else:
            yield Finding("ok", "store", f"{file}, not there yet")
        if file is not None:
            yield fsync(file.parent if file.parent.is_dir() else settings.root)
        if settings.hooks != HookSettings():
            yield from guarded("hooks", lambda: iter([hooks(settings)]))
        for file in sorted(settings.root.glob("*.graph.yaml")):
            broken = [d for d in read_graph_file(file, settings.root).diagnostics if d.severity == "error"]
            told = f"{len(broken)} errors" if broken else "valid"
            remedy = terminal.command("validate", file.name) if broken else None
            yield Finding("error" if broken else "ok", file.name, told, remedy)


def hooks(settings: Settings) -> Finding:
    """Whether every hook of the settings is there."""
    from graphagent.session.hooks import Hooks

    Hooks(settings.hooks, settings.root, settings.allow_modules).check()
    names = dict.fromkeys(one.function for one in (*settings.hooks.before, *settings.hooks.after))
    return Finding("ok", "hooks", ", ".join(names))


def fsync(folder: Path) -> Finding:
    """How long a small durable write takes: the price of a superstep."""
    times = []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(10):
                started = time.perf_counter()
                file.write(b"x" * 512)
                file.flush()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - started) * 1000)
    except OSError as error:
        return Finding("error", "disk", f"{folder} isn't writable: {error.strerror}", "choose another --store")
    return Finding("ok", "disk", f"a durable write takes {statistics.median(times):.2f} ms")


def local_model(terminal: Terminal) -> Iterator[Finding]:
    """The small local model: its engine and its weights."""
    from graphagent.llm.local.install import locate

    if find_spec("xllamacpp") is None:
        yield Finding("warning", "local model", "the extra isn't installed", "pip install 'graphagent[local]'")
    elif locate() is None:
        yield Finding("warning", "local model", "no weights", terminal.command("local", "install"))
    else:
        yield Finding("ok", "local model", "ready")
