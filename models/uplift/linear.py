"""The effect as a line: doubly robust scores regressed on plain terms and the predicted risk.

Effects are small beside outcomes, so few rows tell little more than a direction; trees spend them
on thresholds. The terms are those of the risk models' regression (models/risk/linear.py), with the
outcome that was predicted for those left alone beside them. Ridge; how much by generalised
cross-validation (Golub, Heath & Wahba 1979), whose solutions are one decomposition (Semenova &
Chernozhukov 2021, "Debiased machine learning of conditional average treatment effects", is the
unpenalised one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Floats
from models.risk.encode import Encoder, Matrix
from models.risk.linear import Term, design, designed

PENALTIES = tuple(10.0 ** (step / 2) for step in range(-8, 5))
"""Of squared weights of standardised terms, as shares of a term's own variance."""


@dataclass(frozen=True)
class Line:
    """``weights``: of the terms and, as the last, of the risk; ``centre``: what all of them are
    less first, so that the mean effect of the rows learned from is 0."""

    terms: tuple[Term, ...]
    centre: Floats
    weights: Floats

    def predict(self, matrix: Matrix, risk: Floats) -> Floats:
        """n effects less their mean."""
        values: Floats = (_values(matrix, risk, self.terms) - self.centre) @ self.weights
        return values


def fit_line(matrix: Matrix, risk: Floats, scores: Floats, weight: Floats, of: Encoder) -> Line:
    """The line through n doubly robust ``scores``; ``risk``: the outcome if left alone."""
    terms = design(matrix, of, weight)
    values, share = _values(matrix, risk, terms), weight / weight.sum()
    centre = share @ values
    values -= centre
    spread = np.sqrt(share @ values**2)
    spread[spread < 1e-9] = np.inf
    values /= spread
    y = scores - share @ scores
    sizes, directions = np.linalg.eigh((values * share[:, None]).T @ values)
    sizes = np.maximum(sizes, 0.0)
    along = directions.T @ (values.T @ (share * y))
    total, rows = float(share @ y**2), 1.0 / float(share @ share)

    def criterion(penalty: float) -> float:
        weights = along / (sizes + penalty)
        left = total - float(2 * weights @ along - sizes @ weights**2)
        terms_used = 1.0 + float(np.sum(sizes / (sizes + penalty)))
        return left / (1.0 - min(terms_used / rows, 0.99)) ** 2

    best = min(PENALTIES, key=criterion)
    return Line(terms, centre, directions @ (along / (sizes + best)) / spread)


def _values(matrix: Matrix, risk: Floats, terms: tuple[Term, ...]) -> Floats:
    return np.column_stack([designed(matrix, terms), risk]).astype(np.float64)
