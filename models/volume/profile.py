"""How a day falls into its slots: day total times slot profile.

The share of each slot in its day is an exponentially weighted ratio of sums, per weekday, shrunk
towards the shares of all open weekdays of the series together: with few weeks behind it, a
Tuesday looks like the other days; later like Tuesdays. Special days bend the profile of their
weekday by what days of their kind did before (a holiday's eve that ends at noon), shrunk to no
bend.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.volume.panel import Panel
from models.volume.slots import cube_of

GAMMA = 0.12
SHRINK_WEEKS = 1.0
SHRINK_DAYS = 2.0
"""Past special days that it takes to believe half of how they bent the profile."""
LARGEST_BEND = 5.0


def slot_shares(panel: Panel, open_slots: Bools, gamma: float = GAMMA) -> Floats:
    """Each slot's share of its local day's total (series x slots of the week).

    The shares of a day's open slots add up to 1; closed slots have 0.
    """
    per_day = panel.grid.frequency.per_day
    cube = cube_of(panel.y, panel.grid, panel.index).y
    n, weeks, slots = cube.shape
    by_day = cube.reshape(n, weeks, 7, per_day)
    weight = (1 - gamma) ** np.arange(weeks - 1, -1, -1.0)
    is_open = open_slots.reshape(n, 7, per_day)
    has_count = ~np.isnan(by_day) & is_open[:, None]
    total = np.where(has_count, by_day, 0.0).sum(axis=3, keepdims=True)
    # a day with a gap says nothing about the slots it has no count for
    value = np.einsum("w,nwds->nds", weight, np.where(has_count, by_day, 0.0))
    base = np.einsum("w,nwds->nds", weight, np.where(has_count, total, 0.0))
    mean_total = base.max(axis=2, keepdims=True) / max(float(weight.sum()), 1e-9)
    pooled = value.sum(axis=1) / np.maximum(base.sum(axis=1), 1e-9)
    pull = SHRINK_WEEKS * np.maximum(mean_total, 1e-6)
    share = (value + pull * pooled[:, None, :]) / (base + pull)
    share = np.where(is_open, share, 0.0)
    whole = share.sum(axis=2, keepdims=True)
    even = is_open / np.maximum(is_open.sum(axis=2, keepdims=True), 1)
    share = np.where(whole > 0, share / np.where(whole > 0, whole, 1.0), even)
    return share.reshape(n, slots)


def bends(panel: Panel, share: Floats, kind: Ints, kinds: int) -> Floats:
    """How each kind of day bends the profile: series x kinds x slots of the day, 1 where unknown.

    ``kind`` is that of each column's day. The bend is the ratio of a kind's counts in a slot to
    what its days' totals and their weekdays' shares would have put there, totals of all days of a
    kind weighing ``SHRINK_DAYS`` usual days of evidence for 1.
    """
    n, per_day = len(panel.ids), panel.grid.frequency.per_day
    out = np.ones((n, kinds, per_day))
    if not (kind > 0).any():
        return out
    slot = panel.grid.cells(panel.index)[1]
    day = panel.grid.days(panel.index)
    for code in range(1, kinds):
        columns = np.flatnonzero(kind == code)
        if len(columns) == 0:
            continue
        names, of_day = np.unique(day[columns], return_inverse=True)
        y = np.nan_to_num(panel.y[:, columns])
        usual = share[:, slot[columns]] * ~np.isnan(panel.y[:, columns])
        total = np.zeros((n, len(names)))
        whole = np.zeros((n, len(names)))
        for row in range(n):
            total[row] = np.bincount(of_day, y[row], len(names))
            whole[row] = np.bincount(of_day, usual[row], len(names))
        expected = usual * (total / np.maximum(whole, 1e-9))[:, of_day]
        place = slot[columns] % per_day
        for row in range(n):
            got = np.bincount(place, y[row], per_day)
            due = np.bincount(place, expected[row], per_day)
            pull = SHRINK_DAYS * due / len(names) + 1e-9
            out[row, code] = np.clip((got + pull) / (due + pull), 0.0, LARGEST_BEND)
    return out
