"""What the columns of an export hold, by a look at its first rows: times and how they are written,
numbers and their separators, ids.

>>> sample = Sample({"When": ["13/01/2026", "02/01/2026"], "Cost": ["1.234,50", "3,0"], "Nr": ["1", "2"]})
>>> sample.is_time("When"), sample.is_time("Nr"), sample.is_key("Nr")
(True, False, True)
>>> sample.reading(["When"], ["Cost"])
{'dates': 'day_first', 'numbers': '1.234,5'}
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from data.settings_import import Import
from data.times import AMBIGUOUS, HAS_ZONE, read_times
from data.words import numbers

LOOKED_AT = 2_000
"""Rows at the top of a file that are looked at."""
MOST = 0.6
"""The share of a column's values that must be of a kind."""
FEW = 20
"""Values that tell nothing about whether a column holds names of kinds."""
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?(\s*[-–].*)?")
ORDERS = ("day_first", "month_first")
NUMBERS = ("", "1,234.5", "1.234,5", "1 234,5")
NOTHING = ("", "null", "none", "nan", "n/a", "-")


@dataclass(frozen=True)
class Sample:
    """The first values of each column as texts, null or not."""

    values: Mapping[str, Sequence[str | None]]
    times: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)
    """Which columns hold times, of those that were looked at."""

    def known(self, column: str) -> pd.Series:
        """The values that are none of null, blank, ``NULL``, ``-``."""
        texts = [v.strip() for v in self.values[column] if v is not None]
        return pd.Series([v for v in texts if v.lower() not in NOTHING], dtype="str")

    def is_time(self, column: str) -> bool:
        """Whether most values are times in some way of writing them."""
        if column not in self.times:
            known = self.known(column)
            self.times[column] = bool(len(known)) and any(
                float(read_times(known, reading).notna().mean()) >= MOST
                for reading in (Import(), *_readings(known))
            )
        return self.times[column]

    def is_number(self, column: str) -> bool:
        """Whether most values are numbers in some way of writing them."""
        known = self.known(column)
        return bool(len(known)) and any(
            float(numbers(known, written).notna().mean()) >= MOST for written in NUMBERS
        )

    def is_clock(self, column: str) -> bool:
        """Whether the values are times of day, alone or as 08:00-08:30."""
        known = self.known(column)
        return bool(len(known)) and float(known.map(CLOCK.fullmatch).notna().mean()) >= MOST

    def has_clock(self, column: str) -> bool:
        """Whether its times say more than the day."""
        known = self.known(column)
        return bool(known.str.contains(":").any() or known.str.fullmatch(r"\d{10,19}").any())

    def is_key(self, column: str) -> bool:
        """Whether every row has a value of its own."""
        known = self.known(column)
        return len(known) == len(self.values[column]) > 1 and known.is_unique

    def is_word(self, column: str) -> bool:
        """Whether the same values come again and again, as names of kinds do."""
        known = self.known(column)
        return len(known) < FEW or known.nunique() * 2 <= len(known)

    def is_local(self, columns: Sequence[str]) -> bool:
        """Whether times of the columns carry no offset."""
        texts = [self.known(column) for column in columns if self.has_clock(column)]
        return any(not text.str.contains(HAS_ZONE, regex=True).all() for text in texts)

    def reading(self, times: Sequence[str], amounts: Sequence[str]) -> dict[str, object]:
        """What ``[import]`` must say for the values to be read: ``dates``, ``time_formats``,
        ``numbers``. Of dates that could be either way round: ``dates`` is ``"?"``."""
        out: dict[str, object] = {}
        known = pd.concat([self.known(column) for column in times]) if times else pd.Series([])
        known = known.reset_index(drop=True)
        unread = known[read_times(known).isna()] if len(known) else known
        unread = unread[unread.astype("str").str.fullmatch(AMBIGUOUS)]
        if len(unread):
            scored = [
                (int(read_times(unread, one).notna().sum()), one) for one in _readings(unread)
            ]
            best = max((count for count, _ in scored), default=0)
            chosen = [one for count, one in scored if count == best]
            if best and chosen:
                if chosen[0].time_formats:
                    out["time_formats"] = list(chosen[0].time_formats)
                out["dates"] = chosen[0].dates if len(chosen) == 1 else "?"
        for column in amounts:
            texts = self.known(column)
            fitting = [w for w in NUMBERS if bool(numbers(texts, w).notna().all())]
            if fitting and fitting[0]:
                out["numbers"] = fitting[0]
                break
        return out


def _readings(values: pd.Series) -> Iterator[Import]:
    """The ways of writing dates that could be meant, by years of four digits, and of two."""
    if values.str.contains(r"^\d{1,2}[./-]\d{1,2}[./-]\d{4}", regex=True).any():
        for order in ORDERS:
            yield Import(dates=order)  # type: ignore[arg-type]
    for text in values[values.str.fullmatch(AMBIGUOUS)].head(1):
        mark = re.search("[./-]", text)
        short = re.match(r"\d{1,2}[./-]\d{1,2}[./-]\d{2}(?!\d)(.*)", text)
        if not mark or not short:
            continue
        tail = short[1]
        clock = re.sub(r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S", tail)
        clock = re.sub(r"\d{1,2}:\d{2}", "%H:%M", clock)
        if re.search("[AaPp][Mm]$", clock):
            clock = re.sub("[AaPp][Mm]$", "%p", clock.replace("%H", "%I"))
        for order, layout in zip(ORDERS, ("%d{0}%m{0}%y", "%m{0}%d{0}%y"), strict=True):
            formats = (layout.format(mark[0]) + clock,)
            yield replace(Import(dates=order), time_formats=formats)  # type: ignore[arg-type]
