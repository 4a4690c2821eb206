"""Does 0.2 mean 0.2? Slope and intercept, reliability by bins, expected calibration error.

Labels ``y`` (0 to 1), predictions ``p`` (probabilities) and ``weights``: (rows,), as in
``models.metrics``.

>>> truth = [0.1, 0.2, 0.4, 0.8]
>>> calibration(truth, truth)  # soft labels: a forecaster who says what is true
Calibration(intercept=..., slope=1.0...)
>>> ece(truth, truth)
0.0
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from data.arrays import Floats
from data.errors import DataError
from models.checked import ends_of_ties, needs_both, probabilities

LOGIT_GUARD = 1e-6
"""Calibration regresses on logit(p), which is infinite at 0 and 1: p is held this far from both."""


class Calibration(NamedTuple):
    """logit P(y) = intercept + slope logit(p); 0 and 1 are perfect, slope < 1 is overconfident."""

    intercept: float
    slope: float


def calibration(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Calibration:
    """Logistic regression of the labels on logit(p) (Cox 1958), by Newton's method.

    Probabilities nearer than 1e-6 to 0 or 1 are read as 1e-6 from it, for this figure only. Raises
    DataError for one class, for equal predictions, and where predictions separate the classes.
    """
    y, p, w = probabilities("calibration", y, p, weights)
    needs_both("calibration", y, w)
    x = logit(np.clip(p, LOGIT_GUARD, 1 - LOGIT_GUARD))
    drawn = x[w > 0]
    spread = float(np.ptp(drawn))
    if spread < 1e-9:
        raise DataError(
            f"calibration: all predictions are {expit(drawn[0]):.4g}, so there is no slope"
        )
    centre = float(np.average(x, weights=w))
    z = x - centre  # centred: the two coefficients are nearly independent, Newton is stable
    rate = float(np.average(y, weights=w))
    intercept, slope = float(logit(rate)), 1.0  # where a usual model ends: fewer steps
    for _ in range(60):
        fitted = expit(intercept + slope * z)
        error, curvature = w * (y - fitted), w * fitted * (1 - fitted)
        a, b, c = curvature.sum(), (curvature * z).sum(), (curvature * z * z).sum()
        g, h = error.sum(), (error * z).sum()
        determinant = a * c - b * b
        if not determinant > 1e-12 * max(a * c, 1e-300) or abs(slope) * spread > 500:
            raise DataError("calibration: the predictions separate the classes; no slope is finite")
        step = np.array([(c * g - b * h) / determinant, (a * h - b * g) / determinant])
        # a step of over 4 logits overshoots where the sigmoid is flat
        step *= min(1.0, 4.0 / max(abs(step[0]), abs(step[1]) * spread, 1e-300))
        intercept, slope = intercept + float(step[0]), slope + float(step[1])
        if abs(step[0]) < 1e-10 and abs(step[1]) < 1e-10:
            return Calibration(intercept - slope * centre, slope)
    raise DataError("calibration: the predictions separate the classes; no slope is finite")


def calibration_slope(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """The slope of ``calibration``."""
    return calibration(y, p, weights=weights).slope


def ece(
    y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 10, *, weights: npt.ArrayLike | None = None
) -> float:
    """Expected calibration error: mean |predicted - observed| over bins of equal mass.

    With hard labels a perfect model has an ECE above 0, about sqrt(2 rate bins / (pi n)).
    """
    predicted, observed, weight = _bins("ece", y, p, bins, weights)
    return float(np.abs(predicted - observed) @ weight / weight.sum())


def reliability(
    y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 10, *, weights: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Bins of equal mass by rising prediction: predicted, observed (means), low, high, weight.

    Equal predictions share a bin, so there may be fewer bins than asked. ``low`` and ``high`` are
    the 95 % Wilson score interval of the observed rate (rows taken as independent).
    """
    predicted, observed, weight = _bins("reliability", y, p, bins, weights)
    q = 1.959963984540054**2
    centre = (observed + q / (2 * weight)) / (1 + q / weight)
    half = np.sqrt(q * (observed * (1 - observed) / weight + q / (4 * weight**2))) / (
        1 + q / weight
    )
    return pd.DataFrame(
        {
            "predicted": predicted,
            "observed": observed,
            "low": centre - half,
            "high": centre + half,
            "weight": weight,
        }
    )


def _bins(
    name: str, y: npt.ArrayLike, p: npt.ArrayLike, bins: int, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """Mean prediction, mean label and weight of each bin that has any."""
    y, p, w = probabilities(name, y, p, weights)
    if bins < 1:
        raise DataError(f"{name}: {bins} bins; take at least 1")
    if (p[1:] > p[:-1]).any():  # a resample's rows come sorted
        order = np.argsort(-p, kind="stable")
        y, p, w = y[order], p[order], w[order]
    y, p, w = y[::-1], p[::-1], w[::-1]
    last = ends_of_ties(p)
    total = np.cumsum(w)
    upper = total[last]
    middle = (np.concatenate([[0.0], upper[:-1]]) + upper) / 2 / total[-1]
    of_tie = np.minimum((middle * bins).astype(np.int64), bins - 1)
    bin_of = np.repeat(of_tie, np.diff(last, prepend=-1))
    weight = np.bincount(bin_of, w, bins).astype(np.float64)
    filled = weight > 0
    weight = weight[filled]
    predicted = np.bincount(bin_of, w * p, bins)[filled] / weight
    observed = np.bincount(bin_of, w * y, bins)[filled] / weight
    return predicted, observed, weight
