"""The shifts that a set of rules allows on each day: start, end, paid time, where the break may be.

Starts are local times of the agent's zone, lengths are time that passes: eight hours from 22:00 end
at 07:00 in the night when the clock goes forward, and are eight paid hours all the same. A start
that a clock change skips moves to the first time that exists; of one that occurs twice the first is
meant. A day is the local date on which a shift starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from data.arrays import Bools, Floats, Ints, Times
from data.settings import Contract
from features.calendar import utc_times
from serving.shifts.need import MINUTE, Need


@dataclass(frozen=True)
class DayShifts:
    """Shifts that may begin on one day, by their ends: slots, paid minutes, minutes against wishes,
    and the slots at which a break of ``rest`` slots may begin (``low`` to ``high``, rest 0: none).
    """

    start: Ints
    end: Ints
    paid: Ints
    wished: Floats
    rest: Ints
    low: Ints
    high: Ints

    def __len__(self) -> int:
        return len(self.start)


def starts_of(contract: Contract, days: Times, zone: str) -> Times:
    """The allowed starts on local dates (days x starts, naive UTC)."""
    minutes = np.array(contract.start_minutes(), "timedelta64[m]")
    wall = days.astype("datetime64[m]")[:, None] + minutes
    return utc_times(wall.ravel().astype("datetime64[us]"), zone).reshape(wall.shape)


def slot_minutes_for(
    contracts: list[tuple[Contract, str]], days: Times, begin: np.datetime64, interval: int
) -> int:
    """The longest slot, in minutes, into which intervals, starts, shifts and breaks all divide."""
    minutes = interval
    for contract, zone in contracts:
        off = (starts_of(contract, days, zone) - begin) / MINUTE
        for one in np.unique(np.asarray(off, np.int64) % minutes):
            minutes = gcd(minutes, int(one))
        for hours in contract.shift_hours:
            minutes = gcd(minutes, round(hours * 60), contract.break_of(hours))
    return minutes


def day_shifts(
    contract: Contract,
    zone: str,
    need: Need,
    opened: Bools,
    *,
    away: Times,
    wishes: Times,
    not_before: np.datetime64 | None = None,
) -> list[DayShifts]:
    """The shifts of each of ``need.days``.

    Parameters
    ----------
    opened : slots in which some channel of the agent's is open. Of the shifts of a day that are of
        one length those stay that have the fewest slots outside, and at least one inside.
    away, wishes : spans without work, and spans they would rather not work (rows x 2, naive UTC).
    not_before : no shift begins earlier, for the rest after the one before.
    """
    slot = need.slot_minutes
    shut = np.concatenate([[0], np.cumsum(~opened)])
    shifts = []
    starts = starts_of(contract, np.array(need.days, "datetime64[D]"), zone)
    for row in starts:
        every = np.unique(row)
        if not_before is not None:
            every = every[every >= not_before]
        parts: list[list[Ints | Floats]] = []
        for hours in sorted(set(contract.shift_hours)):
            length = round(hours * 60)
            until = every + length * MINUTE
            free = np.ones(len(every), bool)
            for a, b in away:
                free &= (until <= a) | (every >= b)
            start = np.asarray((every - need.begin) / MINUTE, np.int64) // slot
            end = start + length // slot
            free &= (start >= 0) & (end < len(shut))
            start, end, begins, ends = start[free], end[free], every[free], until[free]
            outside = shut[end] - shut[start]
            best = (outside < end - start) & (outside == outside.min(initial=10**9))
            start, end, begins, ends = start[best], end[best], begins[best], ends[best]
            wished = np.zeros(len(start))
            for a, b in wishes:
                overlap = (np.minimum(ends, b) - np.maximum(begins, a)) / MINUTE
                wished += np.maximum(overlap, 0.0)
            rest = contract.break_of(hours) // slot
            margin = min(
                round(contract.break_margin_hours * 60) // slot, (length // slot - rest) // 2
            )
            paid = np.full(len(start), contract.paid_minutes(hours))
            rests = np.full(len(start), rest)
            parts.append([start, end, paid, wished, rests, start + margin, end - margin - rest])
        columns = [np.concatenate(one) for one in zip(*parts, strict=True)]
        order = np.lexsort((columns[0], columns[1]))
        shifts.append(DayShifts(*(one[order] for one in columns)))
    return shifts
