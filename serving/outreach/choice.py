"""The best set: at most one option a customer, within what a day has of contacts, channels and
agents' minutes.

Where only the day's total binds, the customers of the highest value are the best set. Where a
channel or the agents' minutes bind too, the set is the solution of a linear program (HiGHS): a
greedy choice gives the only SMS to whoever it is worth most for, though an e-mail would have served
them as well, and can miss half of the value. Limits of contacts alone have a whole solution (their
matrix is totally unimodular: two families of nested sets). Agents' minutes split a customer or two:
up to ``WHOLE`` options the integer program is solved, beyond them those few are filled up by value,
which costs at most one customer's value a limit, out of hundreds. The program stays small at any
number of customers: options of one channel and equal minutes are interchangeable, so with room for
N contacts only the N best customers of each such class can be in a best set.

Ties go by ``tie``, a number drawn for each customer; the order of rows changes nothing.

>>> value = np.array([[10.0, 9.0], [8.0, np.nan]])
>>> choose(value, np.array([0.0, 0.0]), np.array([1, 0]),
...        Limits(2, (1.0, 1.0), np.inf), np.array([0.3, 0.1])).tolist()
[1, 0]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.errors import DataError

WHOLE = 1000
"""Options up to which an integer program is solved (0.2 s of CPU; 5000 took 9)."""
GAP = 1e-9
"""How far, relatively, its set may stay below the best one."""
FRACTION = 1e-6
"""What a share may differ from a whole number by rounding."""


@dataclass(frozen=True)
class Limits:
    """What is left of a day: contacts, contacts by channel, agents' minutes (inf: no limit)."""

    total: int
    channels: tuple[float, ...]
    minutes: float


def choose(value: Floats, minutes: Floats, channel: Ints, limits: Limits, tie: Floats) -> Ints:
    """Each customer's option in a set of the highest total value; -1: none.

    Parameters
    ----------
    value : (customers, options) money; NaN or not above 0: never chosen.
    minutes : (options,) of an agent's time.
    channel : (options,) positions in ``limits.channels``.
    limits : what may be used.
    tie : (customers,) distinct numbers; of equal values the lower is chosen.
    """
    chosen = np.full(len(value), -1, dtype=np.int64)
    rows = np.flatnonzero((value > 0).any(axis=1))
    if limits.total <= 0 or not len(rows):
        return chosen
    # rows in the order of their draw, so that nothing below can see how they were given
    rows = rows[np.argsort(tie[rows], kind="stable")]
    worth, option = _by_class(value[rows], minutes, channel)
    classes = _classes(minutes, channel)
    best = worth.argmax(axis=1)
    top = np.argsort(-worth.max(axis=1), kind="stable")[: limits.total]
    used = classes[best[top]]
    counts = np.bincount(used[:, 0].astype(np.int64), minlength=len(limits.channels))
    if (counts <= limits.channels).all() and used[:, 1].sum() <= limits.minutes:
        chosen[rows[top]] = option[top, best[top]]
        return chosen
    there = _candidates(worth, limits.total)
    picked = _program(worth, there, classes, limits)
    chosen[rows[picked[0]]] = option[picked[0], picked[1]]
    return chosen


def _classes(minutes: Floats, channel: Ints) -> Floats:
    """(classes, 2): the channel and the minutes of options that use the same, few minutes first."""
    classes: Floats = np.unique(np.column_stack([channel, minutes]), axis=0)
    return classes


def _by_class(value: Floats, minutes: Floats, channel: Ints) -> tuple[Floats, Ints]:
    """The best option of each class: (rows, classes) its value and its number; -inf: none, or there
    is one as good in the channel that takes fewer minutes."""
    classes = _classes(minutes, channel)
    worth = np.full((len(value), len(classes)), -np.inf)
    option = np.full(worth.shape, -1, dtype=np.int64)
    for k, (own_channel, own_minutes) in enumerate(classes):
        for at in np.flatnonzero((channel == own_channel) & (minutes == own_minutes)):
            better = value[:, at] > np.maximum(worth[:, k], 0.0)
            worth[better, k], option[better, k] = value[better, at], at
        if k and classes[k - 1, 0] == own_channel:
            same = classes[:k, 0] == own_channel
            dominated = worth[:, :k][:, same].max(axis=1) >= worth[:, k]
            worth[dominated, k] = -np.inf
    return worth, option


def _candidates(worth: Floats, most: int) -> Bools:
    """Which (row, class) can be in a best set: the ``most`` best rows of each class."""
    there = np.zeros(worth.shape, dtype=bool)
    for k in range(worth.shape[1]):
        rows = np.flatnonzero(np.isfinite(worth[:, k]))
        if len(rows) > most:
            values = worth[rows, k]
            least = np.partition(values, len(values) - most)[len(values) - most]
            rows = rows[values >= least]
            rows = rows[np.argsort(-worth[rows, k], kind="stable")[:most]]
        there[rows, k] = True
    return there


def _program(worth: Floats, there: Bools, classes: Floats, limits: Limits) -> tuple[Ints, Ints]:
    from scipy.optimize import Bounds, LinearConstraint, linprog, milp
    from scipy.sparse import coo_array, vstack

    row, k = np.nonzero(there)
    size = len(row)
    value = worth[row, k]
    customers, own = np.unique(row, return_inverse=True)
    once = coo_array((np.ones(size), (own, np.arange(size))), shape=(len(customers), size))
    of_channel = classes[k, 0].astype(np.int64)
    used = [np.ones(size), *(of_channel == at for at in range(len(limits.channels)))]
    shared = np.vstack([*used, classes[k, 1]])
    most = np.array([limits.total, *limits.channels, limits.minutes], dtype=np.float64)
    bound = np.isfinite(most)
    matrix = vstack([once, coo_array(shared[bound])]).tocsc()
    upper = np.concatenate([np.ones(len(customers)), most[bound]])
    solution = linprog(-value, A_ub=matrix, b_ub=upper, bounds=(0, 1), method="highs-ds")
    split = solution.x is None or bool(
        ((solution.x > FRACTION) & (solution.x < 1 - FRACTION)).any()
    )
    if split and size <= WHOLE:
        solution = milp(
            -value,
            constraints=LinearConstraint(matrix, -np.inf, upper),
            integrality=np.ones(size),
            bounds=Bounds(0, 1),
            options={"mip_rel_gap": GAP},
        )
    if solution.x is None:
        raise DataError(f"no best set of contacts was found: {solution.message}")
    picked = solution.x > 1 - FRACTION
    left = most[bound] - shared[bound][:, picked].sum(axis=1)
    taken = np.zeros(len(customers), dtype=bool)
    taken[own[picked]] = True
    for at in np.argsort(-value, kind="stable") if split else ():
        needs = shared[bound][:, at]
        if not taken[own[at]] and (needs <= left).all():
            picked[at] = taken[own[at]] = True
            left -= needs
    return row[picked], k[picked]
