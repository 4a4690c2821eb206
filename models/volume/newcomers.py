"""Series that have begun of late: what others know of the weekdays that they have not lived
through, and totals that do not know of them yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.coherence import Sum
from models.volume.smooth import SmoothState

LEAST_SHAPE, MOST_SHAPE = 0.2, 5.0
DAYS_NEW = 28
"""Days for which a total with a newcomer among its parts may be behind."""
LEAST_SHARE = 0.03
"""A newcomer that is less of its total does not show in it."""


def unlived(y: Floats, slot: Ints, slots: int) -> Bools:
    """Slots (series x slots) of which a series with counts has none yet; the days are those of
    ``y`` (series x days, NaN = not known)."""
    lived = _lived(y, slot, slots) > 0
    return ~lived & lived.any(axis=1, keepdims=True)


def shape_of_others(y: Floats, slot: Ints, slots: int, base: SmoothState) -> Floats:
    """What the days of ``unlived`` slots bring over what the series' known days do (series x
    slots, 1 elsewhere), as of the series that have lived through all: never closed for sure.

    >>> y = np.vstack([np.tile([30.0, 30, 30, 30, 30, 3, 3], 9), np.full(63, np.nan)])
    >>> y[1, 56:58] = 20
    >>> from models.volume.smooth import SmoothSettings, run
    >>> slot = np.arange(63) % 7
    >>> shape_of_others(y, slot, 7, run(y, slot, 7, SmoothSettings()))[1].round(2)
    array([1. , 1. , 1. , 1. , 1. , 0.2, 0.2])
    """
    out = np.ones((len(y), slots))
    new = unlived(y, slot, slots)
    whole = ~new.any(axis=1) & (base.level > 0)
    if not new.any() or not whole.any():
        return out
    shape = base.level[whole] @ base.index[whole]
    known = _lived(y, slot, slots)
    rows = np.flatnonzero(new.any(axis=1))
    usual = known[rows] @ shape / known[rows].sum(axis=1)
    there = usual > 0
    ratio = shape[None, :] / np.where(there, usual, 1.0)[:, None]
    ratio = np.where(there[:, None], np.clip(ratio, LEAST_SHAPE, MOST_SHAPE), 1.0)
    out[rows] = np.where(new[rows], ratio, 1.0)
    return out


def behind(raw: Floats, usual: Floats, sums: Sequence[Sum], per_day: int) -> Bools:
    """Wholes (nodes) that a newcomer's contacts came on top of: their own forecast does not know
    of it yet. A newcomer that took another's contacts leaves the whole as it was, and is not meant.

    ``raw`` are the counts, ``usual`` those without the silence before a series began (nodes x
    steps, NaN = not known).
    """
    out = np.zeros(len(raw), dtype=bool)
    width = raw.shape[1]
    known: Bools = ~np.isnan(usual)
    first = np.where(known.any(axis=1), known.argmax(axis=1), width)
    week = 7 * per_day
    for one in sums:
        for part in one.parts:
            age = width - int(first[part])
            if not 0 < age <= DAYS_NEW * per_day or first[part] - first[one.whole] < 4 * week:
                continue
            begun = slice(int(first[part]), width)
            weeks = -(-age // week)
            everything, own = np.nansum(raw[one.whole, begun]), np.nansum(raw[part, begun])
            # the same slots of the weeks before it began
            before = [
                np.nansum(raw[one.whole, begun.start - back * week : width - back * week])
                for back in range(weeks, weeks + 4)
                if begun.start - back * week >= 0
            ]
            if not before:
                continue
            rise = everything - float(np.mean(before))
            out[one.whole] |= own >= LEAST_SHARE * everything and rise > own / 2
    return out


def _lived(y: Floats, slot: Ints, slots: int) -> Floats:
    """Known counts of each slot (series x slots)."""
    member = np.zeros((y.shape[1], slots))
    member[np.arange(y.shape[1]), slot] = 1.0
    return (~np.isnan(y)).astype("float64") @ member
