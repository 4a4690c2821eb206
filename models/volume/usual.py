"""Counts that say nothing about what is usual: freak days, and the silence of what was not there.

A night of spam is no new level; the months before a channel opened are no demand of zero, and
neither is a summer in which the company was shut. Members see gaps there.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Bools, Floats, Ints, Times

FREAK, FREAK_LEAST, FREAKS_AT_MOST = 5.0, 50.0, 3
SILENT_DAYS, IMPLAUSIBLE = 7, 20.0
"""So many days in a row without a contact, where so many contacts were to be expected."""


def _by_day(y: Floats, day: Times) -> tuple[Floats, Ints]:
    """Totals of local days, which ascend (series x days; NaN where nothing is known), each
    column's day.
    """
    _, first, of_day = np.unique(day, return_index=True, return_inverse=True)
    if not len(first):
        return np.zeros((len(y), 0)), of_day
    total = np.add.reduceat(np.nan_to_num(y), first, axis=1)
    known = np.add.reduceat(~np.isnan(y), first, axis=1, dtype="int64")
    return np.where(known > 0, total, np.nan), of_day


def freak_days(y: Floats, day: Times) -> Bools:
    """Steps of days far beyond all but a few others (series x steps): a night of spam, a test.

    So far that no demand explains it (``FREAK`` times the usual high, and ``FREAK_LEAST`` more),
    and so few (2 %, at most three of a short history) that they are no level.

    >>> y = np.array([[40.0, 45, 38, 3000, 41, 40, 39, 42]])
    >>> freak_days(y, np.arange(8).astype("datetime64[D]"))[0].nonzero()[0]
    array([3])
    """
    total, of_day = _by_day(y, day)
    return _far_beyond(total)[:, of_day]


def freak_steps(y: Floats, season: int) -> Bools:
    """Weeks or months far beyond all but a few others (series x steps), but no yearly peak: a year
    before or after (``season`` steps) it was not so, or could not be seen yet of the last half.

    >>> y = np.array([[300.0] * 50 + [4000, 300, 300]])
    >>> freak_steps(y, 52)[0].nonzero()[0]
    array([50])
    """
    out, width = _far_beyond(y), y.shape[1]
    for row, step in zip(*np.nonzero(out), strict=True):
        years = [step + sign * season for sign in (-1, 1) if 0 <= step + sign * season < width]
        near = [y[row, max(year - 1, 0) : year + 2] for year in years]
        peak = any((np.nan_to_num(one) > y[row, step] / 2).any() for one in near)
        out[row, step] = not peak if years else width - step <= season // 2
    return out


def _far_beyond(total: Floats) -> Bools:
    """Counts (series x days or steps) that are no level: far, and few."""
    out = np.zeros_like(total, dtype=bool)
    for row, counts in enumerate(total):
        counts_high_first = np.sort(counts[~np.isnan(counts) & (counts > 0)])[::-1]
        few = max(FREAKS_AT_MOST, int(np.ceil(0.02 * len(counts_high_first))))
        if len(counts_high_first) <= 2 * few:
            continue
        high = counts_high_first[few]
        out[row] = np.nan_to_num(counts) > max(FREAK * high, high + FREAK_LEAST)
    return out


def without_silence(y: Floats, day: Times) -> Floats:
    """The counts without the zeros before a busy series began, and without long runs of them in
    between (NaN): it was not there, or shut; neither says how much comes when it is open. So it is
    with a run up to the end in which nobody wrote to any series.

    >>> y = np.array([[0.0] * 20 + [9.0, 8.0, 9.0]])
    >>> int(np.isnan(without_silence(y, np.arange(23).astype("datetime64[D]"))).sum())
    20
    """
    total, of_day = _by_day(y, day)
    out = y
    anybody = np.flatnonzero((np.nan_to_num(total) > 0).any(axis=0))
    over = int(anybody[-1]) + 1 if len(anybody) else 0
    for row, counts in enumerate(total):
        busy = np.flatnonzero(np.nan_to_num(counts) > 0)
        if len(busy) == 0:
            continue
        ends = busy
        if len(counts) - over >= SILENT_DAYS:
            ends = np.append(busy, len(counts))
        gaps = np.diff(ends, prepend=-1) - 1
        whole, living = float(np.nansum(counts)), len(counts) - int(busy[0])
        silent = np.zeros(len(counts), dtype=bool)
        for at, gap in zip(ends, gaps, strict=True):
            first = at == busy[0]
            rate = whole / max(living - (0 if first else int(gap)), 1)
            if gap >= (1 if first else SILENT_DAYS) and gap * rate > IMPLAUSIBLE:
                silent[at - gap : at] = True
        if silent.any():
            out = out.copy() if out is y else out
            out[row, silent[of_day]] = np.nan
    return out
