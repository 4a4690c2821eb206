"""Days of the company: local midnights in UTC, opening hours, holidays, campaigns, releases.

Day 0 is the start date in the company's time zone; all that follows weeks and seasons follows the
local clock, so two days a year have 23 or 25 hours. Everything here is known beforehand; what
chance brings (strikes, broken releases, outages) is in ``incidents.py``.

>>> line = Timeline(date(2024, 3, 30), 3)
>>> [int(hours) for hours in np.diff(line.midnight[:4]) // (3600 * SECOND)]
[24, 23, 24]
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from data.arrays import Floats, Ints
from data.simulate.rates import CHANNELS, REAL_TIME, Rates

SECOND = 1_000_000
HOUR = 3600 * SECOND
NEVER = np.iinfo(np.int64).max
COUNTRY = "NO"
TIME_ZONE = "Europe/Oslo"
RUN_ON_DAYS = 130
"""How many days past its end the world can be run on."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPENING_HOURS: dict[str, dict[str, str]] = {
    "phone": dict.fromkeys(WEEKDAYS[:5], "08:00-18:00") | {"sat": "10:00-15:00"},
    "email": dict.fromkeys(WEEKDAYS[:5], "08:00-17:00") | {"sat": "10:00-14:00"},
    "chat": dict.fromkeys(WEEKDAYS[:5], "08:00-21:00") | dict.fromkeys(WEEKDAYS[5:], "10:00-18:00"),
    "social": dict.fromkeys(WEEKDAYS[:5], "08:00-20:00")
    | dict.fromkeys(WEEKDAYS[5:], "10:00-16:00"),
}
CLOSED_ON_HOLIDAYS = ("phone", "email")

_OFFICE = [0, 0, 0, 0, 0, 0, 1, 3, 9, 11, 12, 11, 9, 10, 9, 8, 7, 6, 4, 3, 2, 1, 1, 0]
_EVENING = [2, 1, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8, 9, 10, 10, 9, 6, 4]
ARRIVALS = {"phone": _OFFICE, "email": _EVENING, "chat": _EVENING, "social": _EVENING}
"""How a channel's contacts spread over the local hours of a day, before closed hours are cut."""

HOLIDAY_CONTACTS = 0.55


@dataclass(frozen=True)
class Campaign:
    """A campaign, announced beforehand: it raises orders and product questions."""

    name: str
    first: int
    last: int
    announced: int
    size: float


def _wave(days: Ints) -> Floats:
    """A yearly wave, one at its highest day."""
    wave: Floats = np.cos(2 * np.pi * days / 365.25)
    return wave


def _hours(text: str) -> range:
    first, last = text.split("-")
    return range(int(first[:2]), int(last[:2]))


