"""Opening hours over clock changes, half-hour zones, midnight and closures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.settings import DAYS, Company, Settings, Site
from features.opening import hours_of, local_days, open_seconds

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


WORKDAYS = DAYS[:5]
MANILA = Site("Asia/Manila", ("PH",), {"phone": dict.fromkeys(WORKDAYS, "08:00-20:00")})
AUSTIN = Site("America/Chicago", (), {"phone": {"sat": "10:00-18:00", "sun": "18:00-24:00"}})


def opened_by(settings: Settings, start: str, count: int) -> np.ndarray:
    starts = hours_from(start, count)
    hours = hours_of(settings, "phone", starts)
    return open_seconds(starts, 3600, hours, settings.company.time_zone)


@pytest.mark.parametrize("start", ["2026-03-02", "2026-03-23", "2026-10-19", "2026-11-02"])
def test_a_channel_is_open_while_any_of_its_sites_is(start: str) -> None:
    own = {"phone": dict.fromkeys(WORKDAYS, "08:00-16:00")}
    company = Company(time_zone="Europe/Oslo")
    count = 14 * 24
    alone = [
        opened_by(Settings(company=Company(time_zone=zone), opening_hours=hours), start, count)
        for zone, hours in (
            ("Europe/Oslo", own),
            ("Asia/Manila", MANILA.opening_hours),
            ("America/Chicago", AUSTIN.opening_hours),
        )
    ]
    sites = {"manila": MANILA, "austin": AUSTIN}
    together = opened_by(Settings(company=company, opening_hours=own, sites=sites), start, count)
    assert (together == np.maximum.reduce(alone)).all()  # all begin and end on whole hours here
    assert together.sum() > max(one.sum() for one in alone)


def test_a_site_closes_on_its_own_holidays() -> None:
    closed = dict(MANILA.opening_hours["phone"], holidays="closed")
    site = Site("Asia/Manila", ("PH",), {"phone": closed})
    settings = Settings(company=Company(("NO",), "Europe/Oslo"), sites={"manila": site})
    heroes_day = opened_by(settings, "2026-08-31", 24)  # National Heroes Day; no holiday in Norway
    norway = opened_by(settings, "2026-05-14", 24)  # Ascension Day; no holiday in the Philippines
    assert heroes_day.sum() == 0 and norway.sum() == 12 * 3600


def test_hours_of_a_half_hour_site_keep_their_minutes() -> None:
    site = Site("Asia/Kolkata", (), {"phone": {"mon": "09:00-10:00"}})
    opened = opened_by(Settings(sites={"pune": site}), "2026-03-02", 24)
    assert opened[3] == 1800 and opened[4] == 1800 and opened.sum() == 3600
