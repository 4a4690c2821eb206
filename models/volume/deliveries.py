"""How orders get on: the usual chances of a day, and which groups of them are in trouble now.

Usual is what carriers and regions (a *group*) did in the weeks without trouble, by weekday and days
since shipping. Whether a group is in trouble is not said anywhere; it shows as deliveries that were
expected and did not come, long before promises break. A group is taken to deliver at its usual pace
or at one of ``PACES``; how likely each is follows from day to day by Bayes' rule (a hidden Markov
chain's forward filter: Rabiner, Proc. IEEE 77, 1989): trouble begins rarely, lasts another day with
a chance that is learned from past troubles, and deliveries are Poisson of pace times expected. A
day on which nobody got anything is a day off, unless more of them follow than holidays do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.volume.stocks import Orders, each_day

BELIEF = 1.5
"""So many deliveries as expected stand beside what was seen."""
USUAL_DAYS = 56
OLDEST = 10
"""Orders shipped for more days than this have the chance of those shipped for as many."""
DISTURBED = 0.6
"""A week in which so few of the expected deliveries came tells nothing of the usual."""
PACES = np.array([1.0, 0.5, 0.25, 0.03])
"""The usual pace, and those of trouble."""
BEGINS = 0.004
"""The chance that a group's trouble begins on a day."""
ENDS, EPISODES = 0.1, 5.0
"""The chance that it ends on a day, as if so many episodes had been seen."""
TRUST = 0.8
"""Deliveries of a day come together: they tell so much of what as many independent ones would."""
OFF = 0.03
LEAST_DUE = 8.0
MOST_OFF = 2
"""A day with so little of at least so many deliveries expected of all is off, so many in a row."""


@dataclass(frozen=True)
class Chances:
    """Of a day: that an order is shipped (weekdays), that one shipped is delivered when all is as
    usual (groups x weekdays x days since shipping), that an overdue order is given up. Of now: each
    group's chance to be in ``trouble``, its ``pace`` while it is, relative to the usual, and the
    chance that trouble ``lasts`` another day.
    """

    ship: Floats
    deliver: Floats
    leave: float
    trouble: Floats
    pace: Floats
    lasts: float


def chances(orders: Orders, group: Ints, groups: int, day: int) -> Chances:
    """The chances as known at the first moment of ``day``."""
    shipped, end_day = np.minimum(orders.shipped, day), np.minimum(orders.end_day, day)
    start = day - 6 * USUAL_DAYS
    rows, when = each_day(
        np.maximum(orders.ordered + 1, start), np.minimum(np.minimum(shipped, end_day), day - 1)
    )
    # what waits because of a disturbance waits long: days before the promise tell the usual
    fair = when <= orders.promised[rows]
    sent = fair & (orders.shipped[rows] == when)
    ship = _ratio(_counts(weekday_of(when[sent])), _counts(weekday_of(when[fair])))
    rows, when = each_day(np.maximum(orders.shipped + 1, start), np.minimum(end_day, day - 1))
    hit = (orders.end_day[rows] == when) & orders.delivered[rows]
    fair = when <= orders.promised[rows]
    weekday, age = weekday_of(when), np.minimum(when - orders.shipped[rows], OLDEST)
    deliver = _usual(group[rows], groups, when - start, weekday, age, hit, fair)
    days = day - start
    cell = group[rows] * days + when - start
    deliveries = np.bincount(cell[hit], minlength=groups * days).astype("float64")
    due = np.bincount(cell, deliver[group[rows], weekday, age], groups * days).astype("float64")
    trouble, pace, lasts = troubles(deliveries.reshape(groups, days), due.reshape(groups, days))
    rows, when = each_day(np.maximum(orders.promised + 1, start), np.minimum(end_day, day - 1))
    left = (orders.end_day[rows] == when) & ~orders.delivered[rows]
    leave = float((left.sum() + 0.1) / (len(rows) + 10.0))
    return Chances(ship, deliver, leave, trouble, pace, lasts)


