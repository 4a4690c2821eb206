"""Times in which an agent does not work, or would rather not, as people write them.

A weekday, a date, or neither (every day), and hours of that day or none (all of it). Hours that end
before they begin reach into the next day.

>>> days = np.arange("2026-03-02", "2026-03-09", dtype="datetime64[D]")
>>> [str(one) for one in spans_of(["tue 22:00-06:00"], days, "UTC")[0]]
['2026-03-03T22:00:00.000000', '2026-03-04T06:00:00.000000']
>>> len(spans_of(["12:00-13:00"], days, "UTC")), len(spans_of(["2026-03-04", "sat"], days, "UTC"))
(9, 2)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np

from data.arrays import Times
from data.errors import DataError, SettingsError, did_you_mean
from data.setting_checks import minute_of_day
from features.calendar import utc_times
from serving.shifts.need import WEEKDAYS

FORM = re.compile(r"\s*(?P<day>[a-z]+|\d{4}-\d{2}-\d{2})?\s*(?P<hours>[\d:]+\s*-\s*[\d:]+)?\s*")


def spans_of(texts: Sequence[str], days: Times, zone: str) -> Times:
    """The times that ``texts`` name on the local dates ``days`` and on the days beside them:
    starts and ends (rows x 2, naive UTC). DataError for a text that names none.
    """
    wall: list[np.datetime64] = []
    for text in texts:
        wanted, begin, end = _read(text)
        for day in np.arange(days[0] - 1, days[-1] + 2):
            if wanted is None or wanted in (str(day), WEEKDAYS[(int(day.astype(int)) + 3) % 7]):
                midnight = day.astype("datetime64[m]")
                wall += [midnight + np.timedelta64(minute, "m") for minute in (begin, end)]
    spans = utc_times(np.array(wall, "datetime64[us]"), zone).reshape(-1, 2)
    return spans[spans[:, 1] > spans[:, 0]]


def _read(text: str) -> tuple[str | None, int, int]:
    """A weekday or date or None, and minutes from that day's midnight."""
    match = FORM.fullmatch(text.lower())
    day, hours = (match["day"], match["hours"]) if match else (None, None)
    if not match or not (day or hours):
        raise DataError(
            f'{text!r} names no time; write "mon", "2026-12-24", "mon 08:00-12:00" or "22:00-06:00"'
        )
    if day and day not in WEEKDAYS:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise DataError(
                f"{text!r}: {day!r} is no day; write mon to sun, or a date such as 2026-12-24."
                f"{did_you_mean(day, WEEKDAYS)}"
            ) from None
    if not hours:
        return day, 0, 1440
    try:
        begin, end = (minute_of_day(part) for part in hours.split("-"))
    except SettingsError as error:
        raise DataError(f"{text!r}: {error}") from None
    return day, begin, end if end > begin else end + 1440
