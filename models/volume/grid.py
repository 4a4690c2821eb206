"""The time grid of a series: every step has an integer index, a ``ds`` as given and a local time.

Steps shorter than a day are equal pieces of UTC; days, weeks and months are the company's own, so
a day with a clock change has 23 or 25 hours. Daily and coarser ``ds`` may come as dates
(00:00 as written, read as that date wherever the company is) or as UTC instants of local
midnights; which of the two is seen from the values, and forecasts come back in the same form.

>>> hourly = parse_frequency("h")
>>> (hourly.unit, hourly.count, hourly.season)
('minute', 60, 168)
>>> grid = Grid(parse_frequency("MS"), "UTC", phase=0)
>>> [str(day)[:10] for day in grid.ds(np.arange(650, 652))]
['2024-03-01', '2024-04-01']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from data.arrays import Bools, Ints, Times
from data.errors import DataError, UsageError, did_you_mean
from features.calendar import local_times, utc_times

Unit = Literal["minute", "day", "week", "month"]

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_EXAMPLES = ("15min", "30min", "h", "D", "W", "MS", "ME", "QS", "QE")


@dataclass(frozen=True)
class Frequency:
    """A step: ``count`` minutes, days (1), weeks (1) or months (1 or 3).

    ``season`` is the number of steps in the cycle that matters most: a week for steps up to a
    day, a year for longer ones. ``month_end`` marks months that are named by their last day.
    """

    text: str
    unit: Unit
    count: int
    month_end: bool = False

    @property
    def per_day(self) -> int:
        """Steps in a local day without a clock change (1 for daily and coarser steps)."""
        return 1440 // self.count if self.unit == "minute" else 1

    @property
    def season(self) -> int:
        """Steps in the main cycle."""
        return {"minute": 7 * self.per_day, "day": 7, "week": 52, "month": 12 // self.count}[
            self.unit
        ]


def parse_frequency(text: str) -> Frequency:
    """A pandas-like name of a step (``15min``, ``h``, ``D``, ``W``, ``MS``, ...).

    Raises UsageError for a name that is not known or a step that does not divide a day.

    >>> parse_frequency("fortnight")
    Traceback (most recent call last):
        ...
    data.errors.UsageError: the frequency 'fortnight' is not known; give one of 15min, ...
    """
    match = re.fullmatch(r"(\d*)([A-Za-z]+)(?:-([A-Za-z]{3}))?", text.strip())
    unknown = UsageError(
        f"the frequency {text!r} is not known; give one of {', '.join(_EXAMPLES)} "
        f"(minutes and hours that divide a day)." + did_you_mean(text, _EXAMPLES)
    )
    if match is None:
        raise unknown
    number, name, anchor = int(match[1] or 1), match[2], (match[3] or "").upper()
    if name.lower() in ("min", "t", "h", "hour", "minute") and not anchor:
        minutes = number * (60 if name.lower() in ("h", "hour") else 1)
        if minutes == 1440:
            return Frequency(text, "day", 1)
        if minutes <= 0 or minutes > 1440 or 1440 % minutes:
            raise UsageError(
                f"the frequency {text!r} does not divide a day; give one that does, such as "
                "15min, 30min or h."
            )
        return Frequency(text, "minute", minutes)
    if name.lower() == "d" and number in (1, 7) and not anchor:
        return Frequency(text, "day" if number == 1 else "week", 1)
    if name.lower() == "w" and number == 1 and (not anchor or anchor in _WEEKDAYS):
        return Frequency(text, "week", 1)
    if name.upper() in ("M", "MS", "ME") and number in (1, 3) and not anchor:
        return Frequency(text, "month", number, month_end=name.upper() != "MS")
    if name.upper() in ("Q", "QS", "QE") and number == 1:
        return Frequency(text, "month", 3, month_end=name.upper() != "QS")
    raise unknown


@dataclass(frozen=True)
class Grid:
    """Steps of one table: maps ``ds`` (naive UTC, microseconds) to integers and back.

    ``phase``: microseconds of UTC (minutes) or days (weeks, since Thursday 1970-01-01) or months
    by which the steps are moved. ``instants``: daily and coarser ``ds`` are UTC instants of local
    midnights. ``shift``: microseconds that dates stand after 00:00 (a date written as 05:00).
    """

    frequency: Frequency
    time_zone: str
    phase: int
    instants: bool = False
    shift: int = 0

    def index(self, ds: Times) -> Ints:
        """The step that each ``ds`` starts; what lies off the grid is rounded down."""
        micros = ds.astype("datetime64[us]").astype("int64")
        if self.frequency.unit == "minute":
            return (micros - self.phase) // (self.frequency.count * MINUTE_US)
        if self.instants:
            micros = local_times(ds, self.time_zone).astype("int64")
        day = (micros - self.shift) // DAY_US
        if self.frequency.unit == "day":
            return day
        if self.frequency.unit == "week":
            return (day - self.phase) // 7
        months = day.astype("datetime64[D]").astype("datetime64[M]").astype("int64")
        return (months - self.phase) // self.frequency.count

    def ds(self, index: Ints) -> Times:
        """The start (datetime64[us], as given) of each step."""
        index = np.asarray(index, dtype="int64")
        if self.frequency.unit == "minute":
            step = self.frequency.count * MINUTE_US
            return (index * step + self.phase).astype("datetime64[us]")
        midnight = self.days(index).astype("datetime64[us]")
        if self.instants:
            return utc_times(midnight, self.time_zone)
        return (midnight.astype("int64") + self.shift).astype("datetime64[us]")

    def exists(self, index: Ints) -> Bools:
        """Which steps there are: a day that a zone left out (Samoa's 30 December 2011) is none."""
        index = np.asarray(index, dtype="int64")
        return np.asarray(self.index(self.ds(index)) == index)

    def days(self, index: Ints) -> Times:
        """The local day (datetime64[D]) on which each step starts (month ends: their last day)."""
        index = np.asarray(index, dtype="int64")
        if self.frequency.unit == "minute":
            return self.local(index).astype("datetime64[D]")
        if self.frequency.unit == "day":
            return index.astype("datetime64[D]")
        if self.frequency.unit == "week":
            return (index * 7 + self.phase).astype("datetime64[D]")
        months = index * self.frequency.count + self.phase
        if self.frequency.month_end:
            last = months + self.frequency.count
            return last.astype("datetime64[M]").astype("datetime64[D]") - 1
        return months.astype("datetime64[M]").astype("datetime64[D]")

    def local(self, index: Ints) -> Times:
        """The local wall-clock time (datetime64[us]) at which each step starts."""
        if self.frequency.unit == "minute":
            return local_times(self.ds(index), self.time_zone)
        return self.days(index).astype("datetime64[us]")

    def cells(self, index: Ints) -> tuple[Ints, Ints]:
        """The cycle (week, or year) and the slot within it of each step.

        The hour that a clock change repeats shares its slot with the one before; the hour that
        it skips has none. Weeks are those of the ISO year; a 53rd shares the slot of the 52nd.
        """
        if self.frequency.unit == "week":
            return weeks_of_year(self.days(index))
        if self.frequency.unit == "month":
            index = np.asarray(index, dtype="int64")
            return index // self.frequency.season, index % self.frequency.season
        local = self.local(index).astype("int64")
        minute = local // MINUTE_US + 3 * 1440  # 1970-01-01 was a Thursday: Monday is three before
        step = self.frequency.count if self.frequency.unit == "minute" else 1440
        return minute // 10080, (minute % 10080) // step


def weeks_of_year(days: Times) -> tuple[Ints, Ints]:
    """The ISO year and the week in it (0 to 51, a 53rd is 51 too) of the weeks that begin on days.

    A week belongs to the year of most of its days: of its fourth.

    >>> year, week = weeks_of_year(np.array(["2026-12-28", "2027-01-04"], dtype="datetime64[D]"))
    >>> year.tolist(), week.tolist()
    ([2026, 2027], [51, 0])
    """
    middle = days.astype("datetime64[D]") + np.timedelta64(3, "D")
    year = middle.astype("datetime64[Y]")
    week = (middle - year.astype("datetime64[D]")).astype("int64") // 7
    return year.astype("int64") + 1970, np.minimum(week, 51)


def grid_of(
    ds: Times, frequency: Frequency, time_zone: str, local_days: bool | None = None
) -> Grid:
    """The grid on which most of ``ds`` (not empty) stand.

    ``local_days``: whether days begin at local midnights rather than at one time of UTC; None:
    whichever more of ``ds`` do; if equally many, UTC where that time is 00:00 (a winter in
    London), else local (one in Oslo).
    """
    micros = ds.astype("datetime64[us]").astype("int64")
    if frequency.unit == "minute":
        rest = micros % (frequency.count * MINUTE_US)
        return Grid(frequency, time_zone, phase=_most(rest))
    shift, instants = _most(micros % DAY_US), False
    if time_zone != "UTC" and local_days is not False:
        local = local_times(ds, time_zone).astype("int64")
        fit, other = (local % DAY_US == 0).mean(), (micros % DAY_US == shift).mean()
        instants = bool(fit > other or (fit == other and (local_days or shift)))
        if instants:
            micros, shift = local, 0
    day = (micros - shift) // DAY_US
    if frequency.unit == "week":
        return Grid(frequency, time_zone, _most(day % 7), instants, shift)
    phase = 0
    if frequency.unit == "month" and frequency.count > 1:
        months = day.astype("datetime64[D]").astype("datetime64[M]").astype("int64")
        last = frequency.count - 1 if frequency.month_end else 0
        phase = _most((months - last) % frequency.count)
    return Grid(frequency, time_zone, phase, instants, shift)


def _most(values: Ints) -> int:
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[counts.argmax()])


def off_grid(grid: Grid, ds: Times) -> npt.NDArray[np.bool_]:
    """True where ``ds`` is not the start of a step."""
    return grid.ds(grid.index(ds)) != ds.astype("datetime64[us]")


def require_on_grid(grid: Grid, ds: Times, unique_id: npt.NDArray[np.object_]) -> None:
    """DataError naming series and row (0-based) of the first ``ds`` between two steps."""
    wrong = off_grid(grid, ds)
    if wrong.any():
        row = int(wrong.argmax())
        expected = grid.ds(grid.index(ds[row : row + 1]))[0]
        raise DataError(
            f"series {unique_id[row]!r} row {row}: ds {ds[row]} does not start a step of "
            f"{grid.frequency.text!r}; most rows stand on a grid on which it would be {expected}. "
            f"Fix the row or give another --freq ({int(wrong.sum())} rows are off)."
        )
