"""What importing costs: nothing heavy is loaded before it is used, and nothing optional is needed."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONAL = (
    "xllamacpp", "resvg_py", "litellm", "ray", "botocore", "numpy", "e2b", "redis", "asyncpg", "opentelemetry", "mcp",
)  # fmt: skip


def loaded(program: str) -> set[str]:
    """The top-level modules in `sys.modules` after a program ran in a fresh interpreter."""
    tail = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program + tail], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"trio", "asyncio", "pydantic", "httpx", "rich", "typer", "networkx", "jinja2", "yaml", "apsw"}
    assert loaded("import graphagent") & {*heavy, *OPTIONAL} == set()


def test_importing_concurrency_loads_neither_library() -> None:
    assert loaded("import graphagent.concurrency") & {"trio", "asyncio", "sniffio"} == set()


@pytest.mark.parametrize("module", ["graphagent", "graphagent.cli", "graphagent.cli.main"])
def test_optional_packages_arent_needed(module: str) -> None:
    block = f"import sys\nfor name in {OPTIONAL!r}: sys.modules[name] = None\n"
    loaded(f"{block}import {module}")


def test_every_third_party_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name != "test"}
    lines = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    declared = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in lines}
    owners = importlib.metadata.packages_distributions()
    imported: dict[str, str] = {}
    for path in sorted((ROOT / "graphagent").rglob("*.py")):
        for name in re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            if name not in sys.stdlib_module_names and name not in ("graphagent", "__future__"):
                imported.setdefault(name, path.name)
    undeclared = {
        name: path
        for name, path in imported.items()
        if not declared & {owner.lower().replace("_", "-") for owner in owners.get(name, [name])}
    }
    assert undeclared == {}
