"""Intervals from the trials' own residuals, scaled for counts.

A residual is measured in units of ``sqrt(f + phi f^2)``: Poisson noise plus a part that grows
with the forecast (``phi`` per series, by moments, shrunk to all series'). Quantiles of these
scaled residuals, the series' own shrunk to all series', widen with the step ahead as the trials
did. Later trials count more, so that intervals that have missed grow. The residuals are those of a
combination weighted by the other trials, and the few trials there are widen the tails as Student's
distribution widens the normal's. Nothing else is assumed about their shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.arrays import Bools, Floats
from models.volume.projection import PATHS

SHRINK_RESIDUALS = 60.0
SHRINK_SPREAD = 30.0
SKEWED_BELOW = 10.0
FLOOR = 0.25
GUESS_PHI = 0.09
ORIGINS_TO_TRUST = 6
FORGET = 0.93
"""A trial's residuals count this much less than those of the next origin."""
FREEDOM_PER_WINDOW = 2.0
LEAST_FREEDOM = 3.0
PROBABILITIES = np.array(
    [0.005, 0.01, 0.025, *np.arange(0.05, 0.96, 0.05).round(2), 0.975, 0.99, 0.995]
)

MIDDLE = int(np.flatnonzero(PROBABILITIES == 0.5)[0])


@dataclass(frozen=True)
class Spread:
    """What intervals need: ``phi`` (series), ``growth`` (steps), and quantiles of scaled
    residuals at ``PROBABILITIES`` (series x probabilities).
    """

    phi: Floats
    growth: Floats
    quantiles: Floats


def scale(forecast: Floats, phi: Floats) -> Floats:
    """The residuals' unit (series x steps), never 0."""
    return np.sqrt(np.maximum(forecast, FLOOR) + phi[:, None] * forecast**2)


def learn_spread(forecast: Floats, actual: Floats, windows: float) -> Spread:
    """From trials (origins x series x steps): the combination's forecasts and what happened.

    ``windows`` is the number of horizons that the trials cover, side by side.
    """
    origins, n, horizon = forecast.shape
    known = ~np.isnan(actual) & ~np.isnan(forecast) & (forecast > 0)
    if origins == 0 or not known.any():
        return _unknown(n, horizon)
    residual = np.where(known, actual - forecast, 0.0)
    f = np.where(known, forecast, 0.0)
    age = FORGET ** np.arange(origins - 1, -1, -1.0)
    trust = np.where(known, age[:, None, None], 0.0)
    excess = (trust * (residual**2 - f)).sum(axis=(0, 2))
    size = (trust * f**2).sum(axis=(0, 2))
    # the noise of all series together, each weighed alike
    own = np.maximum(excess, 0.0) / np.maximum(size, 1e-9)
    count = known.sum(axis=(0, 2)).astype("float64")
    guessed = _share_guessed(known)
    everyone = (1 - guessed) * float(np.median(own[count > 0])) + guessed * GUESS_PHI
    phi = (own * count + everyone * SHRINK_SPREAD) / (count + SHRINK_SPREAD)
    unit = np.sqrt(np.maximum(f, FLOOR) + phi[None, :, None] * f**2)
    z = residual / unit
    growth = _growth(z, known)
    z = z / growth
    pooled = _quantiles(z[known], trust[known])
    pooled = (1 - guessed) * pooled + guessed * _guess()
    quantiles = np.tile(pooled, (n, 1))
    for row in range(n):
        mine = z[:, row][known[:, row]]
        if len(mine) < 5:
            continue
        weight = (1 - guessed) * len(mine) / (len(mine) + SHRINK_RESIDUALS)
        own_quantiles = _quantiles(mine, trust[:, row][known[:, row]])
        quantiles[row] = weight * own_quantiles + (1 - weight) * pooled
    middle = quantiles[:, [MIDDLE]]
    quantiles = middle + (quantiles - middle) * _small_sample(windows)
    return Spread(phi, growth, quantiles)


