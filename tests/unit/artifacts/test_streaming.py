"""Large content passes through little memory, both ways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
MIB = 1 << 20
STREAM = """
import sys, trio
from pathlib import Path
from graphagent.artifacts.local import LocalArtifacts
from graphagent.ids import SessionId
from tests.memory import peak_kib

def peak():
    return peak_kib() // 1024

async def main(root, mib):
    kept, family = LocalArtifacts(Path(root)), SessionId.derive("family")
    async def content():
        for n in range(mib):
            yield n.to_bytes(8, "big") * (1 << 17)
    await kept.put(family, [b"warm"], 1 << 40)
    before = peak()
    stored = await kept.put(family, content(), 1 << 40)
    assert stored.size == mib << 20
    for n in range(mib):
        assert await kept.read(family, stored, n << 20, 1 << 20) == n.to_bytes(8, "big") * (1 << 17)
    print(peak() - before)

trio.run(main, sys.argv[1], int(sys.argv[2]))
"""


@pytest.mark.parametrize("mib", [100, pytest.param(1024, marks=pytest.mark.long)])
def test_content_is_never_in_memory_as_a_whole(tmp_path: Path, mib: int) -> None:
    """Memory grows by less than 64 MiB, however large the content is."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", STREAM, str(tmp_path), str(mib)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64
