"""LightGBM, direct over the horizon: one model for all series and steps ahead.

It does not forecast counts but the ratio of a count to what level and slot say (``smooth``), with
a Poisson likelihood whose weights are the expected counts; with no signal it answers 1, and the
forecast is the smoothed one. So series of all sizes share one model. A second booster learns the
median of the same ratio by absolute error: where counts are skewed or storms are many, it is nearer
to most days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data.arrays import Floats, Ints, Times
from features.calendar import day_frame
from models.volume.prepare import Problem
from models.volume.smooth import CYCLES_TO_BEGIN, SPARSE, SmoothSettings, SmoothState, run
from models.volume.whose_holidays import WhoseHolidays

if TYPE_CHECKING:
    import lightgbm

BASE = SmoothSettings(alpha=0.1, gamma=0.1)
FAST = SmoothSettings(alpha=0.35, gamma=0.1)
SLOW = SmoothSettings(alpha=0.03, gamma=0.1)
MOST_ROWS = 20_000
LARGEST_RATIO = 2.0
OVERDISPERSION = 0.02
LEAST_ROWS = 300
MOST_SERIES_TOLD_APART = 64
GOLDEN_ROWS = 2000

NAMES = (
    "step",
    "slot",
    "day_of_month",
    "days_to_month_end",
    "business_day",
    "day_of_year",
    "days_from_holiday",
    "log_level",
    "fast_to_base",
    "slow_to_base",
    "last_1",
    "last_2",
    "last_3",
    "last_week",
    "same_slot_1",
    "same_slot_2",
    "same_slot_4",
    "index",
    "year_ago",
    "series",
)

PARAMETERS: dict[str, Any] = {
    "objective": "poisson",
    "learning_rate": 0.04,
    "num_leaves": 12,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "poisson_max_delta_step": 0.3,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
ROUNDS = 120


@dataclass(frozen=True)
class Smoothed:
    """The three smoothings of one problem, with their states after the kept steps."""

    base: SmoothState
    fast: SmoothState
    slow: SmoothState


def smoothed(problem: Problem, y: Floats, keep: Sequence[int]) -> Smoothed:
    """Smooth ``y`` (special days blanked) three ways."""
    states = [
        run(y, problem.slot, problem.slots, settings, keep) for settings in (BASE, FAST, SLOW)
    ]
    return Smoothed(*states)


def training_origins(problem: Problem, horizon: int) -> Ints:
    """Steps from which a training forecast starts: after the beginning, thinned to fit."""
    first = CYCLES_TO_BEGIN * problem.slots
    last = problem.y.shape[1] - 2
    if last < first:
        return np.array([], dtype="int64")
    rows = (last - first + 1) * horizon * max(len(problem.ids), 1)
    stride = max(1, int(np.ceil(rows / MOST_ROWS)))
    return np.arange(last, first - 1, -stride)[::-1]


def rows_at(
    problem: Problem,
    y: Floats,
    states: Smoothed,
    origin: int,
    slot: Ints,
    calendar: Floats,
    codes: Floats,
) -> tuple[Floats, Floats]:
    """Features (series x horizon x names) and base forecasts as of column ``origin``.

    ``slot`` and ``calendar`` (``calendar_of``) are those of the next steps; ``codes``
    the series' numbers.
    """
    n, horizon = len(problem.ids), len(slot)
    level, index = states.base.at[origin]
    base = np.maximum(level[:, None] * index[:, slot], 1e-6)
    x = np.full((n, horizon, len(NAMES)), np.nan)
    x[:, :, 0] = np.arange(1, horizon + 1)
    x[:, :, 1] = slot
    x[:, :, 2:7] = calendar
    safe = np.maximum(level, 1e-6)
    x[:, :, 7] = np.log(safe)[:, None]
    x[:, :, 8] = np.log(np.maximum(states.fast.at[origin][0], 1e-6) / safe)[:, None]
    x[:, :, 9] = np.log(np.maximum(states.slow.at[origin][0], 1e-6) / safe)[:, None]
    recent = slice(max(origin - 6, 0), origin + 1)
    surprise = np.log((y[:, recent] + 1) / (states.base.expected[:, recent] + 1))
    for back in (1, 2, 3):
        if surprise.shape[1] >= back:
            x[:, :, 9 + back] = surprise[:, -back][:, None]
    has_count = ~np.isnan(surprise)
    x[:, :, 13] = (
        np.where(has_count, surprise, 0).sum(axis=1) / np.maximum(has_count.sum(axis=1), 1)
    )[:, None]
    target = origin + np.arange(1, horizon + 1)
    season = problem.slots
    last = target - season * np.ceil((target - origin) / season).astype("int64")
    for place, cycles in ((14, 0), (15, 1), (16, 3)):
        column = last - cycles * season
        there = column >= 0
        value = np.where(there[None, :], y[:, np.maximum(column, 0)], np.nan)
        x[:, :, place] = np.log((value + 1) / (base + 1))
    x[:, :, 17] = np.log(np.maximum(index[:, slot], 1e-6))
    x[:, :, 18] = _year_ago(problem, states, origin, target)
    x[:, :, 19] = codes[:, None]
    return x, base


def _year_ago(problem: Problem, states: Smoothed, origin: int, target: Ints) -> Floats:
    """How far the level of a year ago moved from this origin to the target, as a log ratio."""
    back = {"day": 364, "week": 52, "month": 12}[problem.unit]
    if problem.unit == "month":
        back = problem.slots
    then = origin - back
    out = np.full((len(problem.ids), len(target)), np.nan)
    if then < CYCLES_TO_BEGIN * problem.slots:
        return out
    moved = np.minimum(target - back + 3, origin)
    before = np.maximum(states.base.levels[:, then], 1e-6)
    return np.log(np.maximum(states.fast.levels[:, moved], 1e-6) / before[:, None])


def calendar_of(days: Times, whose: WhoseHolidays) -> Floats:
    """Columns 2 to 6 of ``NAMES`` of each day (series x days x columns; one row where all series
    have the same holidays)."""
    names = list(NAMES[2:7])
    return whose.by_series(lambda countries: day_frame(days, countries)[names].to_numpy("float64"))


MEDIAN: dict[str, Any] = PARAMETERS | {"objective": "regression_l1"}
del MEDIAN["poisson_max_delta_step"]


@dataclass(frozen=True)
class TreeModel:
    """The boosters (mean, median), and some rows of training by which a copy on disk is checked."""

    booster: lightgbm.Booster
    median: lightgbm.Booster
    golden: Floats


def series_codes(n: int) -> Floats:
    """Numbers by which trees may tell series apart; NaN where there are too many to."""
    return np.arange(n, dtype="float64") if n <= MOST_SERIES_TOLD_APART else np.full(n, np.nan)


def train(problem: Problem, y: Floats, whose: WhoseHolidays, seed: int) -> TreeModel | None:
    """A model of all series' past, or None where there is too little of it."""
    import lightgbm

    origins = training_origins(problem, problem.horizon)
    if len(origins) == 0:
        return None
    states = smoothed(problem, y, [int(origin) for origin in origins])
    calendar = calendar_of(problem.days, whose)
    codes = series_codes(len(problem.ids))
    xs, ratios, weights, rows = [], [], [], []
    width = y.shape[1]
    for origin in origins:
        ahead = np.arange(origin + 1, min(origin + problem.horizon, width - 1) + 1)
        x, base = rows_at(
            problem, y, states, int(origin), problem.slot[ahead], calendar[:, ahead], codes
        )
        value = y[:, ahead]
        use = ~np.isnan(value) & (base > 1e-3)
        xs.append(x[use])
        ratios.append(value[use] / base[use])
        weights.append(base[use] / (1 + OVERDISPERSION * base[use]))
        rows.append(np.nonzero(use)[0])
    x, ratio, weight = np.concatenate(xs), np.concatenate(ratios), np.concatenate(weights)
    if len(x) < LEAST_ROWS or weight.sum() <= 0 or not (ratio > 0).any():
        return None
    limited = _limited(ratio, weight, np.concatenate(rows), len(problem.ids))
    leaf = int(np.clip(len(x) // 100, 20, 400))
    boosters = []
    for parameters in (PARAMETERS, MEDIAN):
        data = lightgbm.Dataset(x, limited, weight=weight / weight.mean(), feature_name=list(NAMES))
        options = parameters | {"seed": seed, "min_data_in_leaf": leaf}
        boosters.append(lightgbm.train(options, data, num_boost_round=ROUNDS))
    return TreeModel(boosters[0], boosters[1], x[:: max(1, len(x) // GOLDEN_ROWS)])


def _limited(ratio: Floats, weight: Floats, row: Ints, n: int) -> Floats:
    """Ratios (rows) without outliers: a storm must not lead the trees.

    Of a series with small counts (``row``: its number, of ``n``) the bursts are the demand; cut
    off, they would be missing from its mean. Its cut ratios are scaled to the mean they had.
    """
    edge = 1 + (LARGEST_RATIO - 1) * np.maximum(1.0, 3 / np.sqrt(np.maximum(weight, 1e-3)))
    cut = np.minimum(ratio, edge)
    rows, size, whole, left = (
        np.bincount(row, each, n)
        for each in (np.ones_like(weight), weight, weight * ratio, weight * cut)
    )
    sparse = (size < SPARSE * rows) & (left > 0)
    return cut * np.where(sparse, whole / np.where(sparse, left, 1.0), 1.0)[row]


def predict(
    model: TreeModel,
    problem: Problem,
    y: Floats,
    whose: WhoseHolidays,
    codes: Floats | None = None,
) -> dict[str, Floats]:
    """Both boosters' forecasts of the next steps (series x horizon), by member."""
    last = y.shape[1] - 1
    states = smoothed(problem, y, [last])
    x, base = rows_at(
        problem,
        y,
        states,
        last,
        problem.future_slot,
        calendar_of(problem.future_days, whose),
        series_codes(len(problem.ids)) if codes is None else codes,
    )
    rows = x.reshape(-1, len(NAMES))
    return {
        name: base * np.asarray(booster.predict(rows, num_threads=1)).reshape(base.shape)
        for name, booster in (("trees", model.booster), ("trees_median", model.median))
    }
