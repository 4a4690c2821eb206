"""docs/staffing.md: its example runs, its columns are the plan's, its Erlang B is right."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from models.queueing import erlang_b
from serving.staffing import COLUMNS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "staffing.md"


def test_the_example_runs_as_written() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted >= 3 and found.failed == 0


def test_every_column_is_explained() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", PAGE.read_text()))
    assert set(COLUMNS) - {"channel", "starts_at", "ends_at", "kind"} <= told


def test_the_number_by_hand() -> None:
    assert erlang_b(4, 3.0) == pytest.approx(0.2061, abs=5e-5)
