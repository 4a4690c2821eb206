"""A regularised logistic regression on log-transformed features, small enough to read.

Trees find thresholds and interactions, but need many rows to draw a straight line; a regression on
log-transformed counts and days draws it from few. Each column becomes ``sign(x) log(1 + |x|)``,
standardised, missing at the mean with a term of its own for being missing; each frequent value
of a category becomes a term of its own. The score is ``intercept + sum of term contributions``, so
what a feature contributed is exact: the sum of its terms.

Terms are added one by one in a fixed order: a row's score does not depend, to the last bit, on the
rows it is scored with (a matrix product's might).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from data.arrays import Bools, Floats
from data.errors import DataError
from models.risk.encode import Encoder, Matrix

RARE = 20
"""A category's value needs this many rows, and so do missing and present, to be a term."""
WIDEST = 4.0
"""Standardised values are held within this many deviations, so that no outlier decides alone."""


@dataclass(frozen=True)
class Term:
    """One term of the sum, from matrix column ``column``.

    ``amount``: ``weight × (clip(slog(x), ±WIDEST deviations) - centre) / spread``, 0 if missing.
    ``missing`` and ``value``: ``weight × ((1 if missing, or x == code, else 0) - centre)``.
    """

    column: int
    kind: Literal["amount", "missing", "value"]
    centre: float
    spread: float
    code: float
    weight: float


@dataclass(frozen=True)
class Linear:
    """``intercept`` and terms; scores are log odds. Terms are centred on the training mean."""

    intercept: float
    terms: tuple[Term, ...]

    def score(self, matrix: Matrix) -> Floats:
        """Log odds per row."""
        total = np.full(len(matrix), self.intercept)
        columns = _Columns(matrix)
        for term in self.terms:
            total += term.weight * _values(term, columns)
        return total

    def contributions(self, matrix: Matrix) -> Floats:
        """Log odds per row and matrix column; with ``intercept`` they add up to the score."""
        out = np.zeros(matrix.shape)
        columns = _Columns(matrix)
        for term in self.terms:
            out[:, term.column] += term.weight * _values(term, columns)
        return out

    def to_json(self) -> dict[str, Any]:
        rows = [
            [term.column, term.kind, term.centre, term.spread, term.code, term.weight]
            for term in self.terms
        ]
        return {"intercept": self.intercept, "terms": rows}


def linear_from_json(document: Mapping[str, Any]) -> Linear:
    terms = tuple(
        Term(int(column), kind, float(centre), float(spread), float(code), float(weight))
        for column, kind, centre, spread, code, weight in document["terms"]
    )
    return Linear(float(document["intercept"]), terms)


def design(matrix: Matrix, encoder: Encoder, weights: Floats) -> tuple[Term, ...]:
    """The terms, still of weight 1, that these training rows can support."""
    terms: list[Term] = []
    columns = _Columns(matrix)
    total = weights.sum()
    for at in range(matrix.shape[1]):
        absent = columns.missing(at)
        if RARE <= absent.sum() <= len(absent) - RARE:
            share = float((weights * absent).sum() / total)
            terms.append(Term(at, "missing", share, 1.0, 0.0, 1.0))
        present = ~absent
        if present.sum() < RARE:
            continue
        if at in encoder.categorical:
            counts = np.bincount(matrix[present, at].astype(np.int64))
            for code in np.flatnonzero(counts >= RARE):
                share = float((weights * (matrix[:, at] == code)).sum() / total)
                terms.append(Term(at, "value", share, 1.0, float(code), 1.0))
        else:
            amounts, own_weights = columns.amount(at)[present], weights[present]
            centre = float(np.average(amounts, weights=own_weights))
            spread = float(np.sqrt(np.average((amounts - centre) ** 2, weights=own_weights)))
            if spread > 1e-6:
                terms.append(Term(at, "amount", centre, spread, 0.0, 1.0))
    return tuple(terms)


def designed(matrix: Matrix, terms: Sequence[Term]) -> npt.NDArray[np.float32]:
    """The terms' values, one column each, for fitting."""
    columns = _Columns(matrix)
    out = np.empty((len(matrix), len(terms)), dtype=np.float32, order="F")
    for at, term in enumerate(terms):
        out[:, at] = _values(term, columns)
    return out


def fit_linear(
    values: npt.NDArray[np.float32],
    terms: Sequence[Term],
    y: Floats,
    weights: Floats,
    *,
    penalties: Sequence[float],
) -> list[Linear]:
    """The most likely weights under each ridge penalty (pseudo-rows per squared weight).

    ``values`` are ``designed(matrix, terms)`` of the rows. Newton steps with Cholesky, since terms
    are far fewer than rows; each penalty, in the order given, begins where the last one ended.
    """
    from sklearn.linear_model import LogisticRegression

    if y.min() == y.max():
        raise DataError(f"all {len(y)} labels are {y[0]:g}; both classes are needed")
    model = LogisticRegression(solver="newton-cholesky", max_iter=50, tol=1e-5, warm_start=True)
    fits = []
    for penalty in penalties:
        model.set_params(C=1.0 / penalty).fit(values, y, sample_weight=weights)
        fitted = tuple(
            Term(term.column, term.kind, term.centre, term.spread, term.code, float(weight))
            for term, weight in zip(terms, model.coef_[0], strict=True)
            if weight != 0
        )
        fits.append(Linear(float(model.intercept_[0]), fitted))
    return fits


class _Columns:
    """Contiguous float64 columns of a matrix, each transformed once, the last one kept."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._at = -1
        self._raw: Floats = np.empty(0)
        self._amount: Floats | None = None

    def raw(self, at: int) -> Floats:
        if at != self._at:
            self._raw = np.ascontiguousarray(self._matrix[:, at], dtype=np.float64)
            self._at, self._amount = at, None
        return self._raw

    def missing(self, at: int) -> Bools:
        return np.isnan(self.raw(at))

    def amount(self, at: int) -> Floats:
        raw = self.raw(at)
        if self._amount is None:
            self._amount = np.copysign(np.log1p(np.abs(raw)), raw)
        return self._amount


def _values(term: Term, columns: _Columns) -> Floats:
    if term.kind == "amount":
        standard = (columns.amount(term.column) - term.centre) / term.spread
        held = np.minimum(np.maximum(standard, -WIDEST), WIDEST)
        return np.where(np.isnan(held), 0.0, held)
    if term.kind == "missing":
        return columns.missing(term.column).astype(np.float64) - term.centre
    return (columns.raw(term.column) == term.code).astype(np.float64) - term.centre
