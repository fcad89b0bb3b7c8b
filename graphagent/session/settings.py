"""Settings of a project: flag, then `GRAPHAGENT_*`, then `graphagent.toml`, then the default."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal

from graphagent.errors import InputInvalid
from graphagent.graph.suggest import suggest
from graphagent.llm.capabilities import Capabilities, of_models
from graphagent.session.hooks import HookSettings, read_hooks
from graphagent.session.retention_rules import Retention, read_retention
from graphagent.stores.postgres_url import SCHEMES

PROJECT_FILE = "graphagent.toml"
PROJECT_FOLDER = ".graphagent"
STORE_FILE = "sessions.db"
MEMORY = "memory:"
CONNECTIONS = 8
ARTIFACTS_FOLDER = "artifacts"
ARTIFACT_LIMIT: Final = 4 << 30
RESULT_LIMIT: Final = 64 << 20
DURABILITIES: Final = ("strict", "pipelined", "memory")


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the settings file: the type of its value, what it says, and what else says it."""

    kind: type
    meaning: str
    variable: str | None = None
    flag: str | None = None


SETTINGS: Final = {
    "store": Setting(
        str, "where sessions are kept: the path of a SQLite file, a `postgresql://` URL, or `memory:`; by default "
        "`.graphagent/sessions.db`",
        "GRAPHAGENT_STORE", "--store",
    ),
    "connections": Setting(
        int, "to Postgres, for the reads of one process; commits have two of their own. By default 8",
        "GRAPHAGENT_CONNECTIONS",
    ),
    "models": Setting(
        dict, "by name of a model in a graph, `*` for all: `provider/model` or `provider/model@base_url` in its place",
        "GRAPHAGENT_MODEL", "--model",
    ),
    "secrets": Setting(
        dict, "by name of a secret in a graph: `env:NAME` or `file:PATH`; else the variable of that name"
    ),
    "capabilities": Setting(
        dict, "by `provider/model`: what a model can do, such as `tools = false`, `json_schema = true` or "
        "`context_window = 8192`; `emulation` is how one without tools chooses a tool: `two_step` or `one_step`"
    ),
    "rates": Setting(
        dict,
        "by `provider/model`: `requests_per_minute` and `tokens_per_minute` of all workers; calls wait for them",
    ),
    "prices": Setting(
        dict, "by `provider/model`: `input`, `output` and `cached_input` in dollars per million model tokens; the cost "
        "of a model without a price is unknown. `date` of the table or of a price is kept with each call"
    ),
    "redis": Setting(
        str,
        "a Redis beside the store, `redis://host:port/0`: wake-ups, a cache, rate limits that workers share; nothing "
        "that can be lost",
        "GRAPHAGENT_REDIS",
    ),
    "durability": Setting(
        str, "of new sessions: `strict`, or `pipelined`: commits become durable behind the run; `memory`: nothing is "
        "stored", "GRAPHAGENT_DURABILITY", "--durability",
    ),
    "artifacts": Setting(
        dict, "`folder`: where artifacts are kept; by default beside the store's file, `<store>.artifacts`, "
        "of a server in `.graphagent/artifacts`. `max_bytes` of one artifact (4 GiB), `max_result_bytes` of the result "
        "of an agent's tool (64 MiB)", "GRAPHAGENT_ARTIFACTS",
    ),
    "retention": Setting(
        dict, "for how long all of a session is kept after its last commit: `older_than` (`30d`, or `forever`); one in "
        "`keep_every` (100) of its snapshots stays then. `[retention.graphs]` and `[retention.tags]` say so by name of "
        "a graph and by tag; of those that fit the longest counts. With it a worker collects `every` so often "
        "(`1h`), and `graphagent db gc` takes it for its defaults",
    ),
    "upcasters": Setting(
        list, "modules of the project with functions `@graphagent.upcaster`, for `graphagent migrate S --to FILE`"
    ),
    "allow_modules": Setting(
        list, "modules outside of the project that graphs may name; `pkg` stands for all that is in it"
    ),
    "hooks": Setting(
        dict, "functions that decide about model calls: lists `before` and `after`, each entry with `function` "
        "(`module:name` of the project), `nodes` (patterns `graph/node`, by default `*/*`) and `timeout` (`30s`)"
    ),
    "tools": Setting(
        dict, "what tools may reach: `allow_hosts`, a list of hosts (`api.example.com`, `*.example.com`), "
        "by default all; `allow_private`, a list of networks that may be called although they aren't public "
        "(`127.0.0.1/32`); `allow_commands`, a list of the commands that start MCP servers, each as a graph has it "
        "(`npx some-server`), by default none",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What the tools of graphs may reach: the operator says so, never a graph.

    Attributes:
        allow_hosts: Names of hosts, `*.example.com` for all below; empty for every host.
        allow_private: Networks that may be called although they aren't public.
        allow_commands: The words of each command that may start an MCP server.
    """

    allow_hosts: tuple[str, ...] = ()
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    allow_commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project is run with.

    Attributes:
        root: The project folder.
        store: `memory:`, a `postgresql://` URL, or the path of a SQLite file, absolute.
        models: Overrides: name of a model in the graph, or `*` for all -> `provider/model`.
        scripted: A file of scripted answers for models of provider `scripted`.
        secrets: Where secrets are: name in the graph -> `env:NAME` or `file:PATH`; else the variable of that name.
        allow_modules: Modules outside of the project that graphs may name; `pkg` stands for all that is in it.
        redis: The URL of a Redis beside the store.
        connections: So many a process reads a Postgres store with.
        capabilities: What is said of models, by `provider/model`: their abilities, rate limits and prices.
        upcasters: Modules of the project with functions that are marked as upcasters.
        durability: Of new sessions: whether a superstep starts when the one before it is durable, or when it is queued.
        tools: What tools may reach.
        artifacts: The folder of artifacts, if it isn't where it is by default.
        artifact_limit: How long an artifact may be, in bytes.
        result_limit: How long the result of an agent's tool may be, in bytes.
        hooks: Functions that decide about model calls.
        retention: For how long sessions are kept, if the project says so.
    """

    root: Path
    store: str
    models: Mapping[str, str] = field(default_factory=dict)
    scripted: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    allow_modules: tuple[str, ...] = ()
    durability: Literal["strict", "pipelined"] = "strict"
    redis: str | None = None
    upcasters: tuple[str, ...] = ()
    connections: int = CONNECTIONS
    tools: ToolSettings = ToolSettings()
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    artifacts: Path | None = None
    artifact_limit: int = ARTIFACT_LIMIT
    result_limit: int = RESULT_LIMIT
    hooks: HookSettings = field(default_factory=HookSettings)
    retention: Retention | None = None

    @property
    def artifacts_folder(self) -> Path | None:
        """The folder of artifacts; None where nothing is stored."""
        if self.artifacts is not None or self.store == MEMORY:
            return self.artifacts
        file = self.store_file
        return self.root / PROJECT_FOLDER / ARTIFACTS_FOLDER if file is None else beside(file)

    @property
    def store_file(self) -> Path | None:
        """The SQLite file; None where sessions are kept elsewhere."""
        return None if self.store == MEMORY or self.store.startswith(SCHEMES) else Path(self.store)


def beside(file: Path) -> Path:
    """Where the artifacts of the sessions in a SQLite file are."""
    return file.with_name(f"{file.name}.{ARTIFACTS_FOLDER}")


def find_root(start: Path | None = None) -> Path:
    """The nearest folder upwards that has `graphagent.toml` or `.graphagent/`, else the start itself."""
    here = (start or Path.cwd()).resolve()
    return _marked(here) or here


def root_of(file: str | Path) -> Path:
    """The project that a graph file belongs to: the nearest one upwards, else the working folder if it is below."""
    folder = Path(file).resolve().parent
    here = Path.cwd().resolve()
    return _marked(folder) or (here if folder.is_relative_to(here) else folder)


def _marked(here: Path) -> Path | None:
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file() or (folder / PROJECT_FOLDER).is_dir():
            return folder
    return None


def load_settings(
    root: Path | None = None, *, store: str | None = None, models: Mapping[str, str] | None = None,
    scripted: Path | None = None, allow_modules: Sequence[str] | None = None, durability: str | None = None,
    hooks: Mapping[str, Any] | None = None,
) -> Settings:  # fmt: skip
    """The settings of the project at `root`, or of the one that the working folder belongs to.

    Raises:
        InputInvalid: the settings file can't be read, or has a key or type that nobody knows.
    """
    folder = root.resolve() if root is not None else find_root()
    data = _read(folder / PROJECT_FILE)
    chosen = store or os.environ.get("GRAPHAGENT_STORE") or data.get("store") or f"{PROJECT_FOLDER}/{STORE_FILE}"
    mode = durability or os.environ.get("GRAPHAGENT_DURABILITY") or data.get("durability") or "strict"
    if mode not in DURABILITIES:
        hint = f"did you mean {suggest(mode, DURABILITIES)!r}?" if suggest(mode, DURABILITIES) else None
        raise InputInvalid("$.durability", f"{mode!r} is none of {', '.join(DURABILITIES)}", hint=hint)
    if mode == "memory":
        chosen = MEMORY
    if chosen != MEMORY and not chosen.startswith(SCHEMES):
        chosen = str((folder / chosen.removeprefix("sqlite:///").removeprefix("sqlite:")).absolute())
    overrides: dict[str, str] = dict(data.get("models") or {})
    if os.environ.get("GRAPHAGENT_MODEL"):
        overrides["*"] = os.environ["GRAPHAGENT_MODEL"]
    overrides.update(models or {})
    allowed = _modules(data.get("allow_modules") or ()) if allow_modules is None else tuple(allow_modules)
    secrets = _secrets(data.get("secrets") or {})
    redis = os.environ.get("GRAPHAGENT_REDIS") or data.get("redis")
    upcasters = _modules(data.get("upcasters") or (), "upcasters")
    connections = os.environ.get("GRAPHAGENT_CONNECTIONS") or data.get("connections", CONNECTIONS)
    artifacts, artifact_limit, result_limit = _artifacts(folder, data.get("artifacts") or {})
    return Settings(
        root=folder,
        store=chosen,
        models=overrides,
        scripted=scripted,
        secrets=secrets,
        allow_modules=allowed,
        durability="pipelined" if mode == "pipelined" else "strict",
        redis=redis,
        upcasters=upcasters,
        connections=_connections(connections),
        tools=_tools(data.get("tools") or {}),
        capabilities=of_models({key: data.get(key) or {} for key in ("capabilities", "rates", "prices")}, PROJECT_FILE),
        artifacts=artifacts,
        artifact_limit=artifact_limit,
        result_limit=result_limit,
        hooks=read_hooks(hooks) if hooks is not None else read_hooks(data.get("hooks") or {}, PROJECT_FILE),
        retention=read_retention(data.get("retention") or {}, PROJECT_FILE),
    )


def _artifacts(root: Path, given: Mapping[str, Any]) -> tuple[Path | None, int, int]:
    """The folder of artifacts, and how long one and a tool's result may be."""
    sizes = {"max_bytes": ARTIFACT_LIMIT, "max_result_bytes": RESULT_LIMIT}
    for name, value in given.items():
        kind = int if name in sizes else str
        if name != "folder" and name not in sizes:
            hint = f"known are: folder, {', '.join(sizes)}"
            raise InputInvalid(f"$.artifacts.{name} of {PROJECT_FILE}", "no such setting", hint=hint)
        if type(value) is not kind or (isinstance(value, int) and value <= 0):
            what = "a number of bytes is expected" if kind is int else "the path of a folder is expected"
            raise InputInvalid(f"$.artifacts.{name} of {PROJECT_FILE}", what)
    chosen = os.environ.get("GRAPHAGENT_ARTIFACTS") or given.get("folder")
    place = None if chosen is None else (root / chosen).absolute()
    return place, given.get("max_bytes", ARTIFACT_LIMIT), given.get("max_result_bytes", RESULT_LIMIT)


def allowed_modules(folder: Path) -> tuple[str, ...]:
    """The modules outside of a project that its graphs may name. Raises InputInvalid."""
    root = _marked(folder.resolve())
    return () if root is None else _modules(_read(root / PROJECT_FILE).get("allow_modules") or ())


def _modules(given: Sequence[Any], key: str = "allow_modules") -> tuple[str, ...]:
    for name in given:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            message = f"{name!r} is no name of a module"
            raise InputInvalid(f"$.{key} of {PROJECT_FILE}", message, hint='write ["pkg", "other.module"]')
    return tuple(given)


def _connections(given: str | int) -> int:
    if not str(given).isdecimal() or int(given) < 1:
        raise InputInvalid("$.connections", f"{given!r} is no number of connections", hint="write 1 or more")
    return int(given)


def _tools(given: Mapping[str, Any]) -> ToolSettings:
    for key, value in given.items():
        path = f"$.tools.{key} of {PROJECT_FILE}"
        if key not in ToolSettings.__dataclass_fields__:
            near = suggest(key, ToolSettings.__dataclass_fields__)
            known = f"known: {', '.join(ToolSettings.__dataclass_fields__)}"
            raise InputInvalid(path, "no such setting", hint=f"did you mean {near!r}?" if near else known)
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise InputInvalid(path, "a list of texts is expected")
    commands = _read_each(given, "allow_commands", shlex.split, "write ['npx some-server']")
    return ToolSettings(
        tuple(given.get("allow_hosts", ())),
        tuple(_read_each(given, "allow_private", ip_network, "write ['10.1.0.0/16']")),
        tuple(tuple(words) for words in commands),
    )


def _read_each(given: Mapping[str, Any], key: str, read: Callable[[str], Any], hint: str) -> list[Any]:
    try:
        return [read(item) for item in given.get(key, ())]
    except ValueError as error:
        raise InputInvalid(f"$.tools.{key} of {PROJECT_FILE}", str(error), hint=hint) from error


def _secrets(given: Mapping[str, Any]) -> dict[str, str]:
    """Where secrets are; never a secret itself, since the settings file is kept with the code."""
    for name, place in given.items():
        if not isinstance(place, str) or place.partition(":")[0] not in ("env", "file") or not place.partition(":")[2]:
            message = "a place is expected, never the secret itself"
            raise InputInvalid(f"$.secrets.{name} of {PROJECT_FILE}", message, hint="write env:NAME or file:PATH")
    return dict(given)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputInvalid(f"$ of {file.name}", str(error), hint=f"correct {file.name}, or remove it") from error
    for key, value in data.items():
        if key not in SETTINGS:
            near = suggest(key, SETTINGS)
            hint = f"did you mean {near!r}?" if near else f"known settings: {', '.join(SETTINGS)}"
            raise InputInvalid(f"$.{key} of {file.name}", "no such setting", hint=hint)
        if not isinstance(value, SETTINGS[key].kind):
            raise InputInvalid(f"$.{key} of {file.name}", f"{SETTINGS[key].kind.__name__} is expected")
    return data
