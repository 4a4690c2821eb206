"""Same slots: Monday 9:00 is like the Mondays at 9:00 before it.

Counts are laid out as a cube (series x weeks x slots of the week; years and weeks or months for
coarser steps). A clock change leaves one cell empty, or puts the mean of two hours into one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Floats, Ints
from models.volume.grid import Grid


@dataclass(frozen=True)
class Cube:
    """``y`` (series x cycles x slots, NaN where there is no count), from cycle ``first`` on."""

    y: Floats
    first: int


def cube_of(y: Floats, grid: Grid, index: Ints) -> Cube:
    """The matrix ``y`` (series x steps of ``index``) by cycle and slot."""
    cycle, slot = grid.cells(index)
    first = int(cycle.min())
    shape = (int(cycle.max()) - first + 1, grid.frequency.season)
    flat = (cycle - first) * shape[1] + slot
    cells = np.full((len(y), shape[0] * shape[1]), np.nan)
    cells[:, flat] = y
    twice = np.flatnonzero(np.diff(np.sort(flat)) == 0)
    if len(twice):
        repeated = np.unique(np.sort(flat)[twice])
        for cell in repeated:  # the hour that a clock change repeats: mean of the two
            both = y[:, flat == cell]
            counted = (~np.isnan(both)).sum(axis=1)
            mean = np.nansum(both, axis=1) / np.maximum(counted, 1)
            cells[:, cell] = np.where(counted > 0, mean, np.nan)
    return Cube(cells.reshape(len(y), *shape), first)


def last_mean(cube: Cube, n: int) -> Floats:
    """Mean of the last ``n`` counts of every slot (series x slots); NaN where there is none."""
    total = np.zeros((cube.y.shape[0], cube.y.shape[2]))
    count = np.zeros_like(total)
    for week in range(cube.y.shape[1] - 1, -1, -1):
        values = cube.y[:, week, :]
        take = ~np.isnan(values) & (count < n)
        total[take] += values[take]
        count[take] += 1
        if (count >= n).all():
            break
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
