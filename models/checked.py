"""What may be judged: actuals, predictions and weights of one length, finite and in range.

Every metric begins here, so that they all refuse the same things in the same words.

>>> checked("brier", [0, 1], [0.2, float("nan")], None)
Traceback (most recent call last):
data.errors.DataError: brier: 1 of 2 predictions are missing or infinite (first in row 1); ...
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data.arrays import Floats
from data.errors import DataError


def checked(
    name: str, y: npt.ArrayLike, p: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """The three as float64 (rows,), finite, weights not negative and not all zero; none: 1 each.

    DataError, beginning with ``name``, for anything else, and for no rows.
    """
    actual, predicted = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    w = np.ones(actual.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if actual.ndim != 1 or actual.shape != predicted.shape or actual.shape != w.shape:
        raise DataError(
            f"{name}: actuals, predictions and weights have shapes {actual.shape}, "
            f"{predicted.shape} and {w.shape}; give three of one length"
        )
    if actual.size == 0:
        raise DataError(f"{name}: there are no rows to judge")
    for what, values in (("actuals", actual), ("predictions", predicted), ("weights", w)):
        bad = ~np.isfinite(values)
        if bad.any():
            raise DataError(
                f"{name}: {int(bad.sum())} of {bad.size} {what} are missing or infinite (first in "
                f"row {int(bad.argmax())}); judge only rows that have both label and prediction"
            )
    if w.min() < 0 or w.sum() <= 0:
        raise DataError(f"{name}: weights must not be negative and not all zero")
    return actual, predicted, w


def labelled(
    name: str, y: npt.ArrayLike, p: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """``checked``, where actuals are labels: DataError for one outside [0, 1]."""
    actual, predicted, w = checked(name, y, p, weights)
    _within(name, "labels", actual)
    return actual, predicted, w


def probabilities(
    name: str, y: npt.ArrayLike, p: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """``labelled``, where predictions are probabilities: DataError for one outside [0, 1]."""
    actual, predicted, w = labelled(name, y, p, weights)
    _within(name, "predictions", predicted)
    return actual, predicted, w


def _within(name: str, what: str, values: Floats) -> None:
    if values.min() < 0 or values.max() > 1:
        raise DataError(
            f"{name}: {what} lie in [{values.min():.4g}, {values.max():.4g}]; they are "
            "probabilities and must lie in [0, 1]"
        )


def needs_both(name: str, y: Floats, w: Floats, *, absences: bool = True) -> None:
    """DataError for labels ``y`` (rows,) of one class; rows of weight 0 in ``w`` are absent."""
    if not (w * y).sum() > 0:
        raise DataError(f"{name}: every one of the {y.size} labels is 0; {_ONE_CLASS}")
    if absences and not (w * (1 - y)).sum() > 0:
        raise DataError(f"{name}: every one of the {y.size} labels is 1; {_ONE_CLASS}")


_ONE_CLASS = "both complaints and their absence are needed: take a longer period or more customers"


def ends_of_ties(sorted_values: Floats) -> npt.NDArray[np.int64]:
    """Position of the last row of every run of equal values."""
    return np.flatnonzero(np.append(sorted_values[1:] != sorted_values[:-1], True))