class Timeline:
    """The calendar of ``days`` days from ``start``, and of ``RUN_ON_DAYS`` more.

    ``rates``: the weekdays' factors, the seasons and the size of campaigns; None: the usual ones.
    """

    def __init__(self, start: date, days: int, rates: Rates | None = None) -> None:
        import holidays

        self.start, self.days, self.rates = start, days, rates or Rates()
        self.total = days + RUN_ON_DAYS
        dates = [start + timedelta(days=n) for n in range(self.total + 1)]
        self.dates = dates
        zone = ZoneInfo(TIME_ZONE)
        naive = [datetime(d.year, d.month, d.day) for d in dates]
        epoch = np.array(naive, dtype="datetime64[us]").astype(np.int64)
        night = [n.replace(tzinfo=zone).utcoffset() or timedelta() for n in naive]
        noon = [(n + timedelta(hours=12)).replace(tzinfo=zone).utcoffset() for n in naive]
        self._night = epoch - np.array([int(o.total_seconds()) * SECOND for o in night])
        self._noon = epoch - np.array(
            [int((o or timedelta()).total_seconds()) * SECOND for o in noon]
        )
        self.midnight: Ints = self._night
        self.weekday: Ints = np.array([d.weekday() for d in dates], dtype=np.int64)
        years = range(start.year, dates[-1].year + 1)
        known = holidays.country_holidays(COUNTRY, years=years, language="en_US")
        self.holidays = [str(known[d]) if d in known else "" for d in dates]
        self.is_holiday = np.array([bool(name) for name in self.holidays])
        self.is_workday = (self.weekday != 6) & ~self.is_holiday
        self.campaigns = self._campaigns()
        self._factors()
        self._openings()

    def utc(self, day: Any, wall_seconds: Any) -> Ints:
        """Microseconds since 1970 UTC of a local wall-clock second of a day.

        Before 03:00 by the offset that holds at midnight, after it by that of noon.
        """
        seconds = np.asarray(wall_seconds, dtype=np.float64)
        base = np.where(seconds < 3 * 3600, self._night[day], self._noon[day])
        moment: Ints = base + (seconds * SECOND).astype(np.int64)
        return np.minimum(moment, self.midnight[np.asarray(day) + 1] - 1)

    def hour_edges(self, day: int) -> Ints:
        """The 25 UTC edges of the day's 24 wall-clock hours; one may be empty or double."""
        inside = self.utc(day, np.arange(24) * 3600.0)
        return np.append(inside, self.midnight[day + 1])

    def half_month(self, day: int) -> int:
        """The lot period of a day: two a month, counted from the start's month."""
        d = self.dates[day]
        months = (d.year - self.start.year) * 12 + d.month - self.start.month
        return months * 2 + (d.day > 15)

    def arrival_seconds(self, day: int, channel: int, u: Floats) -> Floats:
        """Wall-clock seconds of the day at the quantiles ``u`` of the channel's arrivals."""
        cumulative = self.arrivals[day, channel]
        return np.interp(u, cumulative, np.arange(25) * 3600.0)

    def _campaigns(self) -> tuple[Campaign, ...]:
        campaigns = []
        for year in range(self.start.year, self.dates[-1].year + 1):
            for name, month, day, length, size in (
                ("winter sale", 1, 8, 12, 0.6),
                ("spring offers", 4, 20, 9, 0.4),
                ("summer sale", 6, 24, 14, 0.7),
                ("back to school", 8, 18, 8, 0.5),
                ("black week", 11, 24, 8, 1.5),
                ("gifts", 12, 8, 12, 0.7),
            ):
                first = (date(year, month, day) - self.start).days
                if 0 <= first < self.total:
                    last = min(first + length - 1, self.total - 1)
                    size *= self.rates.campaign_size
                    campaigns.append(Campaign(f"{name} {year}", first, last, first - 21, size))
        return tuple(sorted(campaigns, key=lambda campaign: campaign.first))

    def _factors(self) -> None:
        rates = self.rates
        year_day = np.array([d.timetuple().tm_yday for d in self.dates])
        campaign = np.zeros(self.total + 1)
        for each in self.campaigns:
            campaign[each.first : each.last + 1] += each.size
        contacts = np.array(rates.weekday_contacts)[self.weekday]
        self.contact_factor: Floats = (
            contacts
            * (1 + rates.season_contacts * _wave(year_day - rates.season_contacts_day))
            * np.where(self.is_holiday, HOLIDAY_CONTACTS, 1.0)
        )
        self.order_factor: Floats = (
            np.array(rates.weekday_orders)[self.weekday]
            * (1 + rates.season_orders * _wave(year_day - rates.season_orders_day))
            * (1 + campaign)
        )
        self.product_factor: Floats = 1 + 0.8 * campaign
        self.activity_factor: Floats = np.where(self.weekday >= 5, 1.15, 0.95) * (
            1 + 0.25 * campaign
        )

    def _openings(self) -> None:
        """``is_open``: day × channel × hour; ``arrivals``: day × channel × 25 cumulative shares."""
        week = np.zeros((7, len(CHANNELS), 24), dtype=bool)
        for c, channel in enumerate(CHANNELS):
            for name, text in OPENING_HOURS[channel].items():
                week[WEEKDAYS.index(name), c, list(_hours(text))] = True
        self.is_open = week[self.weekday]
        shut = [CHANNELS.index(channel) for channel in CLOSED_ON_HOLIDAYS]
        for c in shut:
            self.is_open[self.is_holiday, c] = False
        shape = np.array([ARRIVALS[channel] for channel in CHANNELS], dtype=np.float64)
        shape = shape / shape.sum(axis=1, keepdims=True)
        offered = np.broadcast_to(shape, self.is_open.shape).copy()
        for channel in REAL_TIME:
            c = CHANNELS.index(channel)
            offered[:, c] *= self.is_open[:, c]
        total = offered.sum(axis=2, keepdims=True)
        self.takes_contacts = total[:, :, 0] > 0
        shares = np.divide(offered, total, out=np.zeros_like(offered), where=total > 0)
        self.arrival_shares: Floats = shares
        start = np.zeros((*shares.shape[:2], 1))
        self.arrivals: Floats = np.concatenate([start, np.cumsum(shares, axis=2)], axis=2)
