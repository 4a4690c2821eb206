"""How often a customer orders and uses us, and whether they are still with us in their mind.

Engagement is a hidden Markov chain of three states; the rates of ordering and of use are gamma.
What is seen is on which days they ordered and was active. The joint posterior is computed on a grid
of both rates, each customer's own (geometric, between quantiles that their counts allow), with the
forward filter of the chain in every cell: exact but for the width of the cells.

>>> from data.simulate.rates import Rates
>>> chain(Rates()).sum(axis=1).tolist()
[1.0, 1.0, 1.0]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import gamma

from data.arrays import Floats, Ints
from data.simulate.activity import ENGAGED, ORDERING
from data.simulate.population import ACTIVE_SHAPE, ORDER_SHAPE, SEGMENT_ORDERS
from data.simulate.rates import Rates
from data.simulate.state import World
from lab.observer.observations import Observations

ACTIVE_CELLS, ORDER_CELLS = 20, 9
TAIL = 5e-4
AT_ONCE = 1000
"""Customers filtered together: their grids stay in the processor's cache."""
LATE_ROWS, LATE_FROM, LATE_TO = 0.02, 0.5, 4.0
"""The share of usage rows that is synchronised late, after how many days at least and at most."""


@dataclass(frozen=True)
class Habits:
    """Rates of each customer's cells and the cumulative posterior over cells × engagement."""

    active: Floats
    order: Floats
    cumulative: Floats

    def draw(self, u: Floats) -> tuple[Floats, Floats, Ints]:
        """Active rate, order rate, engagement: one draw a customer by its uniform number."""
        chosen = (self.cumulative < (u * self.cumulative[:, -1])[:, None]).sum(axis=1)
        cell, engagement = np.divmod(chosen, len(ENGAGED))
        active, order = np.divmod(cell, self.order.shape[1])
        who = np.arange(len(u))
        return self.active[who, active], self.order[who, order], engagement


def chain(rates: Rates) -> Floats:
    """The daily transition of engagement, rows from, columns to."""
    return np.array(
        [
            [1 - rates.fade, rates.fade, 0.0],
            [rates.fade_back, 1 - rates.fade_back - rates.fade_out, rates.fade_out],
            [rates.wake, 0.0, 1 - rates.wake],
        ]
    )


def habits(world: World, shown: Observations) -> Habits:
    """The posterior of every customer's rates and engagement after the last day."""
    parts = [
        _filter(world, shown, slice(first, min(first + AT_ONCE, shown.size)))
        for first in range(0, shown.size, AT_ONCE)
    ]
    return Habits(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _grid(
    shape: float, mean: Floats, count: Ints, most: Floats, least: Floats, cells: int
) -> tuple[Floats, Floats]:
    """Rates of the cells and the logarithm of prior density × width, customers × cells."""
    low = gamma.ppf(TAIL, shape + count, scale=1 / (shape / mean + most))
    high = gamma.ppf(1 - TAIL, shape + count, scale=1 / (shape / mean + least))
    high = np.minimum(high, gamma.ppf(1 - TAIL / 10, shape, scale=mean / shape))
    high = np.maximum(high, 1.5 * low)
    step = np.log(high / low) / (cells - 1)
    rate = low[:, None] * np.exp(step[:, None] * np.arange(cells))
    # a width on the logarithmic scale is rate × step; a gamma's density is rate^(shape - 1) e^...
    prior = shape * np.log(rate) - rate * (shape / mean)[:, None]
    return rate, prior


def _filter(world: World, shown: Observations, part: slice) -> tuple[Floats, Floats, Floats]:
    rates, line, day = world.rates, world.timeline, shown.day
    known = shown.customers
    signed_up, closed = known["signed_up"][part], known["closed"][part]
    days = np.arange(day)[:, None]
    present = (signed_up < days) & (closed >= days)
    used, ordered = shown.active[:, part] & present, shown.ordered[:, part] & present
    usage, demand = line.activity_factor[:day], line.order_factor[:day]
    size = len(signed_up)
    mean = rates.orders * np.array(SEGMENT_ORDERS)[known["segment"][part]]
    full = (present * usage[:, None]).sum(axis=0)
    active, active_prior = _grid(
        ACTIVE_SHAPE,
        np.full(size, rates.active),
        used.sum(axis=0),
        full,
        full * ENGAGED[2],
        ACTIVE_CELLS,
    )
    full = (present * demand[:, None]).sum(axis=0)
    order, order_prior = _grid(
        ORDER_SHAPE, mean, ordered.sum(axis=0), full, full * ORDERING[2], ORDER_CELLS
    )
    belief = np.zeros((len(ENGAGED), size, ACTIVE_CELLS, ORDER_CELLS), dtype=np.float32)
    prior = active_prior[:, :, None] + order_prior[:, None, :]
    belief[0] = np.exp(prior - prior.max(axis=(1, 2), keepdims=True))
    move = chain(rates).astype(np.float32)
    stay = np.float32(1 - 2 * rates.closing)
    for t in range(day):
        here = present[t]
        if here.any():
            hidden = _hidden(day - t - 0.5)
            for e in range(len(ENGAGED)):
                idle = np.exp(-active * (ENGAGED[e] * usage[t]))
                seen_idle = idle + (1 - idle) * hidden
                none = np.exp(-order * (ORDERING[e] * demand[t]))
                one = np.where(used[t][:, None], 1 - idle, seen_idle)
                two = np.where(ordered[t][:, None], 1 - none, none)
                one[~here], two[~here] = 1.0, 1.0
                belief[e] *= one.astype(np.float32)[:, :, None]
                belief[e] *= two.astype(np.float32)[:, None, :]
            belief[2, here] *= stay
        zero, one_, two_ = belief
        to_zero = zero * move[0, 0] + one_ * move[1, 0] + two_ * move[2, 0]
        to_one = zero * move[0, 1] + one_ * move[1, 1]
        belief[2] = one_ * move[1, 2] + two_ * move[2, 2]
        belief[0], belief[1] = to_zero, to_one
        if t % 8 == 7:
            belief /= belief.max(axis=(0, 2, 3))[None, :, None, None]
    posterior = np.moveaxis(belief, 0, -1).reshape(size, -1).astype(np.float64)
    return active, order, np.cumsum(posterior, axis=1)


def _hidden(age_days: float) -> float:
    """P(no row of an active day is to be seen yet)."""
    late = LATE_ROWS * float(np.clip((LATE_TO - age_days) / (LATE_TO - LATE_FROM), 0, 1))
    return late * 0.7
