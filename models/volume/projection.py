"""Where each driver's stock goes from here, if what is known now goes on as it does.

Orders wait, are shipped, are delivered with a daily chance that is the usual one of their group
(carrier and region) by weekday and days since shipping, times how the group did lately: a strike
shows as deliveries that were expected and did not come, long before promises break. A disturbance
ends on any day with the chance ``1 - LASTS``; the expected stock is the mean over the days on which
it may end (a mean of chances would let every order through in a week). Errors come on at the
platforms' recent pace, which returns to the usual one in the same way. Tickets close as they did
last week.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.volume.driver_rows import FAR
from models.volume.panel import Bools, Floats
from models.volume.stocks import (
    CAME_LATE_DAYS,
    ERROR_MEMORY,
    LOST_DAYS,
    MOST_DAYS,
    OLD_DAYS,
    Orders,
    Stocks,
    _each_day,
)

Ints = npt.NDArray[np.int64]

LASTS = 0.91
ERRORS_LAST = 0.87
RECENT = 0.55
"""The weight of a day's deliveries beside those of the day after it."""
BELIEF = 1.5
"""So many deliveries as expected stand beside what was seen lately."""
USUAL_DAYS = 56
MOST_STEPS = 28
LONGEST_PROMISE = 21
OLDEST = 10
"""Orders shipped for more days than this have the chance of those shipped for as many."""
DISTURBED = 0.6
"""A week in which so few of the expected deliveries came tells nothing of the usual."""
MOST_GROUPS = 150


def project(known: Stocks, days: int = MOST_STEPS) -> Floats:
    """Expected exposure at the first moment of ``known.day`` and the days after it (days x
    drivers, in the order of ``DRIVERS``); the first row is what is known.
    """
    made = np.tile(known.exposure[-1], (days, 1))
    made[:, :4] = _orders(known, days)
    made[:, 4] = _errors(known, days)
    made[:, 5] = _open(known, days)
    return made


def _weekday(day: Ints) -> Ints:
    return (day + 3) % 7


def _orders(known: Stocks, steps: int) -> Floats:
    orders, day = known.orders, known.day
    out = np.tile(known.exposure[-1, :4], (steps, 1))
    if not len(orders.ordered):
        return out
    group, groups = _fewer(orders.group)
    chances = _chances(orders, group, groups, day)
    lateness = np.arange(-LONGEST_PROMISE, MOST_DAYS + 2)
    unshipped, shipped = _waiting(orders, group, groups, day)
    new = _newcomers(orders, group, groups, day)
    at_once = bool((orders.shipped <= orders.ordered).all())  # a source that does not say
    # one future for each day on which the disturbance may end
    unshipped, shipped = np.tile(unshipped, (steps, 1, 1)), np.tile(shipped, (steps, 1, 1, 1))
    likely = LASTS ** np.arange(steps) * (1 - LASTS)
    likely[-1] = LASTS ** (steps - 1)
    came = list(_came_late(orders, day))
    late = lateness >= 1
    leaving = np.where(late, chances.leave, 0.0)
    for step in range(steps):
        both = np.einsum("s,sgl->l", likely, unshipped + shipped.sum(axis=3))
        out[step, 0] = both[late].sum()
        out[step, 1] = (both * np.minimum(lateness, MOST_DAYS))[late].sum()
        out[step, 2] = sum(came[-CAME_LATE_DAYS:])
        out[step, 3] = both[~late].sum()
        weekday = _weekday(np.array(day + step))
        disturbed = (step < np.arange(steps))[:, None]
        pace = np.where(disturbed, chances.pace[None, :], 1.0)
        chance = np.minimum(pace[:, :, None] * chances.deliver[:, weekday][None], 1.0)
        left = shipped * (1 - chance[:, :, None, :])
        arrived = np.einsum("s,sgl->l", likely, (shipped - left).sum(axis=3))
        came.append(float(arrived[late].sum()))
        sent = unshipped * chances.ship[weekday]
        unshipped = _a_day_on((unshipped - sent) * (1 - leaving), axis=2)
        shipped = _a_day_on(_a_day_on(left * (1 - leaving)[None, None, :, None], axis=2), axis=3)
        shipped[:, :, :, 1] += _a_day_on(sent * (1 - leaving), axis=2)
        if at_once:
            shipped[:, :, :, 1] += new[weekday][None]
        else:
            unshipped += new[weekday][None]
    return out


