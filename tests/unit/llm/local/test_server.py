from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from graphagent.errors import ModelError
from graphagent.llm.local import child as real_child
from graphagent.llm.local.server import LocalServer

pytestmark = pytest.mark.slow

PREFIX = "import json, os, sys, time\nwanted = json.loads(sys.stdin.buffer.readline())\n"
GOOD = PREFIX + (
    "open(wanted['model'] + '.seen', 'w').write(json.dumps([wanted, dict(os.environ)]))\n"
    "print('some noise')\nprint('READY http://127.0.0.1:4', flush=True)\nos.read(0, 1)\n"
)


def server_of(tmp_path: Path, text: str, ready_s: float = 20.0) -> LocalServer:
    path = tmp_path / "child.py"
    path.write_text(text)
    return LocalServer(path, ready_s)


@pytest.fixture
def good(tmp_path: Path) -> Iterator[LocalServer]:
    server = server_of(tmp_path, GOOD)
    yield server
    server.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_one_process_serves_all(good: LocalServer, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(good.ensure, [tmp_path / "w"] * 8))
    (running,) = found
    assert running.base_url == "http://127.0.0.1:4/v1"
    good.stop()
    good.stop()
    assert gone(running.pid)


def test_the_child_gets_its_settings_and_no_secret(good: LocalServer, tmp_path: Path) -> None:
    running = good.ensure(tmp_path / "w")
    wanted, environ = json.loads((tmp_path / "w.seen").read_text())
    assert wanted.pop("threads") in (1, 2)
    assert wanted == {"model": str(tmp_path / "w"), "key": running.key, "context": 4096, "slots": 2}
    assert len(running.key) > 20
    assert set(environ) <= {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH",
                            "PYTHONHOME", "VIRTUAL_ENV"}  # fmt: skip


def test_a_dead_server_is_started_again(good: LocalServer, tmp_path: Path) -> None:
    first = good.ensure(tmp_path / "w")
    os.kill(first.pid, signal.SIGKILL)
    good.settle(first)
    second = good.ensure(tmp_path / "w")
    assert second.pid != first.pid
    assert second.key != first.key


def test_a_living_server_is_waited_for_no_longer_than_wanted(good: LocalServer, tmp_path: Path) -> None:
    running = good.ensure(tmp_path / "w")
    good.settle(running, 0.01)
    assert good.ensure(tmp_path / "w") == running


def test_other_weights_need_another_server(good: LocalServer, tmp_path: Path) -> None:
    first = good.ensure(tmp_path / "w")
    assert good.ensure(tmp_path / "v").pid != first.pid
    assert gone(first.pid)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PREFIX + "sys.exit('no such file: ' + wanted['model'])", r"it ended \(exit code 1\): no such file: .*/w"),
        ("raise SystemExit(3)", r"it ended \(exit code 3\): it said nothing|Broken pipe"),
        (PREFIX + "os.abort()", r"it ended \(exit code -6\)"),
        (PREFIX + "print('READY http://evil.example', flush=True)", r"it ended \(exit code 0\)"),
    ],
)
def test_a_server_that_doesnt_start(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        server_of(tmp_path, text).ensure(tmp_path / "w")
    assert (caught.value.kind, caught.value.cause) == ("unavailable", "connection")


def test_a_server_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    text = PREFIX + "open(wanted['model'], 'w').write(str(os.getpid()))\ntime.sleep(60)"
    with pytest.raises(ModelError, match="it wasn't ready within 1 s"):
        server_of(tmp_path, text, 1.0).ensure(tmp_path / "w")
    assert gone(int((tmp_path / "w").read_text()))


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    text = Path(real_child.__file__).read_text().replace('"xllamacpp"', '"fake_llamacpp"')
    (tmp_path / "child.py").write_text("import sys\nsys.path.insert(0, __file__.rpartition('/')[0])\n" + text.replace(
        "from __future__ import annotations\n", ""))  # fmt: skip
    (tmp_path / "fake_llamacpp.py").write_text(
        "from types import SimpleNamespace as N\n"
        "def CommonParams(): return N(model=N(), cpuparams=N(), cpuparams_batch=N())\n"
        "def Server(params): return N(listening_address='http://127.0.0.1:' + str(len(params.api_keys)))\n"
    )
    parent = (
        "import sys, time; from pathlib import Path; from graphagent.llm.local.server import LocalServer\n"
        f"running = LocalServer(Path({str(tmp_path / 'child.py')!r})).ensure(Path('w'))\n"
        "print(running.pid, running.base_url, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        process.kill()
    assert url == "http://127.0.0.1:1/v1"
    deadline = time.monotonic() + 30
    while not gone(int(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
