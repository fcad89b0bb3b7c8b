from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphagent.errors import GraphAgentError
from graphagent.testing.services.postgres import PostgresServer
from graphagent.testing.services.service import service_folder

ROOT = Path(__file__).parents[2]
USERS = [None, "nobody"] if os.geteuid() == 0 else [None]
PROGRAM = """
import os, pwd, sys
from graphagent.testing.services.postgres import PostgresServer
if "nobody" in sys.argv:
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
with PostgresServer() as server:
    print(server.folder, server._process.pid, flush=True)
    sys.stdin.read()
"""


def test_each_database_is_its_own(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.create_database("own_1"), postgres_server.create_database("own_2")
    postgres_server.run_sql("create table t (n int); insert into t values (7)", "own_1")
    assert postgres_server.run_sql("select n from t", "own_1") == "7"
    assert (first, first == second) == (postgres_server.url("own_1"), False)
    with pytest.raises(GraphAgentError, match="does not exist"):
        postgres_server.run_sql("select n from t", "own_2")


def test_the_server_runs_as_somebody_who_may_do_little(postgres_server: PostgresServer) -> None:
    data = postgres_server.folder / "data"
    assert data.stat().st_uid != 0
    assert data.stat().st_mode & 0o777 == 0o700
    shown = postgres_server.run_sql("show listen_addresses; show unix_socket_directories")
    assert shown == "127.0.0.1"


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary folder that other users can reach: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.parametrize("user", USERS)
def test_it_ends_with_a_process_that_is_killed_and_its_folder_is_swept(place: Path, user: str | None) -> None:
    env = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(user)], cwd=place, env=env, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        folder, pid = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the server has outlived its starter"
        time.sleep(0.01)
    assert Path(folder).is_dir()
    if user is not None:
        return  # what another user left isn't ours to sweep
    old, tempfile.tempdir = tempfile.tempdir, str(place)
    try:
        with service_folder("postgres") as mine, service_folder("postgres"):
            assert not Path(folder).exists()
            assert mine.is_dir(), "a living process keeps its folder"
    finally:
        tempfile.tempdir = old


def test_the_log_is_told_if_it_does_not_start() -> None:
    with (
        pytest.raises(GraphAgentError, match=r"doesn't start(.|\n)*shared_bufferz"),
        PostgresServer(settings={"shared_bufferz": "1"}),
    ):
        pass
