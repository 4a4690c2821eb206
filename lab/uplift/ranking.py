"""Is the ranking worth anything? Qini, AUUC and calibration of effects that nobody can see.

All are means of **gain scores**: one doubly robust score a decision of how much contact helped
(``gain_scores``), unbiased for the customer's own gain though each is mostly noise. Contact the
best-ranked share u of n customers: the curve is Q(u) = sum of their scores / n.

- ``auuc``: the area under Q from 0 to 1.
- ``qini``: that area minus Q(1) / 2, what a random order gets (Radcliffe 2007, "Using control
  groups to target on predicted lift"; by scores: Yadlowsky et al. 2021, "Evaluating treatment
  prioritization rules via rank-weighted average treatment effects", 2.2). In the outcome's units.

Ties are spread evenly, so a constant ranking has a Qini of exactly 0.

>>> gains, ranking = np.array([1.0, 0.0, 0.0, -1.0]), np.array([4.0, 3.0, 2.0, 1.0])
>>> qini(gains, ranking), qini(gains, np.ones(4)), auuc(gains, ranking)
(0.1875, 0.0, 0.1875)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats, Ints
from data.errors import DataError
from models.bootstrap import Interval, bootstrap
from models.uplift.clusters import clustered_mean
from models.uplift.nuisance import score
from models.uplift.trial import BETTER, Pair


def gain_scores(
    two: Pair, if_left_alone: npt.ArrayLike | None = None, if_contacted: npt.ArrayLike | None = None
) -> Floats:
    """n doubly robust scores of how much contact helped, more is better.

    ``if_left_alone``, ``if_contacted``: n expected outcomes each, from models that did not see the
    row's customer; None takes the arm's mean, weighted by its odds. Either way unbiased.
    """
    t, e = two.treated, two.propensity
    none = np.average(two.y[~t], weights=1.0 / (1.0 - e[~t]))
    contact = np.average(two.y[t], weights=1.0 / e[t])
    m0 = np.full(len(t), none) if if_left_alone is None else np.asarray(if_left_alone, np.float64)
    m1 = np.full(len(t), contact) if if_contacted is None else np.asarray(if_contacted, np.float64)
    return BETTER[two.outcome] * score(two.y, t, e, m0, m1)


def gain_curve(
    gains: npt.ArrayLike, ranking: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """(shares contacted, gain per customer of all), from (0, 0) on, one point per distinct rank."""
    g, r = np.asarray(gains, np.float64), np.asarray(ranking, np.float64)
    w = np.ones(len(g)) if weights is None else np.asarray(weights, np.float64)
    if len(g) != len(r) or not len(g):
        raise DataError(f"{len(g)} gains and {len(r)} ranks: give one rank for each gain")
    if not np.isfinite(r).all():
        raise DataError(f"{int((~np.isfinite(r)).sum())} customers have no rank; rank each of them")
    order = np.argsort(-r, kind="stable")
    last = np.flatnonzero(np.append(np.diff(r[order]) != 0, True))
    total = w.sum()
    shares = np.cumsum(w[order])[last] / total
    gained = np.cumsum((w * g)[order])[last] / total
    return np.append(0.0, shares), np.append(0.0, gained)


def auuc(
    gains: npt.ArrayLike, ranking: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """The area under the gain curve."""
    shares, gained = gain_curve(gains, ranking, weights)
    return float(np.trapezoid(gained, shares))


def qini(
    gains: npt.ArrayLike, ranking: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """The area between the gain curve and the straight line to its end."""
    shares, gained = gain_curve(gains, ranking, weights)
    return float(np.trapezoid(gained, shares) - gained[-1] / 2)


def qini_interval(
    gains: npt.ArrayLike, ranking: npt.ArrayLike, customers: Ints, *, resamples: int = 300
) -> Interval:
    """``qini`` with its 95 % interval over resampled customers."""
    return bootstrap(qini, gains, ranking, groups=customers, resamples=resamples)


def calibration(
    gains: npt.ArrayLike, predicted: npt.ArrayLike, customers: Ints, *, parts: int = 10
) -> pd.DataFrame:
    """Predicted against observed gain by tenth of the prediction, the highest first.

    ``part, rows, predicted, observed, low, high``: a 95 % interval, robust to customers' repeats.
    Ties are cut by position in the order given.
    """
    g, p = np.asarray(gains, np.float64), np.asarray(predicted, np.float64)
    if len(g) < parts:
        raise DataError(f"{len(g)} rows cannot be cut into {parts} parts")
    rows = []
    for at, inside in enumerate(np.array_split(np.argsort(-p, kind="stable"), parts), start=1):
        mean, se = clustered_mean(g[inside], customers[inside])
        rows.append((at, len(inside), p[inside].mean(), mean, mean - 1.96 * se, mean + 1.96 * se))
    return pd.DataFrame(rows, columns=["part", "rows", "predicted", "observed", "low", "high"])
