"""How far off is a volume forecast? Errors of points and of intervals.

Actuals ``y``, forecasts ``f``, the ends of intervals ``low, high`` and ``weights`` are one number a
row: (rows,), counts. All return a float in the unit of the counts, or a ratio; DataError as
``models.checked`` says.

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
            "share of"
        )
    return total
