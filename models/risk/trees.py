"""Boosted trees on the feature matrix: small ones, the same for the same rows in any order.

Equal rows must give equal models, whatever order or names the customers have. So rows are brought
into the order of their own content first, nothing is drawn by row, and LightGBM runs with fixed
seeds and ``deterministic``. Scores are raw: log odds for ``binary``, log counts for ``poisson``.

The number of trees is chosen on later rows by their loss **after** recalibrating (intercept and
slope): whether the level of complaints has moved meanwhile must not decide how many trees to grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Floats
from models.risk.encode import Matrix

LEAST_FEATURES = 15
"""Features that a tree may use at the least, where there are that many."""


@dataclass(frozen=True)
class TreeSettings:
    """How trees grow. Small leaves' counts and depth keep exact contributions cheap to compute."""

    learning_rate: float = 0.08
    num_leaves: int = 12
    max_depth: int = 5
    min_rows_in_leaf: int = 60
    feature_share: float = 0.25
    """Share of the features that a tree may use; at least ``LEAST_FEATURES`` of them."""
    ridge: float = 10.0
    max_bins: int = 63
    rounds: tuple[int, ...] = (8, 15, 30, 53, 83, 120)
    """Numbers of trees to choose from."""

    def parameters(
        self, objective: str, features: int, seed: int, num_threads: int
    ) -> dict[str, Any]:
        """LightGBM's parameters for a matrix of so many features."""
        return {
            "objective": objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "max_depth": self.max_depth,
            "min_data_in_leaf": self.min_rows_in_leaf,
            "feature_fraction": min(max(self.feature_share, LEAST_FEATURES / features), 1.0),
            "lambda_l2": self.ridge,
            "max_bin": self.max_bins,
            "cat_smooth": 20.0,
            "cat_l2": 20.0,
            "min_data_per_group": 50,
            "bin_construct_sample_cnt": 50_000,
            "seed": seed,
            "deterministic": True,
            # a tree sees a quarter of the features: columns that stand alone are then counted
            # three times as fast as rows of bundles
            "force_col_wise": True,
            "enable_bundle": False,
            "num_threads": num_threads,
            "verbosity": -1,
        }


def grow(
    matrix: Matrix,
    y: Floats,
    weights: Floats,
    categorical: Sequence[int],
    settings: TreeSettings,
    *,
    objective: str = "binary",
    rounds: int,
    seed: int,
    num_threads: int,
    offset: Floats | None = None,
    **more: Any,
) -> Any:
    """A LightGBM Booster of ``rounds`` trees; with ``offset`` (raw scores of the rows) for what
    that leaves to be said: add it again when scoring."""
    import lightgbm

    parameters = settings.parameters(objective, matrix.shape[1], seed, num_threads) | more
    data = _dataset(matrix, y, weights, categorical, offset, parameters)
    return lightgbm.train(parameters, data, rounds)


def growing(
    matrix: Matrix,
    y: Floats,
    weights: Floats,
    categorical: Sequence[int],
    settings: TreeSettings,
    held: Matrix,
    *,
    objective: str = "binary",
    seed: int,
    num_threads: int,
) -> Iterator[tuple[int, Floats]]:
    """A number of trees and the raw scores of ``held`` after so many, for each number of trees in
    ``settings.rounds`` that is asked for: trees that nobody looks at are not grown."""
    import lightgbm

    parameters = settings.parameters(objective, matrix.shape[1], seed, num_threads)
    data = _dataset(matrix, y, weights, categorical, None, parameters)
    booster = lightgbm.Booster(parameters, data)
    total = np.zeros(len(held))
    for count in settings.rounds:
        grown = booster.current_iteration()
        for _ in range(count - grown):
            booster.update()
        total = total + raw_score(booster, held, first=grown, num_threads=num_threads)
        yield count, total


def _dataset(
    matrix: Matrix,
    y: Floats,
    weights: Floats,
    categorical: Sequence[int],
    offset: Floats | None,
    parameters: Mapping[str, Any],
) -> Any:
    """A Dataset that is built with ``parameters``: a Booster would build it with its defaults.

    LightGBM keeps the number of threads in one place for the whole process. A dataset that is built
    with another number while a fit beside it runs writes past the end of its buffers.
    """
    import lightgbm

    return lightgbm.Dataset(
        matrix,
        y,
        weight=weights,
        init_score=offset,
        categorical_feature=list(categorical),
        params=dict(parameters),
        free_raw_data=True,
    )


def staged(
    booster: Any, matrix: Matrix, rounds: Sequence[int], *, num_threads: int = 1
) -> list[Floats]:
    """Raw scores after each of ``rounds`` (ascending), every tree evaluated once."""
    scores: list[Floats] = []
    for start, count in zip((0, *rounds[:-1]), rounds, strict=True):
        added = raw_score(
            booster, matrix, first=start, count=count - start, num_threads=num_threads
        )
        scores.append(added if not scores else scores[-1] + added)
    return scores


def raw_score(
    booster: Any, matrix: Matrix, *, first: int = 0, count: int = -1, num_threads: int = 1
) -> Floats:
    """Raw scores per row (and class, for more than two), in the order of the rows, of ``count``
    trees (-1: of all) from the ``first`` on."""
    if len(matrix) == 0:
        return np.empty(0)
    scores = booster.predict(
        matrix,
        raw_score=True,
        start_iteration=first,
        num_iteration=count,
        num_threads=num_threads,
        validate_features=False,
    )
    return np.asarray(scores, dtype=np.float64)


def contributions(booster: Any, matrix: Matrix, *, num_threads: int = 1) -> Floats:
    """Exact Shapley contributions (Lundberg et al. 2020, TreeSHAP) per row: columns, then base."""
    if len(matrix) == 0:
        return np.empty((0, matrix.shape[1] + 1))
    amounts = booster.predict(
        matrix, pred_contrib=True, num_threads=num_threads, validate_features=False
    )
    return np.asarray(amounts, dtype=np.float64)
