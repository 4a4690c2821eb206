"""Calls counted per interval: for those without a call log.

Source: ``unique_id, ds, y`` (csv or Parquet), or fpp3's ``bank_calls`` (``DateTime, Calls``).

| their column | becomes |
|---|---|
| unique_id | unique_id, as given; ``bank_calls`` where the file has none |
| ds, DateTime | ds: the interval's start by the local clock, in UTC |
| y, Calls | y |

The file's clock is local and names no zone. Series that are known by name have one:
``technion_1999`` Asia/Jerusalem; ``bank_calls`` (a large North American bank, its city unknown)
America/New_York. Any other file needs the options ``time_zone`` and ``country``.

A local clock shows an hour twice in autumn and skips one in spring. Where a file has the repeated
hour twice, its rows are the first and the second; where it has it once, the second is a gap, not
zero. Counts of a skipped hour are added to the hour after it. Times with an offset leave nothing
open. A row of totals is left out. All of it is in the notes.

**Hours without rows are closed or unknown, never zero.** Where every weekday begins and ends at
its own fixed time for two weeks or more, that is written as ``[opening_hours.phone]``; whole days
without rows inside the opening hours are gaps, and named in the notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from data.adapters.interface import Imported
from data.adapters.local_time import complete_to, moment_to_utc, second_of_two, zone
from data.adapters.reading import (
    Field,
    Sheet,
    header,
    instants,
    numbers,
    plain,
    required_text,
    sheets,
    text,
)
from data.errors import DataError, UsageError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORMATS = (
    "ISO8601",
    *("%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p"),
    *("%d/%m/%Y %H:%M", "%d/%m/%Y %I:%M %p", "%d/%m/%Y %I:%M:%S %p"),
)

TWICE = "stands with the same series in an earlier row"
FIX_TWICE = "leave one of the two out, or add them up"
TOTALS = ("total", "totals", "sum", "grand total", "summe", "gesamt", "totalt")

ENOUGH = timedelta(weeks=2)
"""How long a file must be to show which hours are closed: two of each weekday, whole."""
REGULAR_SHARE = 0.95
"""A weekday has opening hours if that share of its days begins and ends at the same times."""


@dataclass(frozen=True)
class Place:
    """Where a series was counted."""

    time_zone: str
    country: str
    assumed: bool = False


KNOWN = {
    "technion_1999": Place("Asia/Jerusalem", "IL"),
    "bank_calls": Place("America/New_York", "US", assumed=True),
}


def read(path: Path, options: Mapping[str, str]) -> Imported:
    """Volumes of the counts in the file at ``path``."""
    counts, place, notes, aside = _counts(path, options)
    if place.assumed:
        notes += (
            f"the publisher does not say where this is: {place.time_zone} is assumed (the options "
            "time_zone and country say otherwise)",
        )
    step = _step(counts, path)
    hours = _opening_hours(counts, step)
    volumes, zone_notes = _in_utc(counts, step)
    notes += zone_notes
    if hours:
        notes += (
            "hours without rows are closed, not zero: opening hours written for phone "
            f"({', '.join(f'{day} {span}' for day, span in hours.items())})",
            *_missing_days(counts, hours),
        )
    end = pd.Timestamp(counts["ds"].max()) + step
    if hours and end == end.normalize() + _closing(hours, end):
        end = end.normalize() + timedelta(days=1)  # closed for the rest of the day
    settings: dict[str, object] = {
        "company.country": place.country,
        "company.time_zone": place.time_zone,
        "data.complete_to": complete_to(
            options, moment_to_utc(end.to_pydatetime(), place.time_zone)
        ),
        **{f"opening_hours.phone.{day}": span for day, span in hours.items()},
    }
    return Imported({"volumes": volumes}, settings, notes, set_aside={"volumes": aside})


def _counts(
    path: Path, options: Mapping[str, str]
) -> tuple[pd.DataFrame, Place, tuple[str, ...], pd.DataFrame]:
    """unique_id, ds (local), utc, y and what the clock left open, sorted; where that is, notes, and
    the rows that are set aside."""
    named = "ds" in {plain(name) for name in header(path)}
    fields = (
        Field("unique_id", required=named),
        Field("ds", ("DateTime",)),
        Field("y", ("Calls",)),
    )
    sheet, totals = _without_totals(sheets(path, fields)[0])
    ids = required_text(sheet, "unique_id") if sheet.has("unique_id") else None
    names = ids if ids is not None else pd.Series("bank_calls", index=sheet.frame.index)
    place = _place(names.dropna(), path, options)
    if place.assumed and sheet.frame["ds"].dtype != "datetime64[us]":
        # this publisher's program calls its local clock UTC
        bare = sheet.frame["ds"].astype("str").str.removesuffix("Z")
        sheet = replace(sheet, frame=sheet.frame.assign(ds=bare.where(sheet.frame["ds"].notna())))
    when = instants(
        sheet, "ds", FORMATS, place.time_zone, required=True, dates=options.get("dates", "")
    )
    counts = pd.DataFrame(
        {
            "unique_id": names,
            "ds": when.local,
            "utc": when.utc,
            "y": numbers(sheet, "y"),
            "skipped": when.is_skipped,
            "repeated": when.is_repeated,
        }
    )
    sheet.faults.add("y", counts["y"], counts["y"] < 0, "is negative", "a count is 0 or more")
    # the clock shows an hour twice: its second row is the second of the two
    nth = counts.groupby(["unique_id", "ds"]).cumcount()
    second = counts["repeated"] & (nth == 1)
    counts["utc"] = counts["utc"].mask(second, second_of_two(counts["ds"], place.time_zone))
    counts["both"] = counts["repeated"] & counts.duplicated(["unique_id", "ds"], keep=False)
    twice = counts.duplicated(["unique_id", "utc"]) & ~counts["skipped"]
    twice &= counts.duplicated(["unique_id", "ds"])
    sheet.faults.add("ds", counts["ds"].astype("str"), twice, TWICE, FIX_TWICE)
    counts = sheet.faults.good_rows(counts)
    notes = (*totals, *sheet.remarks("volumes"))
    unknown = int(counts["y"].isna().sum())
    if unknown:
        notes += (f"{unknown:,} rows without a count are gaps: left out, not zero",)
    counts = counts[counts["y"].notna()].sort_values(["unique_id", "utc"], ignore_index=True)
    if counts.empty:
        raise DataError(f"{path.name} has no row with a count")
    return counts, place, notes, sheet.faults.rows("volumes")


def _without_totals(sheet: Sheet) -> tuple[Sheet, tuple[str, ...]]:
    """The rows without those that add up the others, as switches write below them."""
    is_total = pd.Series(False, index=sheet.frame.index)
    for column in ("unique_id", "ds"):
        if sheet.has(column):
            is_total |= text(sheet, column).str.lower().isin(TOTALS).fillna(False)
    if sheet.has("ds"):  # a series may be called total: only a row without a time is a sum
        is_total &= ~text(sheet, "ds").fillna("").str.contains(r"\d")
    if not is_total.any():
        return sheet, ()
    note = f"{int(is_total.sum()):,} rows of totals are left out"
    return replace(sheet, frame=sheet.frame[~is_total]), (note,)


def _place(ids: pd.Series, path: Path, options: Mapping[str, str]) -> Place:
    known = {KNOWN.get(str(name)) for name in ids.unique()}
    place = next(iter(known)) if len(known) == 1 else None
    time_zone = options.get("time_zone", place.time_zone if place else None)
    country = options.get("country", place.country if place else None)
    if time_zone is None or country is None:
        raise UsageError(
            f"{path.name}: the clock of {', '.join(map(str, ids.unique()[:3]))} is not known; give "
            'the options time_zone (like "Europe/Oslo") and country (like "NO")'
        )
    zone(time_zone)
    is_stated = "time_zone" in options
    return Place(time_zone, country, assumed=place is not None and place.assumed and not is_stated)


def _step(counts: pd.DataFrame, path: Path) -> timedelta:
    """The interval's length: the least distance between two times of a series."""
    distances = counts.groupby("unique_id")["ds"].diff()
    distances = distances[distances > timedelta(0)]
    if distances.notna().sum() == 0:
        raise DataError(f"{path.name} has one row a series: the interval's length is unknown")
    least: timedelta = distances.min().to_pytimedelta()
    return least


