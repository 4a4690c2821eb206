"""Exponentially weighted same-slot means times a level: the planner's weighted average, done well.

Level and seasonal index are ratios of exponentially weighted sums (never means of ratios, which
small counts would upset):

    level_t  = sum_k rho^k y_{t-k} / sum_k rho^k index_{t-k}
    index_s  = (sum_w lambda^w y_{s,w} + kappa level) / (sum_w lambda^w level_w + kappa level)

A count far outside what was expected moves both only as far as the edge of that range, so an
outage or a storm is not learned as demand. All series run at once; a step costs one numpy row.

>>> y = np.tile([10.0, 20.0, 30.0, 40.0, 50.0, 5.0, 5.0], 10)[None, :]
>>> state = run(y, np.arange(70) % 7, 7, SmoothSettings())
>>> state.forecast(np.arange(70, 77) % 7).round(0)
array([[10., 20., 30., 40., 50.,  5.,  5.]])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats, Ints

CYCLES_TO_BEGIN = 4
EDGE = 2.5
RELATIVE_SPREAD = 0.25
SPARSE = 3.0
"""A mean count below which a series is sparse: its bursts are no storms but its demand."""
BURSTS, LARGEST = 4.0, 100.0
TINY = 1e-9


@dataclass(frozen=True)
class SmoothSettings:
    """``alpha`` = 1 - rho per step, ``gamma`` = 1 - lambda per cycle, ``kappa`` in cycles."""

    alpha: float = 0.1
    gamma: float = 0.1
    kappa: float = 0.1


@dataclass(frozen=True)
class SmoothState:
    """Where the smoothing stands after its last step: ``level`` (series), ``index`` (series x
    slots), and on the way ``expected`` (series x steps): each step's forecast made just before it.
    """

    level: Floats
    index: Floats
    expected: Floats
    levels: Floats
    at: dict[int, tuple[Floats, Floats]]

    def forecast(self, slot: Ints) -> Floats:
        """Level times index at the given slots (series x steps)."""
        return self.level[:, None] * self.index[:, slot]


def run(
    y: Floats, slot: Ints, slots: int, settings: SmoothSettings, keep: Sequence[int] = ()
) -> SmoothState:
    """Smooth ``y`` (series x steps, NaN skipped); ``keep`` names steps after which the state is
    kept in ``at``. Up to the end of cycle ``CYCLES_TO_BEGIN`` the start values have seen the
    whole beginning: do not read ``expected`` or ``at`` before that.
    """
    n, width = y.shape
    level, start_index = _begin(y, slot, slots)
    rho, lam = 1 - settings.alpha, 1 - settings.gamma
    weight = 1.0 / max(settings.alpha, 0.05)
    level_num, level_den = level * weight, np.full(n, weight)
    index_num, index_den = start_index * level[:, None], np.repeat(level[:, None], slots, axis=1)
    expected, levels = np.zeros((n, width)), np.zeros((n, width))
    states: dict[int, tuple[Floats, Floats]] = {}
    wanted = set(keep)
    bursts = _bursts(y)

    def index_at(s: int | slice) -> Floats:
        pull = settings.kappa * np.maximum(level, TINY)
        if isinstance(s, slice):
            pull = pull[:, None]
        return (index_num[:, s] + pull) / (index_den[:, s] + pull)

    for t in range(width):
        s = int(slot[t])
        index = index_at(s)
        expected[:, t] = level * index
        has_count = ~np.isnan(y[:, t])
        edge = EDGE * np.sqrt(
            bursts * expected[:, t] + (RELATIVE_SPREAD * expected[:, t]) ** 2 + bursts
        )
        value = np.clip(
            np.where(has_count, y[:, t], 0.0), expected[:, t] - edge, expected[:, t] + edge
        )
        level_num = np.where(has_count, rho * level_num + value, level_num)
        level_den = np.where(has_count, rho * level_den + index, level_den)
        index_num[:, s] = np.where(has_count, lam * index_num[:, s] + value, index_num[:, s])
        index_den[:, s] = np.where(has_count, lam * index_den[:, s] + level, index_den[:, s])
        level = level_num / np.maximum(level_den, TINY)
        levels[:, t] = level
        if t in wanted:
            states[t] = (level.copy(), index_at(slice(None)))
    return SmoothState(level, index_at(slice(None)), expected, levels, states)


def _bursts(y: Floats) -> Floats:
    """How many times more than by chance small counts vary, per series (1 for busy ones): their
    bursts are most of what comes, and must not be cut off."""
    has_count = ~np.isnan(y)
    count = np.maximum(has_count.sum(axis=1), 1)
    mean = np.where(has_count, y, 0.0).sum(axis=1) / count
    variance = (np.where(has_count, y - mean[:, None], 0.0) ** 2).sum(axis=1) / count
    ratio = variance / np.maximum(mean, TINY)
    return np.where((mean > 0) & (mean < SPARSE), np.clip(BURSTS * ratio, 1.0, LARGEST), 1.0)


def _begin(y: Floats, slot: Ints, slots: int) -> tuple[Floats, Floats]:
    """Level and seasonal indices of each series' first cycles with counts."""
    width = y.shape[1]
    has_count = ~np.isnan(y)
    rank = np.cumsum(has_count, axis=1)
    begins = np.where(has_count.any(axis=1), has_count.argmax(axis=1), width)
    span = np.arange(width)[None, :] - begins[:, None]
    early = has_count & (rank > 0) & (span < CYCLES_TO_BEGIN * slots)
    counts = np.where(early, y, 0.0)
    member = np.zeros((width, slots))
    member[np.arange(width), slot] = 1.0
    by_slot, seen_by_slot = counts @ member, early.astype("float64") @ member
    level = counts.sum(axis=1) / np.maximum(early.sum(axis=1), 1)
    mean = by_slot / np.maximum(seen_by_slot, 1)
    open_mean = np.where(seen_by_slot > 0, mean, np.nan)
    cycle_mean = np.nanmean(
        np.where(np.asarray(has_count.any(axis=1))[:, None], open_mean, 0.0), axis=1
    )
    cycle_mean = np.maximum(np.nan_to_num(cycle_mean), TINY)
    # one mean of a slot is worth one cycle; unseen slots start at 1
    index = np.where(seen_by_slot > 0, mean / cycle_mean[:, None], 1.0)
    index = np.where(level[:, None] > 0, index, 1.0)
    return np.where(level > 0, cycle_mean, 0.0), index
