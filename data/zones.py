"""The zone that stands after a time, by name: as an expression of the engine, and of one text.

A name of the IANA list (``Europe/London``, also in brackets) means that clock. Of a time that the
clock shows twice the first is meant; a time that it skipped never was, and is none.
``GMT+1`` and ``UTC+01:00`` are ahead of UTC, as people write them. ``Etc/GMT+1`` is a name of the
list, where the sign is the other way round: behind UTC.

>>> moment_at(datetime(2026, 10, 25, 1, 30), "Europe/London")
datetime.datetime(2026, 10, 25, 0, 30)
>>> moment_at(datetime(2026, 3, 1, 12), "GMT+1")
datetime.datetime(2026, 3, 1, 11, 0)
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from data.engines import literal

OFFSET = r"[+-](0\d|1[0-5])(:?[0-5]\d)?"
AHEAD = r"(?:GMT|UTC|UT) ?[+-]\d{1,2}(?::?[0-5]\d)?"
"""An offset as people write it, from a meridian that is always 0."""
NAME = r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}"
NAMED = rf"(.*:\d{{2}}.*[^A-Za-z]|\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}.*)({NAME})[\])]?"
"""A time with a name of the list's form, which may be none."""


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """The IANA names that say a place, by their small letters."""
    return {one.lower(): one for one in zoneinfo.available_timezones() if "/" in one}


@lru_cache(maxsize=1)
def _known() -> str:
    """The same in small letters, as a list of literals; those that the engine knows too."""
    import duckdb

    with duckdb.connect(":memory:") as con:
        there = {
            name.lower()
            for (name,) in con.sql("FROM pg_timezone_names()").project("name").fetchall()
        }
    return ", ".join(map(literal, sorted(set(names()) & there)))


def away_sql(zone: str) -> str:
    """``GMT+1``, ``UTC +01:00`` as an offset of two digits an hour; others as they are."""
    padded = (
        f"regexp_replace({zone}, '(?i)^(?:gmt|utc?) ?([+-])(\\d)((?::?[0-5]\\d)?)$', '\\10\\2\\3')"
    )
    return f"regexp_replace({padded}, '(?i)^(?:gmt|utc?) ?([+-])', '\\1')"


def instant_sql(local: str, zone: str) -> str:
    """A naive local TIMESTAMP by the clock of a zone's name, as naive UTC; null where the list has
    no such name, or the clock never showed that time."""
    last = "timezone(n, l)"  # of two, the engine takes the second
    before = "timezone(n, i - INTERVAL 3 HOUR) - timezone('UTC', i - INTERVAL 3 HOUR)"
    first = f"timezone('UTC', l - ({before}))"
    when = (
        f"CASE WHEN timezone(n, i) <> l THEN NULL "
        f"WHEN timezone(n, {first}) = l AND {first} < i THEN l - ({before}) "
        "ELSE timezone('UTC', i) END"
    )
    whole = f"list_transform([{last}], lambda i: {when})[1]"
    whole = f"list_transform([{zone}], lambda n: {whole})[1]"
    whole = f"list_transform([{local}], lambda l: {whole})[1]"
    return f"CASE WHEN list_contains([{_known()}], lower({zone})) THEN {whole} END"


def repeated_sql(utc: str, text: str) -> str:
    """Whether a text names a zone whose clock showed its time again (``utc``: the first)."""
    zone = f"regexp_extract({text}, {literal(f'({NAME})[^A-Za-z0-9]*$')}, 1)"
    again = " OR ".join(
        f"timezone(n, timezone('UTC', {utc} + INTERVAL {minutes} MINUTE)) = "
        f"timezone(n, timezone('UTC', {utc}))"
        for minutes in (30, 60, 120)
    )
    known = f"CASE WHEN list_contains([{_known()}], lower(n)) THEN {again} ELSE false END"
    return f"list_transform([{zone}], lambda n: {known})[1]"


def moment_at(local: datetime, zone: str) -> datetime | None:
    """A naive local time in naive UTC; None where the zone is none, or its clock skipped it."""
    ahead = re.fullmatch(r"(?:GMT|UTC|UT)(?: ?([+-])(\d{1,2})(?::?([0-5]\d))?)?", zone, re.I)
    if ahead:
        away = timedelta(hours=int(ahead[2] or 0), minutes=int(ahead[3] or 0))
        if away >= timedelta(hours=16):
            return None
        return local + away if ahead[1] == "-" else local - away
    if zone.lower() not in names():
        return None
    place = zoneinfo.ZoneInfo(names()[zone.lower()])
    utc = local.replace(tzinfo=place).astimezone(UTC)
    shown = utc.astimezone(place).replace(tzinfo=None)
    return utc.replace(tzinfo=None) if shown == local.replace(fold=0) else None
