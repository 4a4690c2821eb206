"""Holidays and their neighbours: a shrunk multiplicative effect, used only where it has helped.

Ordinary days are forecast by members that never see special days. The effect of a kind of day
(the holiday, the day before, the day after, the bridge) is the mean log ratio of actual to
expected on such days of the past, shrunk to that of all series together, and that to none:

    effect_i = (sum of log((y + 1) / (expected + 1)) + SHRINK * effect_of_all) / (n + SHRINK)

A holiday seen before under its own name, and the days around it, are shrunk towards their kind in
the same way. A day around a holiday on which a busy series had no contact at all was a closure and
says nothing about the next one; of the others a log ratio counts as at most ``EDGE``. A series uses
a kind's effect only if, leaving each day out in turn (for all series), it would have lowered the
absolute error on the past's days of that kind. The first holiday of all is believed as it was.
How far such days were off (relative to what is usual) is kept as ``doubt``: intervals widen by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints, Times
from features.calendar import FAR_FROM_HOLIDAY, day_frame, holiday_names

KINDS = ("ordinary", "holiday", "before", "after", "bridge")
HOLIDAY = KINDS.index("holiday")
SHRINK = 1.0
SHRINK_ALL = 0.5
LEAST_EFFECT = 0.05
EDGE = 1.0
USUAL_DOUBT, DOUBT_DAYS, LARGEST_DOUBT = 0.3, 4.0, 1.0
"""A special day's relative error before any was seen, what that is worth in days, and its most."""
BUSY = 12.0
"""A day around a holiday without a contact, where this many were expected, was a closure."""


def kinds_of(days: Times, countries: tuple[str, ...]) -> tuple[Ints, list[str]]:
    """The kind (a position in ``KINDS``) of each day, and its holiday's name or ``""``.

    >>> days = np.array(["2024-12-24", "2024-12-25", "2024-12-26"], dtype="datetime64[D]")
    >>> kinds_of(days, ("US",))
    (array([2, 1, 3]), ['Christmas Day', 'Christmas Day', 'Christmas Day'])
    """
    frame = day_frame(days, countries)
    kind = np.zeros(len(days), dtype="int64")
    offset = frame["days_from_holiday"].to_numpy()
    weekday = frame["weekday"].to_numpy()
    kind[(offset == 1) & (weekday < 5)] = KINDS.index("after")
    kind[(offset == -1) & (weekday < 5)] = KINDS.index("before")
    kind[frame["is_bridge"].to_numpy()] = KINDS.index("bridge")
    kind[frame["is_holiday"].to_numpy()] = HOLIDAY
    kind[offset == FAR_FROM_HOLIDAY] = 0
    if not (kind > 0).any():
        return kind, [""] * len(days)
    named = holiday_names(countries, days.min() - 1, days.max() + 1)
    names = [
        named.get(day) or named.get(day - 1) or named.get(day + 1) or "" if code else ""
        for day, code in zip(days, kind, strict=True)
    ]
    return kind, names


@dataclass(frozen=True)
class SpecialDays:
    """Log effects: ``by_kind`` (series x kinds), of a kind and name seen before, and whether each
    series uses each kind's (series x kinds); ``doubt`` (series), their relative error left out.
    """

    by_kind: Floats
    by_name: dict[tuple[int, str], Floats]
    used: Bools
    doubt: Floats

    def multiplier(self, days: Times, countries: tuple[str, ...]) -> Floats:
        """What an ordinary forecast is multiplied with (series x days)."""
        kind, names = kinds_of(days, countries)
        log = self.by_kind[:, kind]
        for column, name in enumerate(names):
            own = self.by_name.get((int(kind[column]), name))
            if own is not None:
                log[:, column] = own
        return np.where(self.used[:, kind], np.exp(log), 1.0)


def learn(
    y: Floats, expected: Floats, days: Times, countries: tuple[str, ...], first: int
) -> SpecialDays:
    """Effects from all series' special days from column ``first`` on."""
    n = len(y)
    kind, names = kinds_of(days, countries)
    by_kind = np.zeros((n, len(KINDS)))
    by_name: dict[tuple[int, str], Floats] = {}
    used = np.zeros((n, len(KINDS)), dtype=bool)
    square, tried = np.full(n, DOUBT_DAYS * USUAL_DOUBT**2), np.full(n, DOUBT_DAYS)
    for code in range(1, len(KINDS)):
        columns = np.flatnonzero(kind == code)
        columns = columns[columns >= first]
        if len(columns) == 0:
            continue
        count, usual = y[:, columns], expected[:, columns]
        log = np.log((count + 1.0) / (usual + 1.0))
        if code != HOLIDAY:
            log = np.clip(np.where((count == 0) & (usual > BUSY), np.nan, log), -EDGE, EDGE)
        has_count: Bools = ~np.isnan(log)
        value = np.where(has_count, log, 0.0)
        by_kind[:, code] = _shrunk(
            value.sum(axis=1), has_count.sum(axis=1), _of_all(value, has_count)
        )
        without, with_it = _left_out(count, usual, value, has_count)
        used[:, code] = (without - with_it).sum(axis=1) > 0
        relative = np.where(used[:, [code]], with_it, without) / np.maximum(usual, 1.0)
        square += (np.minimum(relative, LARGEST_DOUBT) ** 2).sum(axis=1)
        tried += has_count.sum(axis=1)
        if code == HOLIDAY:
            used[:, code] |= has_count.sum(axis=1) == 1
        for name in {names[column] for column in columns}:
            mine = np.array([names[column] == name for column in columns])
            own = value[:, mine].sum(axis=1)
            by_name[code, name] = _shrunk(own, has_count[:, mine].sum(axis=1), by_kind[:, code])
    by_kind = np.where(np.abs(by_kind) < LEAST_EFFECT, 0.0, by_kind)
    return SpecialDays(by_kind, by_name, used, np.sqrt(square / tried))


def _shrunk(total: Floats, count: Ints, towards: Floats | float) -> Floats:
    return np.asarray((total + SHRINK * towards) / (count + SHRINK))


def _of_all(value: Floats, has_count: Bools) -> float:
    """The effect on all series together, shrunk to none by the number of days."""
    count, days = int(has_count.sum()), int(has_count.any(axis=0).sum())
    return float(value.sum() / max(count, 1) * days / (days + SHRINK_ALL))


def _left_out(
    count: Floats, usual: Floats, value: Floats, has_count: Bools
) -> tuple[Floats, Floats]:
    """Absolute errors (series x days) without an effect, and with one learned without the day."""
    without = np.where(has_count, np.abs(count - usual), 0.0)
    with_it = np.zeros_like(without)
    for day in range(value.shape[1]):
        others = np.arange(value.shape[1]) != day
        everyone = _of_all(value[:, others], has_count[:, others])
        effect = _shrunk(value[:, others].sum(axis=1), has_count[:, others].sum(axis=1), everyone)
        with_it[:, day] = np.abs(count[:, day] - usual[:, day] * np.exp(effect))
    return without, np.where(has_count, with_it, 0.0)
