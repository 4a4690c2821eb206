"""How far off is a volume forecast? Errors of points, quantiles and intervals.

All take weights per row and return floats in the unit of the counts, or ratios. Interval metrics
take the two ends as ``low, high``.

>>> wape([10, 20, 30], [12, 18, 30])
0.0666...
>>> coverage([10, 20, 30], [8, 21, 25], [12, 25, 30])
0.6666...
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data.arrays import Floats
from data.errors import DataError
from models.checked import checked


def wape(y: npt.ArrayLike, f: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Sum of absolute errors / sum of actuals (both weighted)."""
    y, f, w = checked("wape", y, f, weights)
    return float((w * np.abs(y - f)).sum() / _total("wape", y, w))


def bias(y: npt.ArrayLike, f: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Sum of (forecast - actual) / sum of actuals: above 0 is over-forecast."""
    y, f, w = checked("bias", y, f, weights)
    return float((w * (f - y)).sum() / _total("bias", y, w))


def mae(y: npt.ArrayLike, f: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Mean absolute error."""
    y, f, w = checked("mae", y, f, weights)
    return float(np.average(np.abs(y - f), weights=w))


def rmse(y: npt.ArrayLike, f: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Root of the mean squared error."""
    y, f, w = checked("rmse", y, f, weights)
    return float(np.sqrt(np.average((y - f) ** 2, weights=w)))


def seasonal_scale(history: npt.ArrayLike, season: int = 1) -> float:
    """Mean |y[t] - y[t - season]| of a training series: what MASE divides by.

    ``history`` is one series in the order of time, NaN where the interval is not known. Raises
    DataError where no pair is known or the seasonal naive makes no error at all.
    """
    values = np.asarray(history, dtype=np.float64)
    if values.ndim != 1 or season < 1 or len(values) <= season:
        raise DataError(
            f"seasonal_scale: a season of {season} steps needs at least {season + 1} observations "
            f"of one series; found shape {values.shape}"
        )
    steps = np.abs(values[season:] - values[:-season])
    known = steps[~np.isnan(steps)]
    if known.size == 0 or not known.mean() > 0:
        raise DataError(
            f"seasonal_scale: the history repeats itself every {season} steps exactly (or no two "
            "observations are a season apart), so errors cannot be scaled by it; use wape"
        )
    return float(known.mean())


def mase(
    y: npt.ArrayLike,
    f: npt.ArrayLike,
    scale: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Mean absolute error in units of the in-sample seasonal naive's (Hyndman & Koehler 2006).

    ``scale``: ``seasonal_scale`` of the series' history; one number, or one per row where rows come
    from several series.
    """
    y, f, w = checked("mase", y, f, weights)
    unit = np.broadcast_to(np.asarray(scale, dtype=np.float64), y.shape)
    if not (np.isfinite(unit).all() and (unit > 0).all()):
        raise DataError("mase: every scale must be a finite number above 0 (see seasonal_scale)")
    return float(np.average(np.abs(y - f) / unit, weights=w))


def pinball(
    y: npt.ArrayLike,
    q: npt.ArrayLike,
    quantile: float = 0.5,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Mean quantile loss (Koenker & Bassett 1978); at 0.5 it is half the mean absolute error."""
    y, q, w = checked("pinball", y, q, weights)
    if not 0 < quantile < 1:
        raise DataError(f"pinball: quantile is {quantile}; it lies between 0 and 1")
    miss = y - q
    return float(np.average(np.maximum(quantile * miss, (quantile - 1) * miss), weights=w))


def coverage(
    y: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Share of actuals inside [low, high], ends included."""
    y, low, high, w = _interval("coverage", y, low, high, weights)
    return float(np.average((low <= y) & (y <= high), weights=w))


def interval_width(
    y: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Mean width of the intervals (``y`` is only checked)."""
    _, low, high, w = _interval("interval_width", y, low, high, weights)
    return float(np.average(high - low, weights=w))


def winkler(
    y: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    level: float = 0.8,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Interval score (Gneiting & Raftery 2007, eq. 43): width + 2/alpha × the distance missed by.

    ``level`` is the nominal coverage, alpha = 1 - level. Lower is better; width alone cannot win.
    """
    y, low, high, w = _interval("winkler", y, low, high, weights)
    if not 0 < level < 1:
        raise DataError(f"winkler: level is {level}; it is a share such as 0.8")
    missed = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.average(high - low + 2 / (1 - level) * missed, weights=w))


def _interval(
    name: str,
    y: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    weights: npt.ArrayLike | None,
) -> tuple[Floats, Floats, Floats, Floats]:
    actual, lower, w = checked(name, y, low, weights)
    _, upper, _ = checked(name, y, high, weights)
    crossed = upper < lower
    if crossed.any():
        row = int(crossed.argmax())
        raise DataError(
            f"{name}: {int(crossed.sum())} of {crossed.size} intervals end below their beginning "
            f"(first in row {row}: {lower[row]:.6g} to {upper[row]:.6g})"
        )
    return actual, lower, upper, w


def _total(name: str, y: Floats, w: Floats) -> float:
    total = float((w * y).sum())
    if not total > 0:
        raise DataError(
            f"{name}: the {y.size} actuals add up to {total:.6g}, so errors have nothing to be a "
            "share of; use mae or mase for series without contacts"
        )
    return total
