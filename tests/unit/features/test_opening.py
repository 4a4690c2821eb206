"""Opening hours over clock changes, half-hour zones, midnight and closures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.settings import DAYS
from features.opening import local_days, open_seconds

ALL_WEEK = dict.fromkeys(DAYS, "00:00-24:00")


def hours_from(start: str, count: int) -> np.ndarray:
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(1, "h")


@pytest.mark.parametrize(("day", "length"), [("2026-03-28T23:00", 23), ("2026-10-24T22:00", 25)])
def test_days_of_23_and_25_hours(day: str, length: int) -> None:
    starts = hours_from(day, 30)
    opened = open_seconds(starts, 3600, {"sun": "00:00-24:00"}, "Europe/Oslo")
    assert opened.sum() == length * 3600
    assert (opened[:length] == 3600).all()
    days = local_days(starts, "Europe/Oslo")
    assert (days == days[0]).sum() == length
    usual = open_seconds(starts, 3600, {"sun": "08:00-18:00"}, "Europe/Oslo")
    assert usual.sum() == 10 * 3600


def test_a_half_hour_zone_opens_in_the_middle_of_a_utc_hour() -> None:
    opened = open_seconds(
        hours_from("2026-03-02T00:00", 24), 3600, {"mon": "09:00-10:00"}, "Asia/Kolkata"
    )
    assert opened[3] == 1800 and opened[4] == 1800 and opened.sum() == 3600


def test_two_spans_a_closed_day_and_always_open() -> None:
    starts = hours_from("2026-03-02T00:00", 48)
    opened = open_seconds(starts, 3600, {"mon": "08:00-12:00, 13:15-18:00"}, "UTC")
    assert opened.sum() == (4 + 4.75) * 3600
    assert opened[13] == 2700 and opened[12] == 0 and opened[24:].sum() == 0
    assert open_seconds(starts, 3600, None, "UTC").sum() == 48 * 3600
    assert open_seconds(starts, 3600, {"tue": "closed"}, "UTC").sum() == 0
    assert open_seconds(starts, 3600, ALL_WEEK, "UTC").sum() == 48 * 3600
    assert open_seconds(starts[:0], 3600, ALL_WEEK, "UTC").size == 0


def test_closures_are_taken_off() -> None:
    starts = hours_from("2026-03-02T00:00", 24)
    closed = pd.DataFrame(
        {
            "starts_at": pd.to_datetime(["2026-03-02 09:30", "2026-03-02 09:45"]),
            "ends_at": pd.to_datetime(["2026-03-02 11:00", "2026-03-02 10:00"]),
        }
    )
    opened = open_seconds(starts, 3600, {"mon": "08:00-18:00"}, "UTC", closed)
    assert opened.sum() == 8.5 * 3600 and opened[9] == 1800 and opened[10] == 0
    closed.loc[0, "ends_at"] = None
    with pytest.raises(DataError, match="ends_at"):
        open_seconds(starts, 3600, None, "UTC", closed)
