"""What the days of a window are worth: a week with Easter in it holds fewer days than others.

How many complain is told per window (models/risk/level.py); how much of a usual day each of its
days is, here. From the complaints of each local day, as known at one moment, come

- a usual week: how much of a mean day each weekday is;
- the worth of **special days**, those within three days of a holiday (of the countries, or of kind
  holiday in the calendar table) and those of a closure (kind closure there, of the whole company),
  past ones and those of the year to come that are known of.

What a special day is worth comes from **equal** days: as many days before or after a holiday of the
same name. It is the chance that the company does anything at all that day times what an open one
brings, each drawn to what it is over all holidays, that to a usual day. Shut is a day without any
order, usage or ticket where at least ten were to be expected: one that was shut once is taken to be
shut again ten times of eleven. Complaints come in heaps, so a count weighs as much as its
scatter about usual days allows, not as a Poisson's would.

>>> import numpy as np
>>> shop = Days("UTC", (1.0,) * 7, {20_000: 0.0})  # day 20,000 since 1970 is shut
>>> of_weeks = np.array([19_990, 19_995, 20_000]) * DAY
>>> shop.worth(of_weeks, 7).round(3)
array([1.   , 0.857, 0.857])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.contract import TABLES
from data.tables import Tables
from features.asof import as_of_view
from features.calendar import holiday_names, local_times
from features.complaint import ComplaintRule, is_complaint
from models.risk.level import DAY

BEGINNINGS = ("orders", "usage", "tickets")
TICKETS = ("ticket_id", "opened_at", "is_complaint", "is_machine", "topic", "priority", "csat")
REACH = 3
"""So many days before and after a holiday are special too."""
AHEAD_DAYS = 366
"""A model knows special days so far ahead; after that all are usual."""
LEAST_DAYS = 28
"""Usual days without which nothing is known of a usual week."""
AROUND_DAYS = 28
"""Usual days so near on either side tell how many complaints were to be expected of a day."""
OF_HOLIDAYS, OF_ONE = 4.0, 10.0
"""Complaints' worth of belief that holidays are usual days, and one holiday is like the others:
half a day, and a third, more or less would be no surprise."""
OF_DAYS_NEAR, OF_ONE_NEAR = 20.0, 40.0
"""The same of the open days about them: a quarter, and a sixth."""
ONCE = 0.1
"""Days' worth of belief that whether it is shut is as usual for days so far from a holiday."""
LEAST_EXPECTED = 10.0
"""Events to expect of a day without which silence does not mean that it was shut."""
CLOSED = 0.5
"""What the day of a first closure is taken to be worth: it is announced for less will happen."""
LEAST = 0.02
"""No window is worth less than this share of usual days."""


@dataclass(frozen=True)
class Days:
    """``week``: what Monday to Sunday are worth, 1 on the mean; ``special``: factors on that of
    local days (numbers since 1970), 1 where none is named; ``gap_days`` until a window begins."""

    time_zone: str
    week: tuple[float, ...]
    special: Mapping[int, float]
    gap_days: float = 0.0

    def worth(self, as_of: Ints, horizon: int) -> Floats:
        """What a day of ``[T + gap, T + gap + horizon)`` is worth on the mean; 1: a usual day.

        ``as_of``: microseconds since 1970, UTC.
        """
        times, position = np.unique(as_of, return_inverse=True)
        local = local_times(times.astype("datetime64[us]"), self.time_zone).astype(np.int64)
        begin = (local + round(self.gap_days * DAY)) / DAY
        worth = np.array([self._between(at, at + horizon) for at in begin]) / horizon
        worth = np.where(np.abs(worth - 1) < 1e-9, 1.0, np.maximum(worth, LEAST))
        return worth[position]

    def _between(self, begin: float, end: float) -> float:
        days = np.arange(int(np.floor(begin)), int(np.ceil(end)))
        shares = np.minimum(days + 1, end) - np.maximum(days, begin)
        return float(shares @ [self.of(int(day)) for day in days])

    def of(self, day: int) -> float:
        """What this local day (since 1970) is worth."""
        return self.week[(day + 3) % 7] * self.special.get(day, 1.0)

    def to_json(self) -> dict[str, Any]:
        special = sorted(self.special.items())
        return {
            "time_zone": self.time_zone,
            "week": list(self.week),
            "special": [list(one) for one in special],
            "gap_days": self.gap_days,
        }


def days_from_json(document: Mapping[str, Any]) -> Days:
    """What ``to_json`` told."""
    special = {int(day): float(worth) for day, worth in document["special"]}
    week = tuple(float(one) for one in document["week"])
    return Days(str(document["time_zone"]), week, special, float(document["gap_days"]))


