"""Prints a table: workload, ours (median, min-max), target, met or not; and writes the same as JSON."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import workloads
from tests.benchmarks.measure import Figure

PEERS = {
    "P1": ("langgraph_w1.py", "1000"), "P3": ("langgraph_w3.py",), "P4": ("langgraph_w4.py", "sqlite"),
    "P5": ("langgraph_w5.py", "sqlite"), "P8": ("langgraph_w8.py",),
}  # fmt: skip


def fdatasync_us(folder: Path, rounds: int = 50) -> float:
    """The median time of one small durable write on this machine, in microseconds."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(rounds):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1e6)
    return statistics.median(times)


def peer(python: str, folder: Path, name: str) -> str:
    """What the peer's script of this workload printed, or why it printed nothing."""
    script, *args = PEERS[name]
    done = subprocess.run([python, folder / script, *args], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def main() -> None:
    """Run the chosen workloads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", default=[], metavar="P1")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--peers", nargs=2, metavar=("PYTHON", "FOLDER"), help="a peer environment and its scripts")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    chosen = parser.parse_args()
    names = chosen.names or list(workloads.ALL)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        sync = fdatasync_us(Path(folder))
        load = os.getloadavg()[0]
        print(f"Python {sys.version.split()[0]}, fdatasync {sync:.0f} us, load {load:.1f}")
        for name in names:
            figures += workloads.ALL[name](Path(folder), chosen.quick)
            for figure in figures:
                if not figure.shown:
                    print(figure.line(), flush=True)
                    figure.shown = True
            if chosen.peers and name in PEERS:
                print(f"     peer: {peer(chosen.peers[0], Path(chosen.peers[1]), name)}", flush=True)
    if chosen.json:
        rows = [figure.data() for figure in figures]
        chosen.json.write_text(json.dumps({"fdatasync_us": sync, "load": load, "figures": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
