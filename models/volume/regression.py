"""A log-space local model per series: calendar by ridge regression, what is left by its memory.

    log(y_t + 1) = slot of the week + place in the month + place in the year + e_t

Older steps count less (half after ``HALF_LIFE_CYCLES``), the year only enters once a year and a
quarter of it has been seen, and every effect but the slots' is pulled to none as hard as the noise
says: a prior of ``PRIOR_MONTH`` and ``PRIOR_YEAR`` (standard deviations in logs) against the
residuals' variance. A residual counts as at most ``EDGE`` usual ones, so a storm is no season.
``e`` is forecast by an autoregression on its last steps and on its own slow mean, so a level that
has moved stays where it is. The answer is scaled so that the past adds up ("smearing"; Duan 1983).

>>> design_of(np.array(["2024-03-01"], dtype="datetime64[D]"), np.array([4]), 7, "day", 30).shape
(1, 11)
"""

from __future__ import annotations

import numpy as np

from data.arrays import Floats, Ints, Times
from models.volume.prepare import Problem

HALF_LIFE_CYCLES = {"day": 18.0, "week": 2.0, "month": 3.0}
PRIOR_SLOT = 1.0
PRIOR_MONTH = 0.045
PRIOR_YEAR = 0.25
EDGE = 3.0
RIDGE_MEMORY = 4.0
SLOW = 0.12
LEAST_COUNTS = 15
LEAST_YEARS = 1.25
STEPS_A_YEAR = {"day": 365.25, "week": 52.18, "month": 12.0}
MONTH_HARMONICS = 2
YEAR_HARMONICS = 3
LARGEST_LOG_MOVE = 1.5


def design_of(days: Times, slot: Ints, slots: int, unit: str, steps_seen: int) -> Floats:
    """The calendar of each day: slot dummies (days only), month and year as harmonics."""
    parts = []
    if unit == "day":
        dummies = np.zeros((len(days), slots))
        dummies[np.arange(len(days)), slot] = 1.0
        parts.append(dummies)
        start = days.astype("datetime64[M]").astype("datetime64[D]")
        length = (days.astype("datetime64[M]") + 1).astype("datetime64[D]") - start
        share = ((days - start).astype("float64") + 0.5) / length.astype("float64")
        parts.append(_harmonics(share, MONTH_HARMONICS))
    else:
        parts.append(np.ones((len(days), 1)))
    if steps_seen >= LEAST_YEARS * STEPS_A_YEAR[unit]:
        start = days.astype("datetime64[Y]").astype("datetime64[D]")
        share = (days - start).astype("float64") / 365.25
        parts.append(_harmonics(share, YEAR_HARMONICS))
    return np.hstack(parts)


def _harmonics(share: Floats, count: int) -> Floats:
    waves = 2 * np.pi * share[:, None] * np.arange(1, count + 1)
    return np.hstack([np.sin(waves), np.cos(waves)])


def forecasts(problem: Problem, y: Floats) -> Floats:
    """The member's forecast (series x horizon) of ``y`` (special days blanked); NaN if short."""
    out = np.full((len(problem.ids), problem.horizon), np.nan)
    for row in range(len(problem.ids)):
        with_count = np.flatnonzero(~np.isnan(y[row]))
        if len(with_count) < LEAST_COUNTS or float(np.ptp(y[row, with_count])) == 0:
            continue
        first = int(with_count[0])
        span = y.shape[1] - first
        days = np.concatenate([problem.days[first:], problem.future_days])
        slot = np.concatenate([problem.slot[first:], problem.future_slot])
        design = design_of(days, slot, problem.slots, problem.unit, span)
        values = y[row, first:]
        weight = 0.5 ** (
            np.arange(span - 1, -1, -1.0) / (HALF_LIFE_CYCLES[problem.unit] * problem.slots)
        )
        out[row] = _one(values, design, weight, problem.unit)
    return out


def _priors(unit: str, columns: int, slots: int) -> Floats:
    """The standard deviation that each effect is expected to have."""
    prior = np.full(columns, PRIOR_YEAR)
    if unit != "day":
        prior[0] = PRIOR_SLOT
        return prior
    prior[:slots] = PRIOR_SLOT
    prior[slots : slots + 2 * MONTH_HARMONICS] = PRIOR_MONTH
    return prior


def _one(values: Floats, design: Floats, weight: Floats, unit: str) -> Floats:
    known = ~np.isnan(values)
    width = len(values)
    z = np.log(np.where(known, values, 0.0) + 1.0)
    w = np.where(known, weight, 0.0)
    centre = float((w * z).sum() / w.sum())
    prior = _priors(unit, design.shape[1], 7)
    past = design[:width]
    gram = past.T @ (past * w[:, None])
    variance, target = 0.1, z
    for _ in range(3):
        ridge = np.diag(variance / prior**2)
        effect = np.linalg.solve(gram + ridge, past.T @ (w * (target - centre)))
        fit = centre + design @ effect
        gap = np.where(known, z - fit[:width], 0.0)
        usual = 1.4826 * float(np.median(np.abs(gap[known]))) + 1e-3
        gap = np.clip(gap, -EDGE * usual, EDGE * usual)
        target = fit[:width] + gap
        variance = max(float((w * gap**2).sum() / w.sum()), 1e-6)
    ahead, fitted = _memory(gap, known, w, len(design) - width)
    smear = _smear(np.exp(target), np.exp(fit[:width] + fitted), w)
    log = fit[width:] + np.clip(ahead, -LARGEST_LOG_MOVE, LARGEST_LOG_MOVE)
    return np.maximum(np.exp(log) * smear - 1.0, 0.0)


def _memory(e: Floats, known: np.ndarray, w: Floats, steps: int) -> tuple[Floats, Floats]:
    """The residual's path ahead, and its one-step fit: last step, last week's, slow mean."""
    width = len(e)
    slow = np.zeros(width + 1)
    for t in range(width):
        slow[t + 1] = slow[t] + (SLOW * (e[t] - slow[t]) if known[t] else 0.0)
    filled = np.where(known, e, slow[:-1])
    season = 7 if width > 40 else 1
    lagged = np.zeros((width, 3))
    lagged[1:, 0] = filled[:-1]
    lagged[season:, 1] = filled[:-season]
    lagged[:, 2] = slow[:-1]
    lagged[:, :2] -= slow[:-1, None]
    variance = max(float((w * e**2).sum() / w.sum()), 1e-12)
    gram = lagged.T @ (lagged * w[:, None]) + RIDGE_MEMORY * variance * np.eye(3)
    pull = np.array([0.0, 0.0, 1.0]) * RIDGE_MEMORY * variance
    memory = np.clip(np.linalg.solve(gram, lagged.T @ (w * e) + pull), -0.95, 1.0)
    path = np.concatenate([filled, np.zeros(steps)])
    level = slow[-1]
    for t in range(width, width + steps):
        path[t] = (
            memory[0] * (path[t - 1] - level)
            + memory[1] * (path[t - season] - level)
            + memory[2] * level
        )
    return path[width:], lagged @ memory


def _smear(counts: Floats, fitted: Floats, w: Floats) -> float:
    """What makes the fitted past add up to the counts (both with the 1), within reason."""
    return float(np.clip((w * counts).sum() / max(float((w * fitted).sum()), 1e-9), 0.8, 1.6))
