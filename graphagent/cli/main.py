"""The registry of commands, and the way from `sys.argv` to an exit code.

A command's module is imported only when it is called or its help is asked for.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from graphagent.cli.coercion import make_plain
from graphagent.cli.exits import Exit
from graphagent.cli.flags import global_flags
from graphagent.cli.terminal import Flags, Terminal
from graphagent.errors import GraphAgentError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("graphagent.cli.run:run", "Run a graph in a new session, or once more in an old one."),
    "resume": ("graphagent.cli.resume:resume", "Run on from a session's newest checkpoint."),
    "answer": ("graphagent.cli.answer:answer", "Answer a question of a waiting session, and run on."),
    "inbox": ("graphagent.cli.inbox:inbox", "List what people are asked, oldest first."),
    "send": ("graphagent.cli.send:send", "Post an event to a session, and run on."),
    "sessions": ("graphagent.cli.sessions:sessions", "List sessions."),
    "sessions cancel": ("graphagent.cli.sessions:cancel", "Cancel the current run of a session."),
    "sessions rename": ("graphagent.cli.sessions:rename", "Give a session another name."),
    "sessions tag": ("graphagent.cli.sessions:tag", "Add tags to a session, or take some away."),
    "sessions delete": (
        "graphagent.cli.sessions:delete",
        "Delete sessions with all that they called. One that others need, or that is running, is refused.",
    ),
    "show": ("graphagent.cli.show:show", "Show the state of a session at any snapshot."),
    "history": ("graphagent.cli.history:history", "List the supersteps of a session."),
    "diff": ("graphagent.cli.diff:diff", "Compare two sessions, or two snapshots, from their first difference on."),
    "replay": ("graphagent.cli.replay:replay", "Replay a session from its journal and compare; nothing is called."),
    "fork": ("graphagent.cli.fork:fork", "Make a new session from a snapshot of an old one, with edits."),
    "worker": (
        "graphagent.cli.worker:worker",
        "Run what others left or asked for: abandoned runs, new inputs, timers that are due.",
    ),
    "export": ("graphagent.cli.moving:export", "Write a session, with all that it called, to one file."),
    "import": (
        "graphagent.cli.moving:import_",
        "Store an exported session. All of it is checked first, and nothing runs.",
    ),
    "validate": ("graphagent.cli.validate:validate", "Check graphs; all findings at once."),
    "fmt": ("graphagent.cli.fmt:fmt", "Write graphs in the one style; comments, order and meaning stay."),
    "migrate": (
        "graphagent.cli.migrate:migrate",
        "Bring graphs to another version of the language, or a session to another version of its graph.",
    ),
    "explain": ("graphagent.cli.explain:explain", "Explain a finding, a key, an exit code or a kind of event."),
    "visualize": ("graphagent.cli.visualize:visualize", "Draw a graph, or a session over its graph."),
    "tools": (
        "graphagent.cli.tools:tools",
        "List the tools of a graph as its models would see them; none is called.",
    ),
    "prompts show": (
        "graphagent.cli.prompts:show",
        "Show the named prompts of a graph or of a session, and what replaces them.",
    ),
    "db check": (
        "graphagent.cli.db:check",
        "Check the versions and the files of the store, quickly; nothing is changed.",
    ),
    "db verify": (
        "graphagent.cli.db:verify",
        "Read every row and blob of every session, and compute every digest again.",
    ),
    "db migrate": ("graphagent.cli.db:migrate", "Bring the store to the schema of this release, as opening it does."),
    "db gc": (
        "graphagent.cli.db:gc",
        "Delete and trim sessions that are past their time; what runs, waits or is needed by others stays.",
    ),
    "schema": (
        "graphagent.cli.schema:schema",
        "Print a JSON Schema (draft-07): of graphs for editors, of a JSON document, or of events.",
    ),
    "init": ("graphagent.cli.init:init", "Write a new project that works as it is."),
    "demo": ("graphagent.cli.demo:demo", "Summarize a text with a small local model: no key, no account."),
    "doctor": ("graphagent.cli.doctor:doctor", "Check this machine and project."),
    "models probe": (
        "graphagent.cli.models:probe",
        "Try what a model can do with a few small calls, and compare it with what is assumed.",
    ),
    "local install": ("graphagent.cli.local:install", "Install the weights of the small local model."),
}
"""Name (of one or two words) -> where the function is, and the first line of its docstring."""

USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]
"""The base of all errors in arguments; typer gives it no public name."""


class Command(TyperCommand):
    """A command whose help lists the flags of all commands apart."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, that of `--help` too."""
        return make_plain(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then its own options, then those of all commands."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Global options": []}
        everywhere = {param.name for param in global_params()}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                is_argument = param.param_type_name == "argument"
                shared = param.name in everywhere
                sections["Arguments" if is_argument else "Global options" if shared else "Options"].append(record)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class LazyGroup(TyperGroup):
    """Finds commands in the registry. A name may have two words, such as `local install`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, that of `--help` too."""
        return make_plain(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the registry."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; its module is imported here."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = build(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands, without importing one of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments begin with, two words first."""
        for words in (2, 1):
            name = " ".join(args[:words])
            if len(args) >= words and name in COMMANDS:
                return name, self.get_command(ctx, name), args[words:]
        ctx.fail(f"No such command {args[0]!r}.{suggestion(args)}")
        raise AssertionError("ctx.fail raises")


def suggestion(args: list[str]) -> str:
    """What may have been meant."""
    begins = [name for name in COMMANDS if name.startswith(args[0] + " ")]
    near = begins or get_close_matches(args[0], COMMANDS)
    return f" Did you mean {', '.join(map(repr, near))}?" if near else ""


def build(name: str) -> Any:
    """The command of this name, from the function that the registry names."""
    target, _ = COMMANDS[name]
    module, _, attribute = target.partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=Command, no_args_is_help=False)(getattr(import_module(module), attribute))
    command = typer.main.get_command(app)
    command.params += global_params()
    return command


_params: list[Any] = []


def global_params() -> list[Any]:
    """The parameters of the flags that every command takes."""
    if not _params:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command()(global_flags)
        _params.extend(typer.main.get_command(app).params)
    return _params


def root() -> Any:
    """The group of all commands."""
    text = (
        "Agent graphs written in YAML, run in supersteps, with a checkpoint of every one to replay and fork.\n\n"
        "Every flag below may also stand behind a command. `graphagent COMMAND --help` tells more."
    )
    return LazyGroup(name="graphagent", help=text, params=list(global_params()), rich_markup_mode=None,
                     no_args_is_help=True)  # fmt: skip


def program() -> str:
    """How this process was started, so that commands to copy work when they are pasted."""
    started = sys.argv[0] if sys.argv else "graphagent"
    if Path(started).stem == "__main__":
        found = shutil.which("python")
        python = "python" if found and Path(found) == Path(sys.executable) else sys.executable
        return f"{shlex.quote(python)} -m graphagent"
    if Path(started).stem != "graphagent":
        return "graphagent"
    found = shutil.which("graphagent")
    if found is not None and Path(started).absolute() == Path(found).absolute():
        return "graphagent"
    return shlex.quote(started)


def main(args: list[str] | None = None, terminal: Terminal | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        args: Without the program; those of the process by default.
        terminal: Where to write, if not to this process's streams.
    """
    given = sys.argv[1:] if args is None else list(args)
    terminal = terminal or Terminal(Flags(), program())
    steady(terminal)
    try:
        code = _main(given, terminal)
        terminal.out.flush()
    except BrokenPipeError:
        code = Exit.PIPE
    if code == Exit.PIPE:
        close_pipe(terminal)
    return int(code)


def _main(given: list[str], terminal: Terminal) -> int:
    try:
        group = root()
        with group.make_context("graphagent", given, obj=terminal) as ctx:
            return int(group.invoke(ctx) or 0)
    except typer.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, EOFError, typer.Abort):
        terminal.tell("interrupted", "yellow")
        return Exit.INTERRUPTED
    except USAGE_ERROR as error:
        return wrong_usage(terminal, error, given)
    except (GraphAgentError, Exception) as error:
        from graphagent.cli.failures import report

        return report(terminal, error)


def wrong_usage(terminal: Terminal, error: Any, given: list[str]) -> int:
    """Tell what is wrong with the arguments."""
    if type(error).__name__ == "NoArgsIsHelpError":
        terminal.tell(error.format_message())
        return Exit.USAGE
    from graphagent.cli.failures import tell, usage_document

    message = error.format_message()
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "graphagent"
    tell(terminal, message, f"{path} --help")
    if terminal.flags.json or "--json" in given:
        terminal.document(usage_document(message))
    return Exit.USAGE


def steady(terminal: Terminal) -> None:
    """A stream that can't say a character shows it escaped instead of failing."""
    for stream in (terminal.out, terminal.err):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def close_pipe(terminal: Terminal) -> None:
    """Nobody reads stdout any more: nothing may be flushed into it when the process ends."""
    if terminal.out is sys.stdout:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, terminal.out.fileno())
        os.close(nowhere)
