"""Joint sample paths: what may come, over all series and steps together, as often as it may.

Intervals say how far each number may be off, not whether Monday's surprise lasts until Friday or
comes in every channel. The trials know: their residuals, as normal scores (origins x series x
steps), are mixed with random weights, which gives paths with the trials' own correlations (a
Gaussian copula), a share ``OWN`` of each left to itself because trials are few. Each path's scores
are then read off the forecast's own quantiles, scaled so that their mean is the forecast's. Parts
add up to their totals in every path: totals are summed from the smallest parts.

>>> scores = np.repeat(np.array([[-1.0], [0.0], [1.0]]), 2, axis=1)[:, :, None]
>>> drawn = copula(scores, np.array([0, 1]), 1, 2000, np.random.default_rng(0))[:, :, 0]
>>> drawn.shape, bool(0.7 < np.corrcoef(drawn.T)[0, 1] < 0.9)
((2000, 2), True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints, Times
from data.errors import UsageError
from models.coherence import Sum, add_up
from models.volume.intervals import Spread, unit_of

OWN = 0.2
MOST_SCORES = 4_000_000
TAILS = np.concatenate([[0.001, 0.0025], np.linspace(0.005, 0.995, 100).round(4), [0.9975, 0.999]])


@dataclass(frozen=True)
class Paths:
    """``counts`` (paths x series x steps) of the series ``ids`` at the steps ``ds``."""

    ids: tuple[str, ...]
    ds: Times
    counts: Floats


def means_of(forecast: pd.DataFrame, ids: Sequence[str], ds: Times) -> Floats:
    """``presage`` of a forecast (``unique_id, ds, presage``): series x steps.

    Raises UsageError, naming the first number that the forecast does not have.
    """
    by_step = forecast.set_index(["unique_id", "ds"])["presage"]
    wanted = pd.MultiIndex.from_product([list(ids), pd.DatetimeIndex(ds)])
    means = by_step.reindex(wanted)
    if means.isna().any():
        series, step = wanted[int(means.isna().argmax())]
        raise UsageError(
            f"the forecast says nothing of {series!r} at {step}, and paths are drawn for what it "
            "says; give it the same series and horizon"
        )
    return means.to_numpy(np.float64).reshape(len(ids), -1)


def scores_of(forecast: Floats, actual: Floats, spread: Spread) -> npt.NDArray[np.float32]:
    """Trials' residuals as normal scores per series (origins x series x steps, 0 = not known)."""
    from scipy.stats import norm, rankdata

    origins, n, horizon = forecast.shape
    if n * horizon * origins > MOST_SCORES:
        most_origins = max(2, MOST_SCORES // (n * horizon))
        forecast, actual = forecast[-most_origins:], actual[-most_origins:]
    out = np.zeros(forecast.shape, dtype="float32")
    if origins == 0:
        return out
    unit = np.stack([unit_of(one, spread) for one in forecast])
    z = (actual - forecast) / unit
    known: Bools = ~np.isnan(z) & (forecast > 0)
    for row in range(n):
        mine = known[:, row]
        if mine.sum() > 1:
            rank = rankdata(z[:, row][mine])
            out[:, row][mine] = norm.ppf((rank - 0.5) / len(rank))
    return out


def copula(
    scores: npt.NDArray[np.floating], rows: Ints, steps: int, count: int, rng: np.random.Generator
) -> Floats:
    """Standard normal scores (count x series x steps) that go together as the trials' did.

    ``rows`` are the series' places in ``scores``; -1, or a series never tried, stands alone. Steps
    beyond the trials' horizon go together as those of the horizon before.
    """
    origins, _, horizon = scores.shape
    alone = rng.standard_normal((count, len(rows), steps))
    if origins < 2 or horizon == 0:
        return alone
    turn = np.arange(steps) % horizon
    known = np.where((rows >= 0)[None, :, None], scores[:, rows][:, :, turn], 0.0)
    mixed = np.einsum("co,ons->cns", rng.standard_normal((count, origins)), known, optimize=True)
    size = np.sqrt((known.astype("float64") ** 2).sum(axis=0))
    share = np.where(size > 0, 1 - OWN, 0.0)
    mixed = mixed / np.where(size > 0, size, 1.0)
    return np.asarray(np.sqrt(share) * mixed + np.sqrt(1 - share) * alone)


def draw(
    normal: Floats,
    quantiles: Floats,
    mean: Floats,
    sums: tuple[Sum, ...],
    rng: np.random.Generator,
    *,
    whole: bool,
) -> Floats:
    """Counts (paths x series x steps): scores read off ``quantiles`` (TAILS x series x steps),
    which are scaled so that the paths' mean is the forecast's ``mean`` (series x steps).

    ``whole``: whole contacts, up or down by chance, so that a mean of 0.2 is one contact in five
    paths and not none. Totals are then the sums of their parts.
    """
    from scipy.stats import norm

    uniform = norm.cdf(normal)
    counts = np.empty_like(normal)
    for row in range(normal.shape[1]):
        for step in range(normal.shape[2]):
            counts[:, row, step] = np.interp(uniform[:, row, step], TAILS, quantiles[:, row, step])
    # quantiles are cut at 0 and seen in few trials: their own mean is not quite the forecast's
    own = np.trapezoid(quantiles, TAILS, axis=0)
    own += quantiles[0] * TAILS[0] + quantiles[-1] * (1 - TAILS[-1])
    counts = np.where(own > 0, counts * (mean / np.where(own > 0, own, 1.0)), mean)
    if whole:
        counts = np.floor(counts + rng.random(counts.shape))
    if not sums:
        return counts
    return np.stack([add_up(one, sums) for one in counts])
