"""How sure is a figure? Resample whole customers, compute the figure again, look at the spread.

Rows of one customer at several as-of times are not independent, so customers (`groups`) are drawn,
never rows: the cluster bootstrap (Cameron, Gelbach & Miller 2008, section 3). A draw is a *weight*
per row, how often its customer was drawn, so any metric that takes ``weights`` can be resampled
without copying a row; rows are sorted by score once, which makes the sort inside ranking metrics
nearly free. Two models are compared on the **same** draws: most of the noise is common to both and
cancels in the difference.

>>> import numpy as np
>>> def mean_error(y, p, *, weights): return float(np.average(y - p, weights=weights))
>>> y, p = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.5, 0.5])
>>> bootstrap(mean_error, y, p, seed=1, resamples=200)
Interval(estimate=0.25, low=-0.25, high=0.5)
>>> paired_bootstrap(mean_error, y, p, p, seed=1, resamples=50)
Interval(estimate=0.0, low=0.0, high=0.0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats
from data.errors import DataError

Metric = Callable[..., float]
"""``metric(y, *predictions, weights=array) -> float``, and blind to the order of the rows."""
Prediction = npt.ArrayLike | tuple[npt.ArrayLike, ...]
"""One array of n predictions, or a tuple of them where the metric takes several (low, high)."""

TOLERATED_UNDEFINED = 0.05
"""Share of resamples that may leave the metric undefined (no complaint drawn, say)."""


class Interval(NamedTuple):
    """A figure with the percentile interval of its resamples."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap(
    metric: Metric,
    y: npt.ArrayLike,
    prediction: Prediction,
    *,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 300,
    level: float = 0.95,
) -> Interval:
    """``metric`` on all rows, with its interval over resampled groups.

    ``groups``: n ids (of customers, series, days) that are drawn as wholes; None draws rows.
    ``level``: the share of resamples inside the interval. Equal seeds give equal intervals.
    Raises DataError where the metric is undefined on all rows or on over 5 % of the resamples.
    """
    rows = _Rows(metric, y, prediction)
    estimate = rows.value(np.ones(rows.size))
    drawn = _draws(groups, rows.size, seed, resamples)
    return _interval(estimate, np.array([rows.value_or_nan(weights) for weights in drawn]), level)


def with_weights(metric: Metric) -> Metric:
    """The metric over rows that stand for others: its predictions are ``(p, weight)``.

    >>> from models.metrics import base_rate
    >>> def rate(y, p, *, weights): return base_rate(y, weights=weights)
    >>> bootstrap(with_weights(rate), [1, 0], ([0.5, 0.5], [3, 1]), resamples=20).estimate
    0.75
    """

    def weighted(y: Floats, *predictions: Floats, weights: Floats) -> float:
        *of, weight = predictions
        return metric(y, *of, weights=weights * weight)

    return weighted


def resampled(
    metric: Metric,
    y: npt.ArrayLike,
    prediction: Prediction,
    *,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 300,
) -> Floats:
    """``metric`` on all rows, then on each resample, NaN where undefined: (1 + resamples,).

    Equal seeds, groups and rows draw alike, so figures that are made of several such (a mean over
    horizons, a ratio of two models) have their values side by side; ``interval`` sums them up.
    """
    rows = _Rows(metric, y, prediction)
    drawn = _draws(groups, rows.size, seed, resamples)
    ones = np.ones(rows.size)
    return np.array([rows.value_or_nan(ones), *(rows.value_or_nan(weights) for weights in drawn)])


def interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """What ``resampled`` returns, or a figure made of several such, as an interval.

    Raises DataError as ``bootstrap`` does.
    """
    figures = np.asarray(values, dtype=np.float64)
    return _interval(float(figures[0]), figures[1:], level)


def paired_bootstrap(
    metric: Metric,
    y: npt.ArrayLike,
    a: Prediction,
    b: Prediction,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
    *,
    resamples: int = 300,
    level: float = 0.95,
) -> Interval:
    """``metric(a) - metric(b)`` on the same rows and the same draws, with its interval.

    An interval above zero says that ``a`` has the higher metric beyond the noise of this sample of
    groups. ``y``, ``a``, ``b`` and ``groups`` (whose row it is): (rows,). Errors as for
    ``bootstrap``, and DataError where ``a`` and ``b`` have not the same rows.
    """
    first, second = _Rows(metric, y, a), _Rows(metric, y, b)
    if first.size != second.size:
        raise DataError(f"two sets of predictions to compare: {first.size} and {second.size} rows")
    ones = np.ones(first.size)
    estimate = first.value(ones) - second.value(ones)
    values = []
    for weights in _draws(groups, first.size, seed, resamples):
        values.append(first.value_or_nan(weights) - second.value_or_nan(weights))
    return _interval(estimate, np.array(values), level)


class _Rows:
    """The rows of one model, sorted by score once so that later sorts find sorted input."""

    def __init__(self, metric: Metric, y: npt.ArrayLike, prediction: Prediction) -> None:
        parts = prediction if isinstance(prediction, tuple) else (prediction,)
        arrays = [np.asarray(part, dtype=np.float64) for part in parts]
        labels = np.asarray(y, dtype=np.float64)
        self.size = len(labels)
        if any(part.shape != labels.shape for part in arrays):
            raise DataError(
                f"{self.size} labels, but predictions of shape "
                f"{', '.join(str(part.shape) for part in arrays)}; give one prediction per label"
            )
        self._order = np.argsort(-arrays[0], kind="stable")
        self._y = labels[self._order]
        self._parts = [part[self._order] for part in arrays]
        self._metric = metric

    def value(self, weights: Floats) -> float:
        return self._metric(self._y, *self._parts, weights=weights[self._order])

    def value_or_nan(self, weights: Floats) -> float:
        try:
            return self.value(weights)
        except DataError:
            return float("nan")


def _draws(groups: npt.ArrayLike | None, size: int, seed: int, resamples: int) -> Iterator[Floats]:
    """Weights per row, one array a resample: how often the row's group was drawn."""
    if resamples < 20:
        raise DataError(f"{resamples} resamples say nothing about an interval; take 200 or more")
    rng = np.random.default_rng(seed)
    if groups is None:
        codes, count = None, size
    else:
        codes, levels = pd.factorize(np.asarray(groups), use_na_sentinel=True)
        count = len(levels)
        if len(codes) != size:
            raise DataError(f"{size} labels, but {len(codes)} groups; give one group per label")
        if (codes < 0).any():
            raise DataError(f"{int((codes < 0).sum())} rows have no group; give each row one")
    for _ in range(resamples):
        drawn = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        yield drawn if codes is None else drawn[codes]


def _interval(estimate: float, values: Floats, level: float) -> Interval:
    if not 0 < level < 1:
        raise DataError(f"level is {level}; it is the share inside the interval, e.g. 0.95")
    defined = values[np.isfinite(values)]
    undefined = len(values) - len(defined)
    if not np.isfinite(estimate) or undefined > TOLERATED_UNDEFINED * len(values):
        raise DataError(
            f"the metric is {estimate:.4g} on all rows and undefined or infinite on {undefined} of "
            f"{len(values)} resamples: too few rows of one class, or predictions of exactly 0 or 1"
        )
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high))
