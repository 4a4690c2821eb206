"""What would have happened in each arm, and the doubly robust score of the difference.

``arm_models`` fits P(outcome | features) for those left alone, and for those contacted **starting
from it**: the trees of the second only say what contact changed, so an arm with few rows keeps what
the large one knows. ``score`` is the augmented inverse propensity score (Robins, Rotnitzky & Zhao
1994): its mean is the effect whatever the models say, since the odds are those that were drawn.

>>> score(np.array([1.0, 0.0]), np.array([True, False]), np.array([0.5, 0.5]),
...       np.array([0.3, 0.3]), np.array([0.2, 0.2]))
array([1.5, 0.5])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Bools, Floats
from models.risk.encode import Matrix


@dataclass(frozen=True)
class UpliftTrees:
    """How trees grow: few and small, since effects are an order smaller than outcomes."""

    folds: int = 4
    rounds: int = 60
    learning_rate: float = 0.06
    num_leaves: int = 5
    max_depth: int = 3
    leaf_share: float = 0.01
    """A leaf holds at least this share of the rows,"""
    least_rows_in_leaf: int = 40
    """and at least so many."""
    ridge: float = 20.0
    max_bins: int = 63
    none_per_contact: float = 6.0
    """Of those left alone so many for each who was contacted are read: more add little."""
    num_threads: int = 1

    def parameters(self, objective: str, rows: int) -> dict[str, Any]:
        return {
            "objective": objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "max_depth": self.max_depth,
            "min_data_in_leaf": max(self.least_rows_in_leaf, int(rows * self.leaf_share)),
            "lambda_l2": self.ridge,
            "max_bin": self.max_bins,
            "seed": 1,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": self.num_threads,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class ArmModels:
    """Outcome models of the two arms; ``binary``: outcomes are 0 or 1."""

    none: Any
    contact: Any
    shift: float
    binary: bool
    bounds: tuple[float, float]
    trees: UpliftTrees

    def predict(self, matrix: Matrix) -> tuple[Floats, Floats]:
        """(if left alone, if contacted), each n expected outcomes."""
        raw = raw_predictions(self.none, matrix, self.trees)
        contacted = raw + self.shift + raw_predictions(self.contact, matrix, self.trees)
        if self.binary:
            return 1 / (1 + np.exp(-raw)), 1 / (1 + np.exp(-contacted))
        return np.clip(raw, *self.bounds), np.clip(contacted, *self.bounds)


def boost(
    matrix: Matrix,
    y: Floats,
    trees: UpliftTrees,
    categorical: tuple[int, ...],
    *,
    objective: str = "regression",
    weight: Floats | None = None,
    offset: Floats | None = None,
) -> Any:
    """A LightGBM Booster of these rows."""
    import lightgbm

    data = lightgbm.Dataset(
        matrix,
        y,
        weight=weight,
        init_score=offset,
        categorical_feature=list(categorical),
        params=trees.parameters(objective, len(y)),
    )
    return lightgbm.train(trees.parameters(objective, len(y)), data, trees.rounds)


def raw_predictions(booster: Any, matrix: Matrix, trees: UpliftTrees) -> Floats:
    """n raw scores: log odds of a binary model."""
    raw = booster.predict(matrix, raw_score=True, num_threads=trees.num_threads)
    return np.asarray(raw, dtype=np.float64)


def arm_models(
    matrix: Matrix, y: Floats, treated: Bools, trees: UpliftTrees, categorical: tuple[int, ...]
) -> ArmModels:
    """Both arms' models from rows of both arms; an outcome that never varies is a constant."""
    binary = bool(np.isin(y, (0.0, 1.0)).all())
    objective = "binary" if binary else "regression"
    none = boost(matrix[~treated], y[~treated], trees, categorical, objective=objective)
    start = raw_predictions(none, matrix[treated], trees)
    shift = _shift(start, y[treated], binary)
    contact = boost(
        matrix[treated],
        y[treated],
        trees,
        categorical,
        objective=objective,
        offset=start + shift,
    )
    return ArmModels(none, contact, shift, binary, (float(y.min()), float(y.max())), trees)


def _shift(start: Floats, y: Floats, binary: bool) -> float:
    """The one number to add so that the mean is the arm's own; half a row of doubt on each side."""
    if not binary:
        return float(np.mean(y - start))
    shift = 0.0
    wanted = float(y.sum()) + 0.5
    for _ in range(25):
        p = 1 / (1 + np.exp(-(start + shift)))
        slope = float((p * (1 - p)).sum()) * (1 + 1 / len(y))
        step = (wanted - float(p.sum()) * (1 + 1 / len(y))) / max(slope, 1e-9)
        shift += float(np.clip(step, -1, 1))
        if abs(step) < 1e-9:
            break
    return shift


def score(y: Floats, treated: Bools, odds: Floats, none: Floats, contact: Floats) -> Floats:
    """m1 - m0 + T (y - m1) / e - (1 - T) (y - m0) / (1 - e), n scores in the outcome's units."""
    return (
        contact
        - none
        + np.where(treated, (y - contact) / odds, 0.0)
        - np.where(treated, 0.0, (y - none) / (1.0 - odds))
    )