def _a_day_on(stock: Floats, axis: int) -> Floats:
    """Everything one place further; what is in the last place stays there."""
    last = np.take(stock, [-1], axis=axis)
    first = np.zeros_like(last)
    moved = np.concatenate([first, np.delete(stock, -1, axis=axis)], axis=axis)
    place = [slice(None)] * stock.ndim
    place[axis] = slice(-1, None)
    moved[tuple(place)] += last
    return moved


def _waiting(orders: Orders, group: Ints, groups: int, day: int) -> tuple[Floats, Floats]:
    """What waits at the first moment of ``day``: unshipped (groups x lateness), shipped (groups x
    lateness x days since).
    """
    rows = np.flatnonzero((orders.done >= FAR) & (orders.promised >= day - LOST_DAYS))
    width, ages = LONGEST_PROMISE + MOST_DAYS + 2, OLDEST + 1
    late = np.clip(day - orders.promised[rows] + LONGEST_PROMISE, 0, width - 1)
    age = np.clip(day - orders.shipped[rows], 0, OLDEST)
    sent = orders.shipped[rows] < FAR
    cell = group[rows] * width + late
    unshipped = np.bincount(cell[~sent], minlength=groups * width).astype("float64")
    counts = np.bincount((cell * ages + age)[sent], minlength=groups * width * ages)
    shipped = counts.astype("float64").reshape(groups, width, ages)
    return unshipped.reshape(groups, width), shipped


def _fewer(group: Ints) -> tuple[Ints, int]:
    """Groups by number, all but the ``MOST_GROUPS`` largest as one."""
    size = np.bincount(group)
    order = np.argsort(-size, kind="stable")
    number = np.minimum(np.argsort(order, kind="stable"), MOST_GROUPS)
    return number[group], int(number.max()) + 1


@dataclass(frozen=True)
class Chances:
    """Of a day: that an order is shipped (weekdays), that one shipped is delivered when all is as
    usual (groups x weekdays x days since shipping), each group's recent ``pace`` relative to that,
    and that an overdue order is given up.
    """

    ship: Floats
    deliver: Floats
    pace: Floats
    leave: float


def _chances(orders: Orders, group: Ints, groups: int, day: int) -> Chances:
    shipped, done = np.minimum(orders.shipped, day), np.minimum(orders.done, day)
    start = day - 6 * USUAL_DAYS
    rows, when = _each_day(
        np.maximum(orders.ordered + 1, start), np.minimum(np.minimum(shipped, done), day - 1)
    )
    # what waits because of a disturbance waits long: days before the promise tell the usual
    fair = when <= orders.promised[rows]
    sent = fair & (orders.shipped[rows] == when)
    ship = _ratio(_by_weekday(when[sent]), _by_weekday(when[fair]))
    rows, when = _each_day(np.maximum(orders.shipped + 1, start), np.minimum(done, day - 1))
    hit = (orders.done[rows] == when) & orders.delivered[rows]
    fair = when <= orders.promised[rows]
    weekday, age = _weekday(when), np.minimum(when - orders.shipped[rows], OLDEST)
    weeks = (day - start) // 7 + 1
    cell = group[rows] * weeks + (when - start) // 7
    weekly = _ratio(_by_weekday(when[hit & fair]), _by_weekday(when[fair]))
    by_week = _relative(cell, hit, weekly[weekday], fair, groups * weeks)[0]
    usual = by_week[cell] > DISTURBED
    weekly = _ratio(_by_weekday(when[hit & usual]), _by_weekday(when[usual]))
    expected = weekly[weekday]
    hoped = np.bincount(age[usual], expected[usual], OLDEST + 1)
    by_age = (np.bincount(age[hit & usual], minlength=OLDEST + 1) + BELIEF) / (hoped + BELIEF)
    expected = np.minimum(expected * by_age[age], 1.0)
    relative, due = _relative(cell, hit, expected, fair, groups * weeks)
    relative, due = relative.reshape(groups, weeks), due.reshape(groups, weeks)
    level = np.array([_weighted_median(relative[g], due[g]) for g in range(groups)])
    deliver = np.minimum(weekly[None, :, None] * by_age[None, None, :] * level[:, None, None], 1.0)
    trust = np.where(when >= day - 14, RECENT ** (day - 1 - when), 0.0)
    seen = np.bincount(group[rows], trust * hit, groups)
    hoped = np.bincount(group[rows], trust * deliver[group[rows], weekday, age], groups)
    pace = np.minimum((seen + BELIEF) / (hoped + BELIEF), 1.25)
    rows, when = _each_day(np.maximum(orders.promised + 1, start), np.minimum(done, day - 1))
    left = (orders.done[rows] == when) & ~orders.delivered[rows]
    return Chances(ship, deliver, pace, float((left.sum() + 0.1) / (len(rows) + 10.0)))