def shifted(score: Floats, worth: Floats) -> Floats:
    """Log odds of a window whose days are worth so much: its hazard times ``worth``.

    >>> import numpy as np
    >>> shifted(np.array([0.0, 0.0]), np.array([1.0, 0.5])).round(3)  # 1 - sqrt(1 / 2) is 0.293
    array([ 0.   , -0.881])
    """
    hazard = np.logaddexp(0.0, score) * worth
    # log(exp(h) - 1), in the form that neither overflows nor cancels
    return np.where(worth == 1.0, score, hazard + np.log(-np.expm1(-hazard)))


def learn_days(
    tables: Tables,
    known_as_of: datetime,
    complaint: ComplaintRule,
    *,
    countries: Sequence[str] = (),
    time_zone: str = "UTC",
    gap_days: float = 0.0,
) -> Days | None:
    """What days are worth, told by what was known then.

    None where no holiday and no closure is known of, or where there are fewer than 28 usual days.
    """
    every = [
        as_of_view(tables, name, known_as_of, [str(TABLES[name].birth)]).iloc[:, 0]
        for name in BEGINNINGS
        if tables.has(name)
    ]
    events = pd.concat(every) if every else pd.Series(dtype="datetime64[us]")
    if events.empty:
        return None
    # the first and the last day are not whole, and silence after the newest event may be a delay
    first, last = (int(day) for day in _days(pd.Series([events.min(), events.max()]), time_zone))
    names, closed = _special(
        tables, known_as_of, countries, time_zone, first, last + AHEAD_DAYS + REACH
    )
    if not names and not closed:
        return None
    days = np.arange(first + 1, last)
    tickets = as_of_view(tables, "tickets", known_as_of, TICKETS)
    human = ~tickets["is_machine"].fillna(False).astype(bool)
    of_complaints = tickets["opened_at"][is_complaint(tickets, complaint) & human]
    ahead = np.arange(first, last + AHEAD_DAYS)
    near = _near(ahead, names)
    usual = ~np.isin(days, np.array([*near, *closed], dtype=np.int64))
    if usual.sum() < LEAST_DAYS:
        return None
    complaints = _expected(days, _count(of_complaints, days, time_zone), usual)
    anything = _expected(days, _count(events, days, time_zone), usual)
    scatter = _scatter(complaints, usual)
    evidence = _Evidence(
        days,
        complaints.count / scatter,
        complaints.expected / scatter,
        anything.expected >= LEAST_EXPECTED,
        anything.count == 0,
    )
    special = _worths(near, closed, evidence)
    return Days(time_zone, complaints.week, special, gap_days)


def _days(times: pd.Series, time_zone: str) -> Ints:
    """The local day of each time, since 1970."""
    local = local_times(times.to_numpy(), time_zone)
    return local.astype("datetime64[D]").astype(np.int64)


def _count(times: pd.Series, days: Ints, time_zone: str) -> Floats:
    if not len(days) or times.empty:
        return np.zeros(len(days))
    at = _days(times, time_zone) - days[0]
    within = at[(at >= 0) & (at < len(days))]
    return np.bincount(within, minlength=len(days)).astype(np.float64)


def _special(
    tables: Tables,
    known_as_of: datetime,
    countries: Sequence[str],
    time_zone: str,
    first: int,
    last: int,
) -> tuple[dict[int, str], set[int]]:
    """Holidays by day with their names, and the days of closures, as known at that moment."""
    names: dict[int, str] = {}
    if countries:
        begin, end = (np.datetime64(day, "D") for day in (first - REACH, last))
        for day, name in holiday_names(countries, begin, end).items():
            names[int(day.astype(np.int64))] = name
    closed: set[int] = set()
    if tables.has("calendar"):
        planned = as_of_view(tables, "calendar", known_as_of)
        for one in planned.itertuples():
            # what one channel or topic is spared, complaints find another way
            if pd.notna(one.channel) or pd.notna(one.topic):
                continue
            last_moment = max(one.ends_at - timedelta(microseconds=1), one.starts_at)
            begin_day, end_day = _days(pd.Series([one.starts_at, last_moment]), time_zone)
            of = range(max(int(begin_day), first), min(int(end_day), last) + 1)
            if one.kind == "holiday":
                names |= {day: str(one.name) for day in of if day not in names}
            elif one.kind == "closure":
                closed |= set(of)
    return names, closed


