"""Where each driver's stock goes from here, if what is known now goes on as it does.

Orders wait, are shipped, are delivered with a daily chance that is the usual one of their group
(carrier and region) by weekday and days since shipping, at the group's pace while it is in trouble
(``deliveries``). Trouble ends on any day with the same chance; there is one future for each day on
which it may, and the expected stock is their mean (a mean of chances would let every order through
in a week). Errors come on at the platforms' recent pace, which returns to the usual one by
``ERRORS_LAST`` a day. Tickets close as they did last week.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.arrays import Floats, Ints
from models.volume.deliveries import OLDEST, Chances, chances, weekday_of
from models.volume.driver_rows import FAR
from models.volume.stocks import (
    CAME_LATE_DAYS,
    ERROR_MEMORY,
    LOST_DAYS,
    MOST_DAYS,
    OLD_DAYS,
    Orders,
    Stocks,
)

ERRORS_LAST = 0.87
RECENT = 0.55
"""The weight of a day's errors beside those of the day after it."""
USUAL_DAYS = 56
MOST_STEPS = 28
LONGEST_PROMISE = 21
MOST_GROUPS = 150
PATHS = (0.1, 0.9)
"""Trouble ends by the day of a path with this chance."""


@dataclass(frozen=True)
class Projection:
    """Exposure at the first moment of the known day and the days after it, the first as known:
    ``mean`` (days x drivers, in the order of ``DRIVERS``), and ``paths`` (``PATHS`` x days x
    drivers): what comes if all trouble ends on its early and its late day.
    """

    mean: Floats
    paths: Floats


def project(known: Stocks, days: int = MOST_STEPS) -> Projection:
    """Where the stocks go from ``known`` on."""
    stocks = np.tile(known.exposure[-1], (1 + len(PATHS), days, 1))
    stocks[:, :, :4] = _orders(known, days)
    stocks[:, :, 4] = _errors(known, days)
    stocks[:, :, 5] = _open(known, days)
    return Projection(stocks[0], stocks[1:])


def _orders(known: Stocks, steps: int) -> Floats:
    """The mean and the paths of the orders' stocks (1 + paths x days x 4)."""
    orders, day = known.orders, known.day
    out = np.tile(known.exposure[-1, :4], (1 + len(PATHS), steps, 1))
    if not len(orders.ordered):
        return out
    group, groups = _fewer(orders.group)
    how = chances(orders, group, groups, day)
    lateness = np.arange(-LONGEST_PROMISE, MOST_DAYS + 2)
    unshipped, shipped = _waiting(orders, group, groups, day)
    new = _newcomers(orders, group, groups, day)
    at_once = bool((orders.shipped <= orders.ordered).all())  # a source that does not say
    # one future for each day on which the trouble may end
    unshipped, shipped = np.tile(unshipped, (steps, 1, 1)), np.tile(shipped, (steps, 1, 1, 1))
    likely = _likely(how, steps)
    late_deliveries = np.tile(_came_late(orders, day), (len(likely), 1))
    late = lateness >= 1
    leaving = np.where(late, how.leave, 0.0)
    for step in range(steps):
        both = np.einsum("psg,sgl->pl", likely, unshipped + shipped.sum(axis=3))
        out[:, step, 0] = both[:, late].sum(axis=1)
        out[:, step, 1] = (both * np.minimum(lateness, MOST_DAYS))[:, late].sum(axis=1)
        out[:, step, 2] = late_deliveries[:, -CAME_LATE_DAYS:].sum(axis=1)
        out[:, step, 3] = both[:, ~late].sum(axis=1)
        weekday = weekday_of(np.array(day + step))
        troubled = (step < np.arange(steps))[:, None]
        pace = np.where(troubled, how.pace[None, :], 1.0)
        chance = np.minimum(pace[:, :, None] * how.deliver[:, weekday][None], 1.0)
        left = shipped * (1 - chance[:, :, None, :])
        arrived = np.einsum("psg,sgl->pl", likely, (shipped - left).sum(axis=3))
        late_deliveries = np.column_stack([late_deliveries, arrived[:, late].sum(axis=1)])
        sent = unshipped * how.ship[weekday]
        unshipped = _a_day_on((unshipped - sent) * (1 - leaving), axis=2)
        shipped = _a_day_on(_a_day_on(left * (1 - leaving)[None, None, :, None], axis=2), axis=3)
        shipped[:, :, :, 1] += _a_day_on(sent * (1 - leaving), axis=2)
        if at_once:
            shipped[:, :, :, 1] += new[weekday][None]
        else:
            unshipped += new[weekday][None]
    return out


def _likely(how: Chances, steps: int) -> Floats:
    """How much each future counts (1 + paths x futures x groups): by its chance in the mean, alone
    in a path. Future ``s``: the trouble is over after ``s`` days; 0 where there is none.
    """
    ends = how.lasts ** np.arange(steps) * (1 - how.lasts)
    ends[-1] = how.lasts ** (steps - 1)
    mean = how.trouble[None, :] * ends[:, None]
    mean[0] += 1 - how.trouble
    rising = np.cumsum(mean, axis=0)
    place = np.arange(steps)[:, None]
    paths = [place == np.minimum((rising < one).sum(axis=0), steps - 1) for one in PATHS]
    return np.stack([mean, *(path.astype("float64") for path in paths)])


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
    rows = np.flatnonzero((orders.end_day >= FAR) & (orders.promised >= day - LOST_DAYS))
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


def _newcomers(orders: Orders, group: Ints, groups: int, day: int) -> Floats:
    """Expected new orders (weekdays x groups x lateness on the next morning), from four weeks."""
    rows = np.flatnonzero((orders.ordered >= day - 28) & (orders.ordered < day))
    width = LONGEST_PROMISE + MOST_DAYS + 2
    late = np.clip(orders.ordered[rows] + 1 - orders.promised[rows] + LONGEST_PROMISE, 0, width - 1)
    counts = np.bincount(group[rows] * width + late, minlength=groups * width)
    share = counts.reshape(groups, width) / max(len(rows), 1)
    daily = np.bincount(weekday_of(orders.ordered[rows]), minlength=7) / 4
    return np.asarray(daily[:, None, None] * share[None])


def _came_late(orders: Orders, day: int) -> Floats:
    """Orders delivered late on each of the last days."""
    late = orders.delivered & (orders.end_day > orders.promised)
    ago = day - 1 - orders.end_day[late]
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
    each = np.array([counts[weekday_of(counts.index) == w].median() for w in range(7)])
    each = np.where(np.isnan(each), 0.0, each)
    return each / each.mean() if each.mean() > 0 else np.ones(7)