def _relative(
    cell: Ints, hit: Bools, expected: Floats, fair: Bools, cells: int
) -> tuple[Floats, Floats]:
    """Deliveries over those expected, by cell, and the expected ones."""
    came = np.bincount(cell[hit & fair], minlength=cells)
    due = np.bincount(cell[fair], expected[fair], cells).astype("float64")
    return (came + BELIEF) / (due + BELIEF), due


def _by_weekday(days: Ints) -> Floats:
    return np.bincount(_weekday(days), minlength=7).astype("float64")


def _ratio(hits: Floats, trials: Floats) -> Floats:
    return np.where(trials > 0, hits / np.maximum(trials, 1.0), 0.0)


def _weighted_median(values: Floats, weight: Floats) -> float:
    if weight.sum() <= 0:
        return 1.0
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(share, 0.5)])


def _newcomers(orders: Orders, group: Ints, groups: int, day: int) -> Floats:
    """Expected new orders (weekdays x groups x lateness on the next morning), from four weeks."""
    rows = np.flatnonzero((orders.ordered >= day - 28) & (orders.ordered < day))
    width = LONGEST_PROMISE + MOST_DAYS + 2
    late = np.clip(orders.ordered[rows] + 1 - orders.promised[rows] + LONGEST_PROMISE, 0, width - 1)
    counts = np.bincount(group[rows] * width + late, minlength=groups * width)
    share = counts.reshape(groups, width) / max(len(rows), 1)
    return np.asarray((_by_weekday(orders.ordered[rows]) / 4)[:, None, None] * share[None])


def _came_late(orders: Orders, day: int) -> Floats:
    """Orders delivered late on each of the last days."""
    late = orders.delivered & (orders.done > orders.promised)
    ago = day - 1 - orders.done[late]
    inside = (ago >= 0) & (ago < CAME_LATE_DAYS)
    return np.bincount(ago[inside], minlength=CAME_LATE_DAYS)[::-1].astype("float64")


def _errors(known: Stocks, steps: int) -> Floats:
    daily = known.errors
    usual = np.median(daily[:, -USUAL_DAYS:], axis=1)
    trust = RECENT ** np.arange(daily.shape[1] - 1, -1, -1.0)
    recent = (daily * trust).sum(axis=1) / trust.sum()
    # errors beyond a customer's most count in no stock: the stock's share of them stays as it is
    faded = ERROR_MEMORY ** np.arange(min(daily.shape[1], 12))
    raw = float((daily.sum(axis=0)[::-1][: len(faded)] * faded).sum())
    share = known.exposure[-1, 4] / raw if raw > 0 else 1.0
    out = np.empty(steps)
    stock = raw
    for step in range(steps):
        out[step] = stock * share
        pace = usual + (recent - usual) * ERRORS_LAST ** (step + 1)
        stock = stock * ERROR_MEMORY + float(pace.sum())
    return out


def _open(known: Stocks, steps: int) -> Floats:
    inflow, mornings, closed = known.open_flow
    inflow, closing = inflow / 7, (closed + 0.5) / (mornings + 1.0)
    age = known.open_age.copy()
    weight = np.minimum(np.arange(1, OLD_DAYS + 1), MOST_DAYS)
    total = float((age * weight).sum())
    share = known.exposure[-1, 5] / total if total > 0 else 1.0
    out = np.empty(steps)
    for step in range(steps):
        out[step] = (age * weight).sum() * share
        age = np.concatenate([[inflow], age[:-1] * (1 - closing)])
    return out


def usual_weekdays(days: Ints) -> Floats:
    """How a weekday's contacts stand to all weekdays' (7,), from the days of contacts."""
    counts = pd.Series(days).value_counts()
    each = np.array([counts[_weekday(counts.index) == w].median() for w in range(7)])
    each = np.where(np.isnan(each), 0.0, each)
    return each / each.mean() if each.mean() > 0 else np.ones(7)
