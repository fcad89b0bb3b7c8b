"""A project joins store, models and settings; the default one is found as the command line finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from graphagent import concurrency, registry
from graphagent.errors import NotFound
from graphagent.ids import SessionId
from graphagent.ports import Artifacts, Model, Store
from graphagent.session.background import in_background
from graphagent.session.host import Host
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import MEMORY, beside, load_settings
from graphagent.snapshot import SessionQuery, SessionRow

NEWEST = SessionQuery()


class Project:
    """Where sessions are kept and what they are run with.

    Args:
        root: The project folder; by default the nearest one upwards with `graphagent.toml` or `.graphagent/`.
        store: The path of a SQLite file, a `postgresql://` URL, `memory:`, or a store; by default
            `.graphagent/sessions.db` in the root.
        models: By name in the graph (`*` for all): `provider/model`, `provider/model@base_url`, or a model.
        scripted: A file of recorded answers for models of provider `scripted`.
        allow_modules: Modules outside of the project that graphs may name; by default what `graphagent.toml` says.
        durability: Of new sessions: `strict`, `pipelined` or `memory`; by default what `graphagent.toml` says.
        hooks: Functions that decide about model calls, as under `hooks` in `graphagent.toml`; by default those there.
    """

    def __init__(
        self, root: str | Path | None = None, *, store: str | Store | None = None,
        models: Mapping[str, str | Model] | None = None, scripted: str | Path | None = None,
        allow_modules: Sequence[str] | None = None, durability: str | None = None,
        hooks: Mapping[str, Sequence[str | Mapping[str, Any]]] | None = None,
    ) -> None:  # fmt: skip
        given = models or {}
        names = {n: m for n, m in given.items() if isinstance(m, str)}
        self._models = {n: m for n, m in given.items() if not isinstance(m, str)}
        self.settings = load_settings(
            None if root is None else Path(root), store=store if isinstance(store, str) else None, models=names,
            scripted=None if scripted is None else Path(scripted), allow_modules=allow_modules, durability=durability,
            hooks=hooks,
        )  # fmt: skip
        self._store = store if store is not None and not isinstance(store, str) else None
        self._host: Host | None = None

    @property
    def root(self) -> Path:
        """The project folder."""
        return self.settings.root

    async def host(self) -> Host:
        """What hosts this project's sessions; the store is opened at the first call. Awaited from trio."""
        if self._host is None:
            store = self._store or await self._open()
            models = Models(self.settings, self._models, getattr(store, "rates", None))
            self._host = Host(self.settings, store, SystemClock(), models, self._artifacts(store))
        return self._host

    def _artifacts(self, store: Store) -> Artifacts:
        """Where the content of artifacts is. Beside a store that was given it is where that one is."""
        folder = self.settings.artifacts_folder
        if self._store is not None and self.settings.artifacts is None:
            file = Path(store.name)
            folder = beside(file) if file.is_file() else None
        kept: Artifacts
        if folder is not None:
            kept = registry.load("artifacts", "local")(folder)
        elif (found := _in_memory.get(store)) is not None:
            kept = found
        else:
            kept = _in_memory[store] = registry.load("artifacts", "memory")()
        return kept

    async def _open(self) -> Store:
        target, file = self.settings.store, self.settings.store_file
        store: Store
        if target == MEMORY:
            store = registry.load("stores", "memory")()
        elif file is None:
            store = await registry.load("stores", "postgres").open(target, connections=self.settings.connections)
        else:
            store = await registry.load("stores", "sqlite").open(file)
        if self.settings.redis is not None:
            store = registry.load("stores", "redis")(store, self.settings.redis)
        return store

    async def asession(self, session: str) -> Any:
        """The session of this id: whole, `@last`, `@-2`, or a unique prefix of six or more characters.

        Raises:
            NotFound: there is none, or several.
        """
        from graphagent.session.session import Session

        return await concurrency.in_trio(Session.find, self, session)

    session = concurrency.blocking(asession)

    async def asessions(self, query: SessionQuery = NEWEST) -> Any:
        """The sessions that a query finds, newest update first: the `sessions` document."""
        return await concurrency.in_trio(self._sessions, query)

    sessions = concurrency.blocking(asessions)

    async def _sessions(self, query: SessionQuery) -> Any:
        from graphagent.session.documents import sessions_document

        return await sessions_document(await self.host(), query)

    async def aimport_session(self, path: str | Path, *, new_ids: bool = False) -> Any:
        """Store the session of an exported file. Everything is checked first, and nothing of it runs.

        Args:
            new_ids: Give it other ids, so that it can stand beside the original.

        Raises:
            ArchiveInvalid: the file isn't an exported session as it was written.
            Conflict: an id of it is in use.
        """
        return await concurrency.in_trio(self._import, Path(path), new_ids)

    import_session = concurrency.blocking(aimport_session)

    async def _import(self, path: Path, new_ids: bool) -> Any:
        from graphagent.session.importing import import_session
        from graphagent.session.session import Session

        return Session(self, await import_session(await self.host(), path, new_ids=new_ids))

    async def aclose(self) -> None:
        """Close the store and the models. A project can be used again afterwards."""
        await concurrency.in_trio(self._close)

    close = concurrency.blocking(aclose)

    async def _close(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            await host.aclose()

    async def resolve(self, text: str) -> SessionRow:
        """The authority row of a session as people name it. Awaited from trio."""
        host = await self.host()
        return await host.store.session(await self._resolve(host, text))

    async def _resolve(self, host: Host, text: str) -> SessionId:
        if text.startswith("@"):
            return await self._newest(host, text)
        bare = text.removeprefix("ses_")
        if len(bare) < 6:
            raise NotFound(f"{text!r} is no session", hint="give its id, six or more characters of it, or @last")
        found = await host.store.find(f"ses_{bare}")
        if not found:
            raise NotFound(f"no session {text!r} in {host.store.name}", hint="graphagent sessions")
        if len(found) > 1:
            raise NotFound(f"{text!r} begins several ids: {', '.join(found)}", hint="give more of it")
        return found[0]

    async def _newest(self, host: Host, text: str) -> SessionId:
        back = 1 if text == "@last" else -int(text[1:]) if text[1:].lstrip("-").isdigit() else 0
        limit = max(back, 1)
        while back > 0:
            entries = await host.store.sessions(SessionQuery(limit=limit))
            found = [entry.row.session for entry in entries if not in_background(entry.row)]
            if len(found) >= back:
                return found[back - 1]
            if len(entries) < limit:
                break
            limit *= 4
        raise NotFound(f"no session {text!r} in {host.store.name}", hint="graphagent sessions")


_default: dict[Path, Project] = {}
_in_memory: WeakKeyDictionary[Store, Artifacts] = WeakKeyDictionary()
"""Artifacts in memory live as long as the store that they belong to, like its sessions."""


def default_project(project: Project | None) -> Project:
    """The given project, or the one that the working folder belongs to."""
    if project is not None:
        return project
    settings = load_settings()
    if settings.root not in _default:
        _default[settings.root] = Project(settings.root)
    return _default[settings.root]