def _near(days: Ints, names: Mapping[int, str]) -> dict[int, tuple[str, int]]:
    """The days near a holiday: its name, and how many days after it they are.

    A day that only stands in for a holiday ("... (observed)") is one that day, but what is before
    and after is told from the holiday itself, whose date is the same every year.
    """
    real = {day: name for day, name in names.items() if "(" not in name}
    near: dict[int, tuple[str, int]] = {}
    for day in days.tolist():
        if day in names:
            near[day] = (names[day], 0)
            continue
        for off in sorted(range(-REACH, REACH + 1), key=abs):
            if day - off in real:
                near[day] = (real[day - off], off)
                break
    return near


@dataclass(frozen=True)
class _Expected:
    count: Floats
    expected: Floats
    week: tuple[float, ...]


def _expected(days: Ints, count: Floats, usual: Bools) -> _Expected:
    """What each day was to bring by its weekday and the usual days around it."""
    weekday = (days + 3) % 7
    mean = max(float(count[usual].mean()), 1e-9)
    by_weekday = np.bincount(weekday[usual], count[usual], minlength=7)
    rows = np.bincount(weekday[usual], minlength=7)
    week = (by_weekday / mean + 1.0) / (rows + 1.0)
    week *= 7 / week.sum()
    around = np.ones(2 * AROUND_DAYS + 1)
    of_count = np.convolve(np.where(usual, count, 0.0), around, "full")[AROUND_DAYS:-AROUND_DAYS]
    of_week = np.convolve(np.where(usual, week[weekday], 0.0), around, "full")
    level = (of_count + mean) / (of_week[AROUND_DAYS:-AROUND_DAYS] + 1.0)
    return _Expected(count, level * week[weekday], tuple(week.tolist()))


def _scatter(of: _Expected, usual: Bools) -> float:
    """How many complaints tell as much as one that came alone: the variance of usual days' counts
    over their mean, 1 at least."""
    expected = np.maximum(of.expected[usual], 1e-9)
    return max(float(((of.count[usual] - expected) ** 2).sum() / expected.sum()), 1.0)


@dataclass(frozen=True)
class _Evidence:
    """Per past day: complaints that came and that were to be expected, both over their scatter;
    whether silence would have told anything, and whether there was silence."""

    days: Ints
    complaints: Floats
    expected: Floats
    telling: Bools
    silent: Bools

    def at(self, days: Sequence[int]) -> Ints:
        position = np.array(days, dtype=np.int64) - (self.days[0] if len(self.days) else 0)
        return position[(position >= 0) & (position < len(self.days))]


@dataclass(frozen=True)
class _Worth:
    """The chance that such a day is open, and what an open one is worth."""

    is_open: float
    of_open: float

    def after(self, evidence: _Evidence, days: Sequence[int], sure: float, belief: float) -> _Worth:
        """The same after these days; ``sure`` days' belief in whether they are open as before, and
        ``belief`` complaints' in what an open one is worth."""
        at = evidence.at(days)
        telling = at[evidence.telling[at]]
        shut = telling[evidence.silent[telling]]
        is_open = (len(telling) - len(shut) + sure * self.is_open) / (len(telling) + sure)
        open_days = np.setdiff1d(at, shut)
        complaints, expected = (
            evidence.complaints[open_days].sum(),
            evidence.expected[open_days].sum(),
        )
        return _Worth(is_open, float((complaints + belief * self.of_open) / (expected + belief)))

    @property
    def worth(self) -> float:
        return self.is_open * self.of_open


def _worths(
    near: Mapping[int, tuple[str, int]], closed: set[int], evidence: _Evidence
) -> dict[int, float]:
    """The worth of every special day."""
    equal: dict[tuple[str, int], list[int]] = {}
    for day, of_holiday in near.items():
        if day not in closed:
            equal.setdefault(of_holiday, []).append(day)
    worths: dict[int, float] = {}
    for (name, off), days in equal.items():
        others = [
            day
            for (other, as_far), of in equal.items()
            if as_far == off and other != name
            for day in of
        ]
        of_all, of_one = (OF_DAYS_NEAR, OF_ONE_NEAR) if off else (OF_HOLIDAYS, OF_ONE)
        drawn_to = _Worth(1.0, 1.0).after(evidence, others, 1.0, of_all)
        worths |= dict.fromkeys(days, drawn_to.after(evidence, days, ONCE, of_one).worth)
    shut = _Worth(CLOSED, 1.0).after(evidence, sorted(closed), 1.0, OF_HOLIDAYS).worth
    return worths | dict.fromkeys(closed, shut)
