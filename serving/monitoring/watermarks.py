"""How far each source has arrived, and which of them stopped: "orders until 23:58, usage until
yesterday 14:10".

A source stopped when it is silent for twice its longest gap of the eight weeks before, and thirty
hours at least: nights and Sundays are no stop where there were such before.

>>> at = pd.Series(pd.date_range("2026-01-01", "2026-02-01", freq="3h"))
>>> mark = watermark("orders", at, datetime(2026, 2, 5))
>>> mark.stopped, mark.until
(True, datetime.datetime(2026, 2, 1, 0, 0))
>>> in_words([mark], datetime(2026, 2, 2))
'orders until yesterday 00:00 (stopped)'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from data.contract import TABLES
from data.tables import Tables, birth_times
from features.asof import as_of_view

WATCHED = ("orders", "usage", "tickets", "bot_sessions", "feedback", "article_events", "volumes")
WEEKS = 8
LEAST_SILENT = timedelta(hours=30)
FEWEST = 20
"""Rows of the last weeks below which nothing is said of gaps."""
LEAST_MISSED = 12.0
"""So many are missing where a later time ceased to be filled: by chance once in 160,000."""


@dataclass(frozen=True)
class Watermark:
    """The newest row of a source by a moment. ``longest``: its longest gap of the weeks before,
    None where it has too few rows to tell; times are naive UTC."""

    source: str
    until: datetime
    silent: timedelta
    longest: timedelta | None

    @property
    def limit(self) -> timedelta | None:
        """The silence after which it is called stopped; None: never."""
        return None if self.longest is None else max(2 * self.longest, LEAST_SILENT)

    @property
    def stopped(self) -> bool:
        """Whether it is silent for longer than it ever was."""
        return self.limit is not None and self.silent > self.limit

    def about(self) -> dict[str, Any]:
        """As JSON values, for what is published."""
        return {"source": self.source, "until": self.until.isoformat(), "stopped": self.stopped}


def watermark(source: str, births: pd.Series, as_of: datetime) -> Watermark | None:
    """Of the births of a source's rows, those before ``as_of``; None where there are none."""
    known = births[births < pd.Timestamp(as_of)]
    if known.empty:
        return None
    until = known.max().to_pydatetime()
    recent = known[known >= pd.Timestamp(as_of) - timedelta(weeks=WEEKS)].sort_values()
    longest = recent.diff().max() if len(recent) >= FEWEST else pd.NaT
    gap = None if pd.isna(longest) else longest.to_pytimedelta()
    return Watermark(source, until, as_of - until, gap)


def watermarks(tables: Tables, as_of: datetime) -> list[Watermark]:
    """Of every watched table that has rows by ``as_of``, in the contract's order."""
    marks = []
    for name in WATCHED:
        if not tables.has(name):
            continue
        contract = TABLES[name]
        columns = list(dict.fromkeys(filter(None, (contract.birth, *contract.key))))
        frame = as_of_view(tables, name, as_of, columns)
        births = frame[contract.birth] if contract.birth else birth_times(name, frame)
        mark = watermark(name, pd.Series(births), as_of)
        if mark is not None:
            marks.append(mark)
    return marks


def facts_of(name: str) -> list[str]:
    """The columns of a table that say when something later happened.

    >>> facts_of("orders")
    ['shipped_at', 'delivered_at', 'cancelled_at', 'returned_at', 'refunded_at']
    """
    columns = TABLES[name].columns
    return [c.name for c in columns if c.known_at == c.name and not c.otherwise]


def stopped_fact(name: str, times: pd.Series, as_of: datetime) -> Watermark | None:
    """How far a later time reaches that surely ceased to be filled; None where it goes on.

    What happens to rows comes less evenly than they do: ``LEAST_MISSED`` must be missing.
    """
    mark = watermark(name, times.dropna(), as_of)
    if mark is None or not mark.stopped:
        return None
    recent = int((times >= mark.until - timedelta(weeks=WEEKS)).sum())
    return mark if recent * (mark.silent / timedelta(weeks=WEEKS)) >= LEAST_MISSED else None


def stopped_facts(tables: Tables, as_of: datetime, marks: Iterable[Watermark]) -> list[Watermark]:
    """The later times (``orders.delivered_at``) that ceased to be filled while their table's rows
    go on to come by ``marks``: of what reads them everything seems unfinished."""
    stopped = []
    for name in (mark.source for mark in marks if not mark.stopped):
        facts = facts_of(name)
        frame = as_of_view(tables, name, as_of, facts) if facts else {}
        of_facts = (stopped_fact(f"{name}.{fact}", frame[fact], as_of) for fact in facts)
        stopped += [mark for mark in of_facts if mark is not None]
    return stopped


def in_words(marks: Iterable[Watermark], as_of: datetime, time_zone: str = "UTC") -> str:
    """One line, in local time: the hour where a source reaches into the day before ``as_of``."""
    zone = ZoneInfo(time_zone)

    def local(moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone(zone)

    today = local(as_of).date()
    parts = []
    for mark in marks:
        there = local(mark.until)
        # a night's moment is midnight: what came the evening before reaches up to it
        if as_of - mark.until < timedelta(hours=24) or there.date() == today:
            when = f"{there:%H:%M}"
        elif there.date() == today - timedelta(days=1):
            when = f"yesterday {there:%H:%M}"
        else:
            when = f"{there:%Y-%m-%d}"
        parts.append(f"{mark.source} until {when}" + (" (stopped)" if mark.stopped else ""))
    return ", ".join(parts) or "no source has rows"
