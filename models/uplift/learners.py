"""Whom contact helps: four learners of the effect, each honest about every row.

The rows are cut into folds of customers. For fold k everything is fitted on the other folds, the
arms' models that a second stage needs included (on the folds other than k and the row's own), so
what is predicted for fold k owes nothing to it. For new customers the k models are averaged.

- ``proportional``: the average relative effect times the risk, r · m0(x).
- ``t``: the difference of the two arms' models, m1(x) - m0(x).
- ``x``: trees on y - m0 of the contacted and m1 - y of the others, weighted by the odds (Künzel,
  Sekhon, Bickel & Yu 2019, "Metalearners", section 2).
- ``dr``: trees on the doubly robust score (Kennedy 2023, "Towards optimal doubly robust
  estimation of heterogeneous causal effects", section 3), rows weighted by e (1 - e), which is what
  a row weighs as evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.risk.encode import Matrix
from models.uplift.nuisance import ArmModels, UpliftTrees, arm_models, boost, raw_predictions, score

LEARNERS = ("proportional", "t", "x", "dr")
Predictor = Callable[[Matrix], Floats]


@dataclass(frozen=True)
class Rows:
    """What the learners read: n rows of one pair, in the order of their content."""

    matrix: Matrix
    categorical: tuple[int, ...]
    y: Floats
    treated: Bools
    odds: Floats
    fold: Ints

    @property
    def weight(self) -> Floats:
        return self.odds * (1.0 - self.odds)


@dataclass(frozen=True)
class CrossFit:
    """``scores``: n doubly robust scores; ``risk``: n of m0; ``held_out``: n × learners, each row
    predicted by models that never saw its customer; ``average``: n, the others' average effect."""

    scores: Floats
    risk: Floats
    held_out: Floats
    average: Floats
    models: tuple[dict[str, Predictor], ...]

    def predict(self, matrix: Matrix) -> Floats:
        """n × learners for new rows: the mean of the folds' models."""
        total = np.zeros((len(matrix), len(LEARNERS)))
        for fold in self.models:
            total += np.column_stack([fold[name](matrix) for name in LEARNERS])
        return total / len(self.models)


def cross_fit(rows: Rows, trees: UpliftTrees) -> CrossFit:
    """Every learner on every fold."""
    folds = range(trees.folds)
    size = len(rows.y)
    without = {k: _arms(rows, rows.fold != k, trees) for k in folds}
    without_two = {
        (j, k): _arms(rows, (rows.fold != j) & (rows.fold != k), trees)
        for j, k in combinations(folds, 2)
    }
    scores, risk, average = np.empty(size), np.empty(size), np.empty(size)
    held_out = np.empty((size, len(LEARNERS)))
    models = []
    for k in folds:
        here, others = rows.fold == k, rows.fold != k
        none, contact = without[k].predict(rows.matrix[here])
        scores[here] = score(rows.y[here], rows.treated[here], rows.odds[here], none, contact)
        risk[here] = none
        m0, m1 = np.empty(size), np.empty(size)
        for j in folds:
            if j != k:
                inner = rows.fold == j
                m0[inner], m1[inner] = without_two[min(j, k), max(j, k)].predict(rows.matrix[inner])
        fold = _second_stages(rows, others, m0[others], m1[others], without[k], trees)
        theirs = score(
            rows.y[others], rows.treated[others], rows.odds[others], m0[others], m1[others]
        )
        average[here] = np.average(theirs, weights=rows.weight[others])
        held_out[here] = np.column_stack([fold[name](rows.matrix[here]) for name in LEARNERS])
        models.append(fold)
    return CrossFit(scores, risk, held_out, average, tuple(models))


def _arms(rows: Rows, inside: Bools, trees: UpliftTrees) -> ArmModels:
    return arm_models(
        rows.matrix[inside], rows.y[inside], rows.treated[inside], trees, rows.categorical
    )


def _second_stages(
    rows: Rows, inside: Bools, m0: Floats, m1: Floats, arms: ArmModels, trees: UpliftTrees
) -> dict[str, Predictor]:
    matrix, y, treated, odds = (
        rows.matrix[inside],
        rows.y[inside],
        rows.treated[inside],
        rows.odds[inside],
    )
    weight = odds * (1.0 - odds)
    scores = score(y, treated, odds, m0, m1)
    # the score regressed on the risk through the origin is the relative effect
    relative = float(np.sum(weight * scores * m0) / max(float(np.sum(weight * m0 * m0)), 1e-12))

    def grown(at: Bools, target: Floats, weights: Floats) -> Predictor:
        booster = boost(
            matrix[at], target[at], trees, rows.categorical, weight=weights[at] / weights[at].mean()
        )
        return lambda new: raw_predictions(booster, new, trees)

    on_contact = grown(treated, y - m0, weight)
    on_none = grown(~treated, m1 - y, weight)
    share = float(np.average(odds))

    def t(new: Matrix) -> Floats:
        none, contact = arms.predict(new)
        return contact - none

    return {
        "proportional": lambda new: relative * arms.predict(new)[0],
        "t": t,
        # the weight may be any function of the features; the share treated is Künzel's choice
        "x": lambda new: share * on_none(new) + (1.0 - share) * on_contact(new),
        "dr": grown(np.ones(len(y), dtype=bool), scores, weight),
    }
