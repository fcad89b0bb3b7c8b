"""A canary: secrets are searched for in everything that a run leaves and shows."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import zlib
from pathlib import Path

import apsw

from graphagent.stores.packing import unpack
from graphagent.stores.rows import effect_rows
from graphagent.testing import ModelServer, Reply
from tests import warm
from tests.acceptance.test_cli import ROOT, graph

CANARY, STATE = "sk-canary-0123456789", "state-canary-9876543210"
TEXT = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: safe }}
secrets: [KEY]
models: {{ m: {{ use: openai/m, base_url: "{url}", api_key: "${{ secrets.KEY }}" }} }}
outputs: {{ said: str, opened: str }}
channels: {{ said: {{ type: str, default: "" }}, pin: {{ type: str, default: "", secret: true }}, opened: {{ type: str, default: "" }} }}
start: ask
nodes:
  ask: {{ kind: llm, model: m, prompt: Hello, writes: {{ said: "${{ out.text }}" }}, on_error: failed, next: pin }}
  failed: {{ kind: set, writes: {{ said: "${{ error.message }}" }}, next: pin }}
  pin: {{ kind: code, python: "nodes:pin", writes: {{ pin: "${{ out }}" }}, next: use }}
  use: {{ kind: code, python: "nodes:use", with: {{ pin: "${{ pin }}" }}, writes: {{ opened: "${{ out }}" }}, next: end }}
"""
CODE = f"""
import sys

def pin():
    return "{STATE}"

def use(pin):
    assert pin == "{STATE}"
    if "broken" in sys.modules["nodes"].__file__:
        raise ValueError("closed")
    return "open"
"""


def command(folder: Path, *words: str, key: str | None = CANARY) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT") and k != "KEY"}
    environ = {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | ({} if key is None else {"KEY": key})
    return warm.graphagent(words, folder, environ)


def project(folder: Path, url: str) -> None:
    folder.mkdir()
    graph(folder, TEXT.format(url=url))
    (folder / "nodes.py").write_text(CODE)


def stored(folder: Path) -> str:
    """Everything in the database file and beside it, compressed values opened."""
    found = []
    for file in (folder / ".graphagent").iterdir():
        if file.is_file():
            found.append(file.read_bytes())
    database = apsw.Connection(str(folder / ".graphagent" / "sessions.db"))
    for row in effect_rows(database.execute("select * from effects")):
        found += [body for body in (row.request, row.outcome, row.cost) if body is not None]
    tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        for row in database.execute(f'select * from "{table}"'):
            for value in row:
                if isinstance(value, bytes):
                    found.append(value)
                    with contextlib.suppress(zlib.error):
                        found.append(unpack(1, value))
    database.close()
    return b"\n".join(found).decode("utf-8", "replace")


def everything_shown(folder: Path) -> str:
    """What every command prints of the newest session."""
    told = ""
    for words in (
        ("show", "@last"), ("show", "@last", "--json"), ("show", "@last", "--channel", "pin", "--json"),
        ("history", "@last", "--values", "--json"), ("history", "@last"), ("sessions", "--json"),
        ("visualize", "@last"), ("replay", "@last", "--json"),
        ("fork", "@last", "--at", "4", "--set", f"pin={STATE}", "--dry-run", "--json"),
    ):  # fmt: skip
        done = command(folder, *words)
        told += done.stdout + done.stderr
    return told


def test_no_secret_in_anything(tmp_path: Path) -> None:
    """Database, events, documents, logs: the key is nowhere, though the server repeats it in its error; what a secret
    channel holds is in the database alone."""
    with ModelServer(then=Reply(status=401, message=f"the key {CANARY} is wrong")) as server:
        for name in ("whole", "broken"):
            folder = tmp_path / name
            project(folder, server.base_url)
            done = command(folder, "run", "g.graph.yaml", "--jsonl", "-vv")
            assert done.returncode == (0 if name == "whole" else 1), done.stderr
            assert server.received[-1].headers["authorization"] == f"Bearer {CANARY}"
            document = json.loads(done.stdout.splitlines()[-1])
            told = done.stdout + done.stderr + everything_shown(folder)
            assert CANARY not in told + stored(folder)
            assert STATE not in told
            assert STATE in stored(folder)
            assert "the key *** is wrong" in told
            if name == "whole":
                assert document["outputs"]["opened"] == "open"
            else:
                assert "closed" in done.stderr


def test_a_missing_secret(tmp_path: Path) -> None:
    """It is told before anything is created."""
    project(tmp_path / "p", "http://127.0.0.1:9/v1")
    done = command(tmp_path / "p", "run", "g.graph.yaml", key=None)
    assert done.returncode == 2
    assert "the secret 'KEY' is missing" in done.stderr
    assert "set the environment variable KEY" in done.stderr
    assert json.loads(command(tmp_path / "p", "sessions", "--json").stdout)["sessions"] == []
    (tmp_path / "p" / "graphagent.toml").write_text('[secrets]\nKEY = "env:OTHER"\n')
    assert "set the environment variable OTHER" in command(tmp_path / "p", "run", "g.graph.yaml").stderr
    (tmp_path / "p" / "graphagent.toml").write_text('[secrets]\nKEY = "sk-1"\n')
    done = command(tmp_path / "p", "run", "g.graph.yaml")
    assert "a place is expected, never the secret itself" in done.stderr
    assert "sk-1" not in done.stderr
