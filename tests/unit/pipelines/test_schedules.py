"""Runs by the clock happen once a day, also where a clock change skips or repeats an hour."""

from __future__ import annotations

from datetime import date, time

import pytest

from pipelines.schedules import always_there


@pytest.mark.parametrize(
    ("zone", "wanted", "found"),
    [
        ("Europe/Oslo", time(0, 15), time(0, 15)),
        ("Europe/London", time(1, 30), time(2, 30)),  # skipped in March, twice in October
        ("Europe/Oslo", time(2, 30), time(3, 30)),
        ("America/Santiago", time(0, 15), time(1, 15)),  # midnight is skipped
        ("Asia/Beirut", time(0, 15), time(1, 15)),
        ("Asia/Kolkata", time(0, 15), time(0, 15)),
    ],
)
def test_the_time_is_one_that_every_day_has_once(zone: str, wanted: time, found: time) -> None:
    assert always_there(wanted, zone, date(2026, 1, 1)) == found
