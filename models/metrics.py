"""How good is a forecast? Arrays in, one float out.

Labels ``y`` (0 to 1), predictions ``p`` (probabilities) and ``weights``: (rows,) each.

Every metric takes ``weights``: how much a row counts (default 1 each). Resampling customers is
then a matter of weights (``models.bootstrap``), and labels may be **soft**, a probability from a
known truth in place of 0 or 1: a row of label 0.3 counts as 0.3 of a complaint and 0.7 of none.
scikit-learn takes such a row as two, y = 1 with weight w·y and y = 0 with weight w·(1 − y), and the
tests hold these to its answers, to 1e-12. It is not called here because a thousand resamplings of
each metric would take several times as long, and because its log loss clips a prediction of 0 that
was wrong.

Errors are DataError and say which of these it was: no rows, lengths that differ, labels or
predictions that are missing, outside of [0, 1], or of one class only.

>>> average_precision([0, 1, 0, 1], [0.1, 0.9, 0.8, 0.7])
0.8333...
>>> roc_auc([0, 1, 0, 1], [0.1, 0.9, 0.8, 0.7])
0.75
>>> roc_auc([0, 0], [0.1, 0.2])
Traceback (most recent call last):
data.errors.DataError: roc_auc: every one of the 2 labels is 0; ...
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import xlog1py, xlogy

from data.arrays import Floats
from data.errors import DataError
from models.accuracy import (
    bias,
    coverage,
    wape,
)
from models.bootstrap import Interval, bootstrap, paired_bootstrap
from models.checked import ends_of_ties, labelled, needs_both, probabilities
from models.reliability import (
    Calibration,
    calibration,
    calibration_slope,
    ece,
    reliability,
)

__all__ = [
    "Interval",
    "bootstrap",
    "paired_bootstrap",
    "average_precision",
    "roc_auc",
    "log_loss",
    "log_loss_skill",
    "brier",
    "base_rate",
    "Calibration",
    "calibration",
    "calibration_slope",
    "observed_over_predicted",
    "ece",
    "reliability",
    "recall_at",
    "lift_at",
    "wape",
    "bias",
    "coverage",
]

# --- ranking -------------------------------------------------------------------------------------


def average_precision(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """Area under the precision-recall steps: sum of (R_k - R_k-1) P_k over distinct scores.

    As scikit-learn's ``average_precision_score``: no interpolation, ties enter together.
    Soft labels: expected true positives stand for counted ones.
    """
    y, p, w = labelled("average_precision", y, p, weights)
    needs_both("average_precision", y, w, absences=False)
    hit, rows_above = _cumulative(y, p, w)
    gained = np.diff(hit, prepend=0.0)
    # leading rows of weight 0 (not drawn) have neither precision nor anything to gain
    precision = np.divide(hit, rows_above, out=np.zeros_like(hit), where=rows_above > 0)
    return float((gained * precision).sum() / hit[-1])


def roc_auc(y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """P(a complainer scores above a non-complainer), ties counting one half.

    Soft labels: a row is both, with weight y and 1 - y (it ties with itself).
    """
    y, p, w = labelled("roc_auc", y, p, weights)
    needs_both("roc_auc", y, w)
    hit, rows_above = _cumulative(y, p, w)
    miss = rows_above - hit
    before = np.concatenate([[0.0], hit[:-1]])
    area = (np.diff(miss, prepend=0.0) * (before + hit) / 2).sum()
    return float(area / (hit[-1] * miss[-1]))


def recall_at(
    y: npt.ArrayLike, p: npt.ArrayLike, share: float = 0.05, *, weights: npt.ArrayLike | None = None
) -> float:
    """Share of all complaints that the ``share`` of rows with the highest scores hold.

    Ties at the border enter in proportion (what a random choice among them gives on the mean).
    """
    y, p, w = labelled("recall_at", y, p, weights)
    needs_both("recall_at", y, w, absences=False)
    return _top(y, p, w, share) / float((w * y).sum())


def lift_at(
    y: npt.ArrayLike, p: npt.ArrayLike, share: float = 0.05, *, weights: npt.ArrayLike | None = None
) -> float:
    """Rate in the top ``share`` over the base rate; 1 is chance, ``1 / share`` the most."""
    return recall_at(y, p, share, weights=weights) / share


# --- probabilities -------------------------------------------------------------------------------


def log_loss(y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Mean of -y ln p - (1 - y) ln(1 - p), in nats. Infinite where p = 0 meets y > 0: not clipped.

    Soft labels: the expected loss, least at p = y.
    """
    y, p, w = probabilities("log_loss", y, p, weights)
    return float(np.average(-xlogy(y, p) - xlog1py(1 - y, -p), weights=w))


def log_loss_skill(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """1 - log loss / log loss of the base rate told to everyone; 0 is no skill, 1 the most."""
    y, p, w = probabilities("log_loss_skill", y, p, weights)
    needs_both("log_loss_skill", y, w)
    rate = np.full_like(p, np.average(y, weights=w))
    return 1 - log_loss(y, p, weights=w) / log_loss(y, rate, weights=w)


def brier(y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Mean of (p - y) squared."""
    y, p, w = probabilities("brier", y, p, weights)
    return float(np.average((p - y) ** 2, weights=w))


def base_rate(y: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Mean label."""
    y, _, w = labelled("base_rate", y, y, weights)
    return float(np.average(y, weights=w))


def observed_over_predicted(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    share: float = 1.0,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Complaints seen / complaints predicted, of all rows or of the top ``share``; 1 is right."""
    y, p, w = probabilities("observed_over_predicted", y, p, weights)
    predicted = _top(p, p, w, share)
    if predicted <= 0:
        raise DataError("observed_over_predicted: the predictions add up to 0, so no ratio exists")
    return _top(y, p, w, share) / predicted


def _cumulative(y: Floats, p: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Complaints and rows at and above each distinct score, from the highest down."""
    if (p[1:] > p[:-1]).any():  # a resample's rows come sorted
        order = np.argsort(-p, kind="stable")
        y, p, w = y[order], p[order], w[order]
    ends = ends_of_ties(p)
    return np.cumsum(w * y)[ends], np.cumsum(w)[ends]


def _top(values: Floats, p: Floats, w: Floats, share: float) -> float:
    """Weighted sum of ``values`` over the ``share`` of weight with the highest ``p``."""
    if not 0 < share <= 1:
        raise DataError(f"share is {share}; it is a share of the rows, above 0 and at most 1")
    hit, rows_above = _cumulative(values, p, w)
    return float(
        np.interp(
            share * rows_above[-1],
            np.concatenate([[0.0], rows_above]),
            np.concatenate([[0.0], hit]),
        )
    )
