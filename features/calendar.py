"""What a date is worth: local time, business days, holidays, bridge days, the month's rhythm.

All of it is known beforehand, so none of it can leak. Holidays come from the ``holidays``
library, by country (ISO 3166, with an optional subdivision: ``"US"``, ``"DE-BY"``).

>>> import numpy as np
>>> days = np.array(["2024-12-24", "2024-12-25", "2024-12-27"], dtype="datetime64[D]")
>>> frame = day_frame(days, ("GB",))
>>> frame["is_holiday"].tolist(), frame["days_from_holiday"].tolist()
([False, True, False], [-1, 0, 1])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Times
from data.errors import SettingsError, did_you_mean

LANGUAGE = "en_US"
"""Of the names of holidays: by default they would follow the process's locale."""
FAR_FROM_HOLIDAY = 9
"""``days_from_holiday`` where no holiday lies within three days."""


def local_times(utc: npt.ArrayLike, time_zone: str) -> npt.NDArray[np.datetime64]:
    """Naive UTC instants as naive wall-clock times (datetime64[us]) of ``time_zone``.

    >>> local_times(np.array(["2024-07-01T00:00"], dtype="datetime64[us]"), "Asia/Kolkata")
    array(['2024-07-01T05:30:00.000000'], dtype='datetime64[us]')
    """
    instants = pd.DatetimeIndex(np.asarray(utc, dtype="datetime64[us]"))
    if time_zone == "UTC":
        return instants.to_numpy().astype("datetime64[us]")
    local = instants.tz_localize("UTC").tz_convert(time_zone).tz_localize(None)
    return local.to_numpy().astype("datetime64[us]")


def utc_times(local: npt.ArrayLike, time_zone: str) -> npt.NDArray[np.datetime64]:
    """Wall-clock times of ``time_zone`` as naive UTC instants (datetime64[us]).

    A time that a clock change skips is moved forward to the first that exists; of a time that
    occurs twice the first is taken.
    """
    wall = pd.DatetimeIndex(np.asarray(local, dtype="datetime64[us]"))
    if time_zone == "UTC":
        return wall.to_numpy().astype("datetime64[us]")
    first = np.ones(len(wall), dtype=bool)
    aware = wall.tz_localize(time_zone, ambiguous=first, nonexistent="shift_forward")
    return aware.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")


@lru_cache(maxsize=256)
def _country_year(country: str, year: int) -> Mapping[np.datetime64, str]:
    import holidays

    code, _, subdivision = country.partition("-")
    known = holidays.list_supported_countries()
    if code not in known:
        raise SettingsError(
            f"[company] country {country!r} is not known to the holiday calendar; "
            f'give an ISO 3166 code such as "US".' + did_you_mean(code, known)
        )
    # one language whatever the locale of the process, or trained and served names would differ
    days_off = holidays.country_holidays(
        code, subdiv=subdivision or None, years=year, language=LANGUAGE
    )
    return MappingProxyType({np.datetime64(day, "D"): str(name) for day, name in days_off.items()})


def holiday_names(
    countries: Sequence[str], first: np.datetime64, last: np.datetime64
) -> dict[np.datetime64, str]:
    """Holidays of any of the countries from ``first`` to ``last`` (days, both included).

    A day that is a holiday in several countries carries the first country's name.
    """
    years = range(int(str(first)[:4]), int(str(last)[:4]) + 1)
    named: dict[np.datetime64, str] = {}
    for country in countries:
        for year in years:
            for day, name in _country_year(country, year).items():
                if first <= day <= last:
                    named.setdefault(day, name)
    return dict(sorted(named.items()))


def day_frame(days: Times, countries: Sequence[str] = ()) -> pd.DataFrame:
    """One row per local day (datetime64[D]), in the given order: its place in week, month, year.

    Columns: ``weekday`` (0 Monday), ``day_of_month``, ``days_to_month_end``, ``business_day``
    (0-based within the month), ``month``, ``day_of_year``, ``is_holiday``, ``holiday`` (its name
    or ``""``), ``is_business_day`` (Monday to Friday, no holiday), ``is_bridge`` (a weekday shut
    in between a holiday and a weekend) and ``days_from_holiday`` (negative before, positive
    after, within three days; otherwise ``FAR_FROM_HOLIDAY``).
    """
    days = np.asarray(days, dtype="datetime64[D]")
    if len(days) == 0:
        days_first = days_last = np.datetime64("1970-01-01", "D")
    else:
        days_first, days_last = days.min(), days.max()
    margin = np.timedelta64(5, "D")
    named = holiday_names(countries, days_first - margin, days_last + margin)
    off = np.array(list(named), dtype="datetime64[D]")
    number = days.astype("int64")
    weekday = (number + 3) % 7
    month_start = days.astype("datetime64[M]").astype("datetime64[D]")
    next_month = (days.astype("datetime64[M]") + 1).astype("datetime64[D]")
    is_holiday = np.isin(days, off)
    offset = np.full(len(days), FAR_FROM_HOLIDAY, dtype="int64")
    for distance in (-3, 3, -2, 2, -1, 1, 0):
        offset[np.isin(days - np.timedelta64(distance, "D"), off)] = distance
    before = np.isin(days - 1, off) | ((number - 1 + 3) % 7 >= 5)
    after = np.isin(days + 1, off) | ((number + 1 + 3) % 7 >= 5)
    touches = np.isin(days - 1, off) | np.isin(days + 1, off)
    return pd.DataFrame(
        {
            "weekday": weekday,
            "day_of_month": (days - month_start).astype("int64") + 1,
            "days_to_month_end": (next_month - days).astype("int64") - 1,
            "business_day": np.busday_count(month_start, days, holidays=off),
            "month": days.astype("datetime64[M]").astype("int64") % 12 + 1,
            "day_of_year": (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(
                "int64"
            )
            + 1,
            "is_holiday": is_holiday,
            "holiday": [named.get(day, "") for day in days],
            "is_business_day": (weekday < 5) & ~is_holiday,
            "is_bridge": (weekday < 5) & ~is_holiday & before & after & touches,
            "days_from_holiday": offset,
        }
    )
