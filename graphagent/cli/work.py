"""One command's project and event loop: everything awaited from trio goes through `Work.call`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from graphagent.cli.targets import project_folder
from graphagent.cli.terminal import Terminal
from graphagent.concurrency import SyncRunner
from graphagent.errors import NotFound
from graphagent.graph.shipped import SHIPPED
from graphagent.session.project import Project
from graphagent.session.shipped import find_shipped

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.snapshot import SessionRow

T = TypeVar("T")


class Work:
    """The project that a command works on, and the loop on which it does. Use it as a context manager.

    Args:
        models: Overrides by name, `*` for all.
        scripted: A file of recorded answers; `graphagent:NAME` is one of a ready-made graph.
        creates: Whether a store that isn't there is made; to read one, it has to be there.
        durability: Of new sessions.
        on_interrupt: What the first Ctrl-C does; by default it asks to stop at the next barrier.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        models: Mapping[str, str] | None = None,
        scripted: Path | None = None,
        creates: bool = False,
        durability: str | None = None,
        on_interrupt: Callable[[], object] | None = None,
    ) -> None:
        flags = terminal.flags
        self.terminal = terminal
        script = None if scripted is None else _script_file(scripted)
        self.project = Project(
            project_folder(terminal), store=flags.store, models=models, scripted=script, durability=durability
        )
        self.creates, self.stopping = creates, False
        self._runner: SyncRunner | None = None
        self._on_interrupt = on_interrupt or self._interrupted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            try:
                runner.run(self.project.aclose)
            finally:
                runner.close()

    @property
    def stored(self) -> bool:
        """Whether anything was ever stored, as far as that is known without opening the store."""
        file = self.project.settings.store_file
        return file is None or file.exists()

    def call(self, afn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """`await afn(host, *args)` in trio. The first Ctrl-C asks to stop at the next barrier, the second stops now.

        Raises:
            NotFound: there is no store, and this command makes none.
            KeyboardInterrupt: it was stopped now.
        """
        if not self.creates and not self.stored:
            hint = "graphagent init, then run a graph; or is this the wrong --project?"
            raise NotFound(f"no session yet: there is no {self.project.settings.store}", hint=hint)
        self._runner = self._runner or SyncRunner()

        async def body() -> T:
            return await afn(await self.project.host(), *args)

        return self._runner.run(body, on_interrupt=self._on_interrupt)

    def row(self, text: str) -> SessionRow:
        """The session that people name so."""

        async def find(host: Host) -> SessionRow:
            return await self.project.resolve(text)

        return self.call(find)

    def stop_asked(self) -> bool:
        """For `Options.stop`."""
        return self.stopping

    def _interrupted(self) -> None:
        self.stopping = True
        self.terminal.say("stopping at the next barrier; Ctrl-C once more stops now", "yellow")


def _script_file(given: Path) -> Path:
    name = str(given)
    return find_shipped(name.removeprefix(SHIPPED)) if name.startswith(SHIPPED) else given
