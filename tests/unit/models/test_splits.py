"""As-of times to learn at: a grid that ends at the newest time with a complete label."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from data.errors import DataError, NotEnoughHistory
from models.splits import (
    as_of_grid,
    last_labelled,
)

DAY = timedelta(days=1)
START = datetime(2025, 1, 1)
WEEKLY = [START + DAY * 7 * week for week in range(52)]


def test_the_grid_ends_at_the_last_time_and_reaches_back():
    grid = as_of_grid(START, START + DAY * 30, DAY * 7)
    assert grid == [START + DAY * day for day in (2, 9, 16, 23, 30)]
    assert as_of_grid(START, START, DAY) == [START]


def test_a_label_is_known_when_its_window_is_over():
    assert last_labelled(datetime(2026, 3, 31), 30) == datetime(2026, 3, 1)
    assert last_labelled(datetime(2026, 3, 31), 28, gap_days=2) == datetime(2026, 3, 1)


def test_missing_history_is_counted_in_days():
    with pytest.raises(NotEnoughHistory, match="no as-of time between"):
        as_of_grid(START, START - DAY, DAY)


def test_a_step_that_does_not_advance_is_refused():
    with pytest.raises(DataError, match="must be above zero"):
        as_of_grid(START, START + DAY, timedelta(0))
