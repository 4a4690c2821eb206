"""Scores of several parts into one calibrated probability: a sum of log odds.

    logit risk = level + sum over parts of share × score

The shares are learned by logistic regression on later rows that no part was trained on, never
negative (a higher score of a part never means a lower risk) and drawn to a prior: shares for the
parts of the same horizon, none for those of other horizons. Their sum is
the calibration's slope. Since the sum is plain, contributions of parts are contributions to the
calibrated score.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> score = rng.normal(size=(20000, 2))
>>> y = (rng.random(20000) < 1 / (1 + np.exp(-score[:, 0] + 2))).astype(float)
>>> mix(score, y, np.ones(20000), prior=np.array([0.5, 0.5]), strength=30).shares.round(1) + 0.0
array([1., 0.])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from data.arrays import Floats


@dataclass(frozen=True)
class Mixture:
    """The level (log odds) and the parts' shares."""

    level: float
    shares: Floats

    def score(self, scores: Floats) -> Floats:
        """Log odds per row from rows × parts, added in the order of the parts."""
        total = np.full(len(scores), self.level)
        for at, share in enumerate(self.shares):
            if share:
                total += share * np.ascontiguousarray(scores[:, at])
        return total


def mix(
    scores: Floats,
    y: Floats,
    weights: Floats,
    *,
    prior: Floats,
    strength: float,
    steady: float = 0.0,
) -> Mixture:
    """The most likely shares under a normal prior worth ``strength`` complaints.

    ``steady``: complaints' worth of belief in the sum of the prior (1: scores are calibrated).
    Parts that learned from half of the rows are flatter than they will be when they have learned
    from all of them, and would ask for shares that are too large.

    ``scores``: rows × parts, log odds of rows that no part has seen. ``y``: labels 0 or 1.
    """
    from scipy.optimize import minimize

    rate = float(np.clip(np.average(y, weights=weights), 1e-6, 1 - 1e-6))
    centre = np.average(scores, axis=0, weights=weights)
    z = scores - centre
    # the prior counts in units of one complaint's information on a score of unit spread
    unit = max(float(np.average((z @ prior) ** 2, weights=weights)), 1e-3)
    ridge, stiff = strength * unit, steady * unit

    def loss(at: Floats) -> tuple[float, Floats]:
        eta = at[0] + z @ at[1:]
        away = at[1:] - prior
        excess = float(away.sum())
        value = float((weights * (np.logaddexp(0.0, eta) - y * eta)).sum())
        error = weights * (expit(eta) - y)
        gradient = np.concatenate([[error.sum()], z.T @ error + ridge * away + stiff * excess])
        scale = max(float((weights * y).sum()), 1.0)
        value += ridge / 2 * float(away @ away) + stiff / 2 * excess**2
        return value / scale, gradient / scale

    start = np.concatenate([[logit(rate)], prior])
    bounds = [(None, None)] + [(0.0, None)] * len(prior)
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    shares = np.where(optimum[1:] < 1e-4, 0.0, optimum[1:])
    return Mixture(float(optimum[0] - centre @ shares), shares)


def levelled(score: Floats, y: Floats, weights: Floats, *, strength: float) -> float:
    """The step in log odds that makes these rows' mean risk meet their rate of complaints.

    Drawn to 0 by a prior worth ``strength`` complaints. ``score``: log odds so far.
    """
    step = 0.0
    for _ in range(50):
        risk = expit(score + step)
        slope = float((weights * risk * (1 - risk)).sum()) + strength
        move = (float((weights * (y - risk)).sum()) - strength * step) / slope
        step += float(np.clip(move, -1.0, 1.0))
        if abs(move) < 1e-10:
            break
    return float(step)


def recalibrated_loss(score: Floats, y: Floats, weights: Floats) -> float:
    """Log loss (nats a row) of a score after the best intercept and slope; ranks candidates."""
    return float(np.average(recalibrated_losses(score, y, weights), weights=weights))


def recalibrated_losses(score: Floats, y: Floats, weights: Floats) -> Floats:
    """The same row by row."""
    centre = float(np.average(score, weights=weights))
    z = score - centre
    rate = float(np.clip(np.average(y, weights=weights), 1e-9, 1 - 1e-9))
    unit = max(float(np.average(z**2, weights=weights)), 1e-3)  # one complaint's worth of belief
    level, slope = float(logit(rate)), 1.0
    for _ in range(30):  # Newton steps for two numbers: a general minimiser takes ten times longer
        risk = expit(level + slope * z)
        error, heft = weights * (risk - y), weights * risk * (1 - risk)
        first, second = float(error.sum()), float(error @ z) + unit * (slope - 1)
        a, b, c = float(heft.sum()), float(heft @ z), float(heft @ z**2) + unit
        whole = max(a * c - b * b, 1e-12)
        step, turn = (c * first - b * second) / whole, (a * second - b * first) / whole
        level -= float(np.clip(step, -2.0, 2.0))
        slope = max(slope - float(np.clip(turn, -1.0, 1.0)), 0.0)
        if abs(step) + abs(turn) < 1e-7:
            break
    eta = level + slope * z
    return np.logaddexp(0.0, eta) - y * eta
