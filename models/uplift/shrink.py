"""How far to believe that customers differ: shrinkage of effects to their average.

A learner's held-out predictions are regressed on the doubly robust scores, which are unbiased for
the effect: the slope says how much of a predicted difference is real (Chernozhukov, Demirer, Duflo
& Fernández-Val, "Generic machine learning inference on heterogeneous treatment effects", 2.2, best
linear predictor). The slope is itself a noisy figure, so it is multiplied by what of its square is
not noise, max(0, 1 - se² / slope²): the positive-part James-Stein factor (Efron & Morris 1973).
With few data the noise is all there is, and everybody gets the average.

Averages of several actions are shrunk towards their common mean in the same spirit (``pooled``).

>>> keep_share(0.8, 0.2).round(2), keep_share(0.8, 0.9), keep_share(-0.5, 0.1)
(np.float64(0.75), np.float64(0.0), np.float64(0.0))
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data.arrays import Floats, Ints


class Slope(NamedTuple):
    """Of the scores on the predicted differences: 1 is all real, 0 is nothing."""

    slope: float
    se: float


def keep_share(slope: float, se: float) -> np.float64:
    """The share of predicted differences to keep, from 0 to 1."""
    sure = sure_share(slope, se)
    return np.float64(np.clip(slope * sure, 0.0, 1.0)) if sure > 0 else sure


def sure_share(slope: float, se: float) -> np.float64:
    """The share to keep of predictions that are scaled by their slope already (stack.py): what of
    it is not noise."""
    if not np.isfinite(slope) or not np.isfinite(se) or slope <= 0:
        return np.float64(0.0)
    return np.float64(max(0.0, 1.0 - (se / slope) ** 2))


def slope_of(
    scores: Floats, predicted: Floats, average: Floats, weight: Floats, customers: Ints
) -> Slope:
    """The slope of ``scores - average`` on ``predicted``, centred; robust to customers' repeats.

    All n, from models that did not see the row's customer.
    """
    x = predicted - np.average(predicted, weights=weight)
    y = scores - average
    y = y - np.average(y, weights=weight)
    bread = float(np.sum(weight * x * x))
    spread = float(np.average(np.abs(predicted), weights=weight))
    if bread <= 1e-16 * max(spread, 1e-12) * float(weight.sum()):
        return Slope(0.0, np.inf)
    slope = float(np.sum(weight * x * y)) / bread
    of_customer = np.bincount(customers, weights=weight * x * (y - slope * x))
    return Slope(slope, float(np.sqrt(np.sum(of_customer**2))) / bread)


def pooled(estimates: Floats, se: Floats) -> Floats:
    """Each estimate, shrunk to their common mean by what of their spread is not noise.

    The variance between is DerSimonian & Laird's (1986); one estimate stays what it is.
    """
    estimates, se = np.asarray(estimates, np.float64), np.asarray(se, np.float64)
    if len(estimates) < 2:
        return estimates
    weight = 1.0 / se**2
    mean = np.average(estimates, weights=weight)
    q = float(np.sum(weight * (estimates - mean) ** 2))
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(0.0, (q - (len(estimates) - 1)) / scale)
    centre = np.average(estimates, weights=1.0 / (se**2 + between))
    return centre + between / (between + se**2) * (estimates - centre)
