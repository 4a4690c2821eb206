"""Fixtures that every room shares: the real data, and a switch that forbids skipping."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Threads that wait asleep and one thread a model: the test processes share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """``real_data("incidents")`` is that folder below PRESAGE_DATA; skips where absent."""
    root = os.environ.get("PRESAGE_DATA")

    def folder(name: str) -> Path:
        if not root:
            pytest.skip("PRESAGE_DATA is not set: the real data sets are not on this machine")
        path = Path(root) / name
        if not path.is_dir():
            pytest.skip(f"PRESAGE_DATA has no folder {name}")
        return path

    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With PRESAGE_NO_SKIPS=1 (``make test-full``) a skipped test fails, with its reason."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if (
        os.environ.get("PRESAGE_NO_SKIPS") == "1"
        and report.skipped
        and not hasattr(report, "wasxfail")
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped where no skip is allowed: {report.longrepr}"