def _growth(z: Floats, known: Bools) -> Floats:
    """Root mean square by step ahead, smoothed, never falling, 1 on the mean."""
    horizon = z.shape[2]
    square = (z**2).sum(axis=(0, 1))
    count = known.sum(axis=(0, 1)).astype("float64")
    overall = square.sum() / max(count.sum(), 1.0)
    if overall < 1e-12:  # a constant series, forecast without error
        return np.ones(horizon)
    width = max(1, horizon // 4)
    kernel = np.ones(2 * width + 1)
    middle = slice(width, width + horizon)
    smooth_square = np.convolve(square, kernel)[middle] + overall * 20
    smooth_count = np.convolve(count, kernel)[middle] + 20
    growth = np.sqrt(smooth_square / smooth_count / max(overall, 1e-9))
    return np.maximum.accumulate(growth)


def _quantiles(values: Floats, weight: Floats) -> Floats:
    """Weighted quantiles at ``PROBABILITIES``, linear between the values' mid-ranks."""
    order = np.argsort(values, kind="stable")
    mass = weight[order]
    rank = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    return np.interp(PROBABILITIES, rank, values[order])


def _small_sample(windows: float) -> Floats:
    """Widening at ``PROBABILITIES`` for few trials, whose errors go together: Student's quantiles
    over the normal's, with ``FREEDOM_PER_WINDOW`` degrees of freedom a window that was tried.
    """
    from scipy.stats import t as student

    freedom = max(FREEDOM_PER_WINDOW * windows, LEAST_FREEDOM)
    normal = _guess()
    wide = np.asarray(student.ppf(PROBABILITIES, freedom), dtype="float64")
    return np.where(normal == 0, 1.0, wide / np.where(normal == 0, 1.0, normal))


def _share_guessed(known: Bools) -> float:
    """How much of the spread is the stated guess: all of it without trials, nothing from six on."""
    origins = int(known.any(axis=(1, 2)).sum())
    return max(0.0, 1 - origins / ORIGINS_TO_TRUST)


def _guess() -> Floats:
    """Quantiles of scaled residuals before any was seen: the normal distribution's."""
    from scipy.stats import norm

    return np.asarray(norm.ppf(PROBABILITIES), dtype="float64")


def _unknown(n: int, horizon: int) -> Spread:
    """Without trials: a wide, stated guess (30 % of the forecast beside Poisson noise)."""
    return Spread(np.full(n, GUESS_PHI), np.ones(horizon), np.tile(_guess(), (n, 1)))


def reaching(spread: Spread, steps: int, horizon: int) -> Spread:
    """The spread for steps further ahead than the history is long (``steps``): wider by the
    root of how many times further, as the level of a random walk is. Up to there it is as it was.
    """
    if horizon <= steps:
        return spread
    ahead = np.arange(1, horizon + 1)
    growth = spread.growth[np.minimum(ahead, len(spread.growth)) - 1]
    return replace(spread, growth=growth * np.sqrt(np.maximum(ahead / steps, 1.0)))


def unit_of(forecast: Floats, spread: Spread) -> Floats:
    """The size of one scaled residual (series x steps): the noise that the forecast expects."""
    steps = np.minimum(np.arange(forecast.shape[1]), len(spread.growth) - 1)
    return scale(forecast, spread.phi) * spread.growth[steps][None, :]


def doubted(unit: Floats, forecast: Floats, spread: Spread, doubt: Floats | None) -> Floats:
    """The unit with the relative error of special days and events beside it."""
    if doubt is None:
        return unit
    more = np.where(doubt > 0, np.maximum(doubt**2 - spread.phi[:, None], 0.0), 0.0)
    return np.asarray(np.sqrt(unit**2 + more * forecast**2))


def centre_of(forecast: Floats, unit: Floats, spread: Spread) -> Floats:
    """What scaled residuals are added to: the forecast, less the trials' median where it is noise.

    The median differs from the forecast where small counts are skewed; elsewhere it is noise.
    """
    skewed = 1 / (1 + forecast / SKEWED_BELOW)
    return np.asarray(forecast - (1 - skewed) * spread.quantiles[:, [MIDDLE]] * unit)


def apply_spread(
    forecast: Floats,
    spread: Spread,
    probabilities: Sequence[float],
    doubt: Floats | None = None,
    paths: Floats | None = None,
) -> Floats:
    """The quantiles (rising probabilities x series x steps) around a forecast (series x steps).

    ``doubt`` (series x steps) is a relative error beside the usual one: that of special days.
    ``paths`` (``projection.PATHS`` x series x steps): what the forecast is times if trouble ends
    early, and late: how far that is from the forecast is added to the quantiles' distance from the
    median as independent errors are.
    Quantiles never cross and are never negative; where the forecast is 0 (closed) all are 0.
    """
    unit = doubted(unit_of(forecast, spread), forecast, spread, doubt)
    wanted = np.array([np.interp(probabilities, PROBABILITIES, row) for row in spread.quantiles])
    centre = centre_of(forecast, unit, spread)
    quantiles = centre[None] + wanted.T[:, :, None] * unit[None]
    if paths is not None:
        middle = centre + spread.quantiles[:, [MIDDLE]] * unit
        quantiles = _reaching(quantiles, middle, probabilities, (paths - 1) * forecast[None])
    quantiles = np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=0)
    closed = forecast <= 0
    return np.where(closed[None], 0.0, quantiles)


def _reaching(
    quantiles: Floats, middle: Floats, probabilities: Sequence[float], away: Floats
) -> Floats:
    """The quantiles' distances from the ``middle`` (series x steps), and how far the early and the
    late path are ``away`` (paths x series x steps), as one; the nearer to the middle, the less.
    """
    own = quantiles - middle[None]
    beside = np.asarray(probabilities)[:, None, None] - 0.5
    part = np.minimum(np.abs(beside) / (PATHS[1] - 0.5), 1.0)
    reach = part * np.where(beside < 0, np.minimum(away[0], 0.0), np.maximum(away[1], 0.0))
    return middle[None] + own + np.sign(beside) * (np.hypot(own, reach) - np.abs(own))
