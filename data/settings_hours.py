"""Opening hours by day, and sites: places with a clock and hours of their own.

>>> opening_intervals("08:00-12:00, 13:00-24:00")
((480, 720), (780, 1440))
>>> Site(time_zone="Asia/Manila", opening_hours={"phone": {"mon": "22:00-06:00"}})
Traceback (most recent call last):
...
data.errors.SettingsError: opening_hours.phone mon: opening hours '22:00-06:00' end before they \
begin; hours past midnight belong to the next day: "22:00-24:00" on this day and "00:00-06:00" on \
the next
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from data.errors import SettingsError, did_you_mean
from data.setting_checks import minute_of_day, setting
from data.settings_company import check_country, check_time_zone

HOLIDAYS = "holidays"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Site:
    """A place of work with its own clock. A channel is open while any of its sites is, or while
    ``[opening_hours]`` says so."""

    time_zone: str = setting("", "IANA name; empty: [company] time_zone")
    country: tuple[str, ...] = setting((), "whose holidays count there; empty: [company] country")
    opening_hours: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={"comment": "per channel, by the site's clock, as in [opening_hours]"},
    )

    def __post_init__(self) -> None:
        if self.time_zone:
            check_time_zone(self.time_zone)
        check_country(self.country)
        for channel, days in self.opening_hours.items():
            check_hours(days, f"opening_hours.{channel}")


def check_hours(days: Mapping[str, str], where: str) -> None:
    """SettingsError, beginning with ``where``, for a day that is none or hours that are none."""
    for day, text in days.items():
        try:
            check_day(day)
            opening_intervals(text)
        except SettingsError as error:
            raise SettingsError(f"{where} {day}: {error}") from None


def check_day(day: str) -> None:
    """SettingsError unless ``day`` is a weekday, ``holidays``, or a date (2026-12-24).

    >>> check_day("2026-12-24")
    """
    try:
        if day in DAYS or day == HOLIDAYS or str(date.fromisoformat(day)) == day:
            return
    except ValueError:
        pass
    known = (*DAYS, HOLIDAYS)
    raise SettingsError(
        f"{day!r} is no day; they are {', '.join(known)}, or a date such as 2026-12-24."
        f"{did_you_mean(day, known)}"
    )


def opening_intervals(text: str) -> tuple[tuple[int, int], ...]:
    """``"08:00-12:00, 13:00-18:00"`` → minutes of the local day; empty or "closed": none.

    SettingsError for hours that end before they begin, or that overlap.
    """
    if text.strip().lower() in ("", "closed"):
        return ()
    intervals: list[tuple[int, int]] = []
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) != 2:
            raise SettingsError(f'{part.strip()!r} is no span of hours such as "08:00-18:00"')
        begin, end = (minute_of_day(piece) for piece in ends)
        if end <= begin:
            raise SettingsError(
                f"opening hours {part.strip()!r} end before they begin; hours past midnight "
                f'belong to the next day: "{ends[0].strip()}-24:00" on this day and '
                f'"00:00-{ends[1].strip()}" on the next'
            )
        if intervals and begin < intervals[-1][1]:
            raise SettingsError(f"opening hours {text!r} overlap; give them in order")
        intervals.append((begin, end))
    return tuple(intervals)
