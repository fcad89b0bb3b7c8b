"""Rules for all tests: what was skipped is named in the last line, and nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest

from tests import warm
from tests.servers import _store, mcp_url, postgres, postgres_server, postgres_store, valkey  # noqa: F401

hypothesis.settings.register_profile("graphagent", database=None, deadline=None, derandomize=True)
hypothesis.settings.register_profile("quick", parent=hypothesis.settings.get_profile("graphagent"), max_examples=10)
hypothesis.settings.load_profile("graphagent")
hypothesis.configuration.set_hypothesis_home_dir(Path(__file__).parents[1] / ".pytest_cache" / "hypothesis")

# `REQUIRE=browser,tsc` makes a skip for want of these a failure.
REQUIRED = frozenset(filter(None, os.environ.get("REQUIRE", "").split(",")))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files that are compared")
    parser.addoption("--shuffle", type=int, help="another order of files and tests, as this number has it")
    parser.addoption("--seed", help="play only this simulated world, as a failure names it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Any order will do: `--shuffle` tries one. A file's tests stay together, for the sake of what they share."""
    if config.option.shuffle is not None:
        chance = random.Random(config.option.shuffle)
        files = {item.path: chance.random() for item in items}
        items.sort(key=lambda item: (files[item.path], chance.random()))


def split_reason(reason: str) -> tuple[str, str]:
    """`("browser", "no Chromium")` of `browser: no Chromium`, the form in which a test says why it is skipped."""
    label, colon, why = reason.removeprefix("Skipped: ").partition(": ")
    return (label, why) if colon else ("tests", label)


def skip_line(reasons: list[str]) -> str:
    """The last line of a run, such as `skipped: 12 browser (no Chromium), 1 tsc (no Node)`."""
    counts = Counter(split_reason(reason) for reason in reasons)
    parts = [f"{count} {label} ({why})" for (label, why), count in sorted(counts.items())]
    return "skipped: " + (", ".join(parts) or "none")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and split_reason(_reason(report))[0] in REQUIRED:
        report.outcome = "failed"
        report.longrepr = f"required, but {_reason(report)}"
    return report


def pytest_configure() -> None:
    # A shell that starts us in the background lets nobody we start be interrupted, unless we listen.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    warm.close()


def pytest_unconfigure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not config.option.collectonly:
        terminal.write_line(skip_line([_reason(report) for report in terminal.stats.get("skipped", [])]))
