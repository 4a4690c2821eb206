"""Local days, opening hours and holidays of the simulated company."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from data.simulate.timeline import HOUR, TIME_ZONE, Timeline

LINE = Timeline(date(2024, 1, 1), 400)


@pytest.mark.parametrize(("day", "hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25)])
def test_days_of_the_clock_change_have_23_and_25_hours(day: date, hours: int) -> None:
    n = (day - LINE.start).days
    assert LINE.midnight[n + 1] - LINE.midnight[n] == hours * HOUR
    edges = LINE.hour_edges(n)
    assert (np.diff(edges) >= 0).all()
    assert edges[0] == LINE.midnight[n]


def test_wall_clock_is_the_zone_s_wall_clock() -> None:
    for n in (0, 89, 90, 91, 200, 300, 301):
        moment = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()
        utc = int(LINE.utc(n, 9.5 * 3600)) / 1e6 + moment
        local = datetime.fromtimestamp(utc, ZoneInfo(TIME_ZONE))
        assert (local.date(), local.hour, local.minute) == (LINE.dates[n], 9, 30)


def test_holidays_close_phone_and_open_nothing() -> None:
    n = (date(2024, 5, 17) - LINE.start).days
    assert LINE.holidays[n]
    assert not LINE.is_open[n, 0].any()
    assert not LINE.takes_contacts[n, 0]
    assert LINE.is_open[n - 1, 0, 8:18].all()
    assert not LINE.is_open[n - 1, 0, 18:].any()


def test_real_time_channels_receive_nothing_while_closed() -> None:
    closed = ~LINE.is_open[:, [0, 2]]
    assert (LINE.arrival_shares[:, [0, 2]][closed] == 0).all()


def test_campaigns_are_announced_before_they_begin() -> None:
    assert LINE.campaigns
    assert all(c.announced < c.first <= c.last for c in LINE.campaigns)
