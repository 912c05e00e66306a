"""What all tests share: options, Hypothesis profiles, and an environment that says nothing of Coterie."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--no-skips``."""
    parser.addoption("--no-skips", action="store_true", help="A skipped test fails: on CI, every part is there.")


def _refuse(report: pytest.CollectReport | pytest.TestReport, config: pytest.Config) -> None:
    if config.getoption("--no-skips") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"skipped, which --no-skips forbids: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one under ``--no-skips``."""
    report = yield
    _refuse(report, item.config)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped file into a failed one under ``--no-skips``."""
    report = yield
    _refuse(report, collector.config)
    return report


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_caller() -> None:
    for name in [name for name in os.environ if name.startswith("COTERIE_")]:
        del os.environ[name]