def _in_utc(counts: pd.DataFrame, step: timedelta) -> tuple[pd.DataFrame, tuple[str, ...]]:
    if step >= timedelta(days=1):  # a day is a date, not an interval of a clock
        return counts[["unique_id", "ds", "y"]], ("daily counts: a date stands at 00:00 UTC",)
    notes: tuple[str, ...] = ()
    skipped, repeated = counts["skipped"], counts["repeated"]
    if skipped.any():
        notes += (
            f"{int(skipped.sum())} rows ({counts.loc[skipped, 'y'].sum():g} calls) stand in an "
            "hour that the clock skipped; added to the hour after it",
        )
    alone = repeated & ~counts["both"]
    if alone.any():
        notes += (
            f"{int(alone.sum())} rows stand in an hour that the clock showed twice; they are the "
            "first of the two, the second is a gap",
        )
    if counts["both"].any():
        notes += (
            f"{int(counts['both'].sum())} rows stand in an hour that the clock showed twice, each "
            "time twice: the first and the second hour",
        )
    moved = counts.assign(ds=counts["utc"])
    volumes = moved.groupby(["unique_id", "ds"], sort=True, as_index=False)["y"].sum()
    return volumes, notes


def _opening_hours(counts: pd.DataFrame, step: timedelta) -> dict[str, str]:
    """Each weekday's hours if all are regular and some hours have no rows; else nothing. The first
    and the last day of a file may be parts of days, so they say nothing."""
    if step >= timedelta(days=1):
        return {}
    day = counts["ds"].dt.normalize()
    days = counts.groupby(day)["ds"].agg(["min", "max"]).iloc[1:-1]
    if day.max() - day.min() <= ENOUGH:
        return {}
    opens, closes = days["min"] - days.index, days["max"] - days.index + step
    hours: dict[str, str] = {}
    for number, name in enumerate(DAYS):
        of_day = days.index.day_of_week == number
        if not of_day.any():
            continue
        spans = pd.Series(list(zip(opens[of_day], closes[of_day], strict=True))).value_counts()
        begin, end = spans.index[0]
        if spans.iloc[0] < REGULAR_SHARE * spans.sum():
            return {}
        hours[name] = f"{_hhmm(begin)}-{_hhmm(end)}"
    always = len(hours) == len(DAYS) and set(hours.values()) == {"00:00-24:00"}
    return {} if always else hours


def _hhmm(since_midnight: timedelta) -> str:
    minutes = int(since_midnight.total_seconds() // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _closing(hours: Mapping[str, str], at: datetime) -> timedelta:
    span = hours.get(DAYS[at.weekday()], "00:00-24:00")
    hour, minute = span.split("-")[1].split(":")
    return timedelta(hours=int(hour), minutes=int(minute))


def _missing_days(counts: pd.DataFrame, hours: Mapping[str, str]) -> tuple[str, ...]:
    days = counts["ds"].dt.normalize()
    calendar = pd.date_range(days.min(), days.max(), freq="D")
    gone = [d for d in calendar.difference(days.unique()) if DAYS[d.day_of_week] in hours]
    if not gone:
        return ()
    named = ", ".join(f"{d:%Y-%m-%d}" for d in gone[:8]) + (", ..." if len(gone) > 8 else "")
    return (f"{len(gone)} open days have no rows: {named}; gaps, closed or not recorded",)
