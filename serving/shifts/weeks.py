"""The best week of shifts that rules allow, when every slot of work has a price.

A dynamic programme over days, exact: state are the days worked, the hours paid and today's shift
(for the rest before tomorrow's). It answers for every number of hours at once, so that agents who
differ in what they cost or how long they work share one search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import gcd

import numpy as np

from data.arrays import Bools, Floats, Ints
from serving.shifts.patterns import DayShifts


@dataclass(frozen=True)
class Shift:
    """One shift of a week: slots, the break's first slot and length (0: none), paid minutes."""

    day: int
    start: int
    end: int
    rest_at: int
    rest: int
    paid: int
    wished: float

    def works(self, slots: int) -> Bools:
        """The slots in which the agent answers."""
        there = np.zeros(slots, bool)
        there[self.start : self.end] = True
        there[self.rest_at : self.rest_at + self.rest] = False
        return there


Week = tuple[Shift, ...]


@dataclass(frozen=True)
class WeekRules:
    """What a week may be made of: each day's shifts, days of work at most, slots of rest."""

    days: tuple[DayShifts, ...]
    max_days: int
    rest_slots: int

    @cached_property
    def unit(self) -> int:
        """Minutes that all paid times are multiples of."""
        return gcd(*(int(one) for day in self.days for one in np.unique(day.paid))) or 1

    @property
    def workable_days(self) -> int:
        """Days on which any shift is allowed."""
        return sum(len(day) > 0 for day in self.days)


class WeekSearch:
    """The best weeks at given prices. ``best[h]``: the worth of the best week of ``h`` units of
    paid time, its wishes' cost taken off and its wage not; -inf where no week has so many.
    """

    def __init__(self, rules: WeekRules, prices: Floats, wish_cost: float, max_units: int) -> None:
        """``prices``: worth of a person in each slot. ``wish_cost``: of a minute against wishes."""
        self.rules = rules
        self.units = [day.paid // rules.unit for day in rules.days]
        worth = np.concatenate([[0.0], np.cumsum(prices)])
        self.rest_at = [_best_break(day, worth) for day in rules.days]
        self._off: list[Floats] = []  # the day off; days worked x units
        self._on: list[Floats] = []  # shifts x days worked x units
        self._before = self._predecessors()
        counts, hours = min(rules.max_days, len(rules.days)) + 1, max_units + 1
        off = np.full((counts, hours), -np.inf)
        off[0, 0] = 0.0
        for d, day in enumerate(rules.days):
            values = worth[day.end] - worth[day.start] - wish_cost * day.wished
            values = values - (worth[self.rest_at[d] + day.rest] - worth[self.rest_at[d]])
            # what can stand before the day's shifts: the day before off, or shifts that end in time
            begun = (self._off[-1] if d else off)[None]
            if d and len(self._on[-1]):
                ended = np.maximum.accumulate(self._on[-1], axis=0)
                begun = np.concatenate([begun, np.maximum(ended, begun)])
            on = np.full((len(day), counts, hours), -np.inf)
            for unit in np.unique(self.units[d]):
                these = np.flatnonzero(self.units[d] == unit)
                if unit < hours:
                    earlier = begun[self._before[d][these], :-1, : hours - unit]
                    on[these, 1:, unit:] = earlier + values[these, None, None]
            self._off.append(off)
            self._on.append(on)
            off = np.maximum(off, _most(on))
        self._all = off
        self.best: Floats = off.max(axis=0)

    def _predecessors(self) -> list[Ints]:
        """For each day's shifts, how many of the day before (by end) leave enough rest."""
        days, rest = self.rules.days, self.rules.rest_slots
        places = [np.zeros(len(day), np.int64) for day in days[:1]]
        for before, day in pairwise(days):
            places.append(np.searchsorted(before.end + rest, day.start, side="right"))
        return places

    def week(self, units: int) -> Week:
        """The best week of exactly so many units of paid time."""
        n, h = int(self._all[:, units].argmax()), units
        shifts: list[Shift] = []
        most = None  # shifts of this day that leave rest enough before the one chosen after it
        for d in reversed(range(len(self.rules.days))):
            on = self._on[d][:most, n, h]
            chosen = int(on.argmax()) if len(on) else -1
            if chosen < 0 or self._off[d][n, h] >= on[chosen]:
                most = None
                continue
            day = self.rules.days[d]
            shifts.append(
                Shift(
                    d,
                    int(day.start[chosen]),
                    int(day.end[chosen]),
                    int(self.rest_at[d][chosen]),
                    int(day.rest[chosen]),
                    int(day.paid[chosen]),
                    float(day.wished[chosen]),
                )
            )
            n, h = n - 1, h - int(self.units[d][chosen])
            most = int(self._before[d][chosen])
        return tuple(reversed(shifts))


def _most(on: Floats) -> Floats:
    return np.asarray(on.max(axis=0, initial=-np.inf))


def _best_break(day: DayShifts, worth: Floats) -> Ints:
    """The first slot of each shift's cheapest break; its start where it has none."""
    starts = day.start.copy()
    for rest, width in sorted(
        set(zip(day.rest.tolist(), (day.high - day.low).tolist(), strict=True))
    ):
        if not rest:
            continue
        these = (day.rest == rest) & (day.high - day.low == width)
        cost = worth[rest:] - worth[:-rest]
        at = day.low[these, None] + np.arange(width + 1)
        starts[these] = day.low[these] + cost[at].argmin(axis=1)
    return starts


def worked(week: Sequence[Shift], slots: int) -> Bools:
    """The slots in which whoever works this week answers."""
    there = np.zeros(slots, bool)
    for shift in week:
        there |= shift.works(slots)
    return there