def _usual(
    group: Ints, groups: int, when: Ints, weekday: Ints, age: Ints, hit: Bools, fair: Bools
) -> Floats:
    """Chances of delivery in weeks without trouble (groups x weekdays x days since shipping)."""
    weeks = int(when.max()) // 7 + 1 if len(when) else 1
    cell = group * weeks + when // 7
    weekly = _ratio(_counts(weekday[hit & fair]), _counts(weekday[fair]))
    by_week = _relative(cell, hit, weekly[weekday], fair, groups * weeks)[0]
    usual = by_week[cell] > DISTURBED
    weekly = _ratio(_counts(weekday[hit & usual]), _counts(weekday[usual]))
    expected = weekly[weekday]
    hoped = np.bincount(age[usual], expected[usual], OLDEST + 1)
    by_age = (np.bincount(age[hit & usual], minlength=OLDEST + 1) + BELIEF) / (hoped + BELIEF)
    expected = np.minimum(expected * by_age[age], 1.0)
    relative, due = _relative(cell, hit, expected, fair, groups * weeks)
    relative, due = relative.reshape(groups, weeks), due.reshape(groups, weeks)
    level = np.array([_weighted_median(relative[g], due[g]) for g in range(groups)])
    return np.minimum(weekly[None, :, None] * by_age[None, None, :] * level[:, None, None], 1.0)


def troubles(deliveries: Floats, due: Floats) -> tuple[Floats, Floats, float]:
    """Each group's chance of being in trouble after the last day, its pace if it is (both: groups),
    and the chance that trouble lasts a day; from ``deliveries`` and those ``due`` (groups x days).
    """
    off = _days_off(deliveries.sum(axis=0), due.sum(axis=0))
    tells = np.where(off[None, :], 0.0, TRUST)
    likelihood = tells[:, :, None] * (
        deliveries[:, :, None] * np.log(PACES) - due[:, :, None] * (PACES - 1.0)
    )
    likelihood = np.exp(likelihood - likelihood.max(axis=2, keepdims=True))
    lasts = 1 - ENDS
    believed, lasts = _filtered(likelihood, lasts)
    believed, _ = _filtered(likelihood, lasts)
    now = believed[:, -1] if believed.shape[1] else np.eye(len(PACES))[[0] * len(deliveries)]
    trouble = 1 - now[:, 0]
    pace = (now[:, 1:] @ PACES[1:]) / np.maximum(trouble, 1e-12)
    return trouble, np.where(trouble > 1e-12, pace, 1.0), lasts


def _filtered(likelihood: Floats, lasts: float) -> tuple[Floats, float]:
    """Beliefs after each day (groups x days x paces), and how troubles have lasted by them."""
    groups, days, paces = likelihood.shape
    out = np.empty_like(likelihood)
    now = np.tile(np.eye(paces)[0], (groups, 1))
    for day in range(days):
        fresh = now[:, :1] * BEGINS / (paces - 1)
        usual = now[:, :1] * (1 - BEGINS) + now[:, 1:].sum(axis=1, keepdims=True) * (1 - lasts)
        now = np.concatenate([usual, now[:, 1:] * lasts + fresh], axis=1) * likelihood[:, day]
        now /= now.sum(axis=1, keepdims=True)
        out[:, day] = now
    bad = out[:, :, 0] < 0.5
    ended = bad[:, :-1] & ~bad[:, 1:]
    # groups of one carrier come right together: what they tell, they tell once
    alike = max(bad.sum() / max(bad.any(axis=0).sum(), 1), 1.0)
    rate = (EPISODES + ended.sum() / alike) / (EPISODES / ENDS + bad[:, :-1].sum() / alike)
    return out, float(1 - rate)


def _days_off(deliveries: Floats, due: Floats) -> Bools:
    """Days on which nobody got anything, but for those in a row longer than ``MOST_OFF``."""
    counts = due >= LEAST_DUE
    none = counts & (deliveries <= OFF * due)
    off = none.copy()
    row: list[int] = []
    for day in np.flatnonzero(counts):
        row = [*row, int(day)] if none[day] else []
        if len(row) > MOST_OFF:
            off[row] = False
    return off


def weekday_of(day: Ints) -> Ints:
    """0 is Monday."""
    return (day + 3) % 7


def _relative(
    cell: Ints, hit: Bools, expected: Floats, fair: Bools, cells: int
) -> tuple[Floats, Floats]:
    """Deliveries over those expected, by cell, and the expected ones."""
    deliveries = np.bincount(cell[hit & fair], minlength=cells)
    due = np.bincount(cell[fair], expected[fair], cells).astype("float64")
    return (deliveries + BELIEF) / (due + BELIEF), due


def _counts(weekday: Ints) -> Floats:
    return np.bincount(weekday, minlength=7).astype("float64")


def _ratio(hits: Floats, trials: Floats) -> Floats:
    return np.where(trials > 0, hits / np.maximum(trials, 1.0), 0.0)


def _weighted_median(values: Floats, weight: Floats) -> float:
    if weight.sum() <= 0:
        return 1.0
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(share, 0.5)])
