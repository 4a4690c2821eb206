"""Holidays and their neighbours: a shrunk multiplicative effect, used only where it has helped.

Ordinary days are forecast by members that never see special days. The effect of a kind of day
(the holiday, the day before, the day after, the bridge) is the mean log ratio of actual to
expected on such days of the past, shrunk to that of all series together, and that to none:

    effect_i = (sum of log((y + 1) / (expected + 1)) + SHRINK * effect_of_all) / (n + SHRINK)

A holiday seen before under its own name is shrunk towards its kind in the same way. Each series'
effect is switched on only if, leaving each day out in turn, it would have lowered the absolute
error on the past's special days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.calendar import FAR_FROM_HOLIDAY, day_frame
from models.volume.grid import Ints, Times
from models.volume.panel import Bools, Floats

KINDS = ("ordinary", "holiday", "before", "after", "bridge")
SHRINK = 1.0
SHRINK_ALL = 0.5
LEAST_EFFECT = 0.05


def kinds_of(days: Times, countries: tuple[str, ...]) -> tuple[Ints, list[str]]:
    """The kind (a position in ``KINDS``) of each day, and the holiday's name or ``""``."""
    frame = day_frame(days, countries)
    kind = np.zeros(len(days), dtype="int64")
    offset = frame["days_from_holiday"].to_numpy()
    weekday = frame["weekday"].to_numpy()
    kind[(offset == 1) & (weekday < 5)] = KINDS.index("after")
    kind[(offset == -1) & (weekday < 5)] = KINDS.index("before")
    kind[frame["is_bridge"].to_numpy()] = KINDS.index("bridge")
    kind[frame["is_holiday"].to_numpy()] = KINDS.index("holiday")
    kind[offset == FAR_FROM_HOLIDAY] = 0
    return kind, frame["holiday"].tolist()


@dataclass(frozen=True)
class SpecialDays:
    """Log effects: ``by_kind`` (series x kinds), of names seen before, and who uses them."""

    by_kind: Floats
    by_name: dict[str, Floats]
    used: Bools

    def multiplier(self, days: Times, countries: tuple[str, ...]) -> Floats:
        """What an ordinary forecast is multiplied with (series x days)."""
        kind, names = kinds_of(days, countries)
        log = self.by_kind[:, kind]
        for column, name in enumerate(names):
            if kind[column] == 1 and name in self.by_name:
                log[:, column] = self.by_name[name]
        return np.where(self.used[:, None], np.exp(log), 1.0)


def learn(
    y: Floats, expected: Floats, days: Times, countries: tuple[str, ...], first: int
) -> SpecialDays:
    """Effects from all series' special days from column ``first`` on."""
    n = len(y)
    kind, names = kinds_of(days, countries)
    by_kind = np.zeros((n, len(KINDS)))
    by_name: dict[str, Floats] = {}
    off = np.zeros(n, dtype=bool)
    if not (kind[first:] > 0).any():
        return SpecialDays(by_kind, by_name, off)
    log = np.log((y + 1.0) / (expected + 1.0))
    gain = np.zeros(n)
    for code in range(1, len(KINDS)):
        columns = np.flatnonzero(kind == code)
        columns = columns[columns >= first]
        if len(columns) == 0:
            continue
        values = log[:, columns]
        seen = ~np.isnan(values)
        count, total = seen.sum(axis=1), np.where(seen, values, 0.0).sum(axis=1)
        days_seen = seen.any(axis=0).sum()
        everyone = total.sum() / (count.sum() * (1 + SHRINK_ALL / max(days_seen, 1)) + 1e-9)
        by_kind[:, code] = (total + SHRINK * everyone) / (count + SHRINK)
        others = (total[:, None] - np.where(seen, values, 0.0) + SHRINK * everyone) / (
            np.maximum(count[:, None] - 1, 0) + SHRINK
        )
        without = np.abs(y[:, columns] - expected[:, columns])
        with_it = np.abs(y[:, columns] - expected[:, columns] * np.exp(others))
        gain += np.where(seen, without - with_it, 0.0).sum(axis=1)
        if code == 1:
            for name in {names[column] for column in columns}:
                mine = np.array([names[column] == name for column in columns])
                here = seen[:, mine]
                sums = np.where(here, values[:, mine], 0.0).sum(axis=1)
                by_name[name] = (sums + SHRINK * by_kind[:, 1]) / (here.sum(axis=1) + SHRINK)
    by_kind = np.where(np.abs(by_kind) < LEAST_EFFECT, 0.0, by_kind)
    return SpecialDays(by_kind, by_name, gain > 0)
