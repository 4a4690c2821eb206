"""Several learners as one: non-negative weights by what each told of customers it had not seen.

The doubly robust scores, less the average effect, are regressed on the learners' held-out
differences with weights that are not below zero (Breiman 1996, "Stacked regressions"; van der Laan,
Polley & Hubbard 2007, "Super learner"). The weights, in standard deviations, are drawn towards
each other (ridge) the more the less is known: by (se / slope)² of the mean of all learners, which
is small where there is much to tell and 1 where it is as large as its error.

Each learner's difference of a row comes from models without the row's customer; the few weights
are learned from all. Weights learned without a fold would lean on whatever told least of it by
chance, and did worse on companies with known effects.

>>> rng = np.random.default_rng(0)
>>> truth, noise = rng.normal(size=4000), rng.normal(size=4000)
>>> y = truth + rng.normal(0, 2, 4000)
>>> weights_of(np.column_stack([truth, noise]), y, np.ones(4000)).round(1)
array([1., 0.])
"""

from __future__ import annotations

import numpy as np

from data.arrays import Floats


def weights_of(learners: Floats, y: Floats, weight: Floats) -> Floats:
    """The weight (k,) of each column of ``learners`` (n × k), none below 0.

    ``y``: n doubly robust scores less the average effect; ``weight``: of the rows. Columns and
    ``y`` are centred first.
    """
    from scipy.optimize import nnls

    w = weight / weight.sum()
    x = learners - w @ learners
    y = y - w @ y
    spread = np.sqrt(w @ x**2)
    varies = spread > 1e-9 * np.maximum(np.abs(learners).max(axis=0), 1e-12)
    weights = np.zeros(learners.shape[1])
    if not varies.any():
        return weights
    x = x[:, varies] / spread[varies]
    many = int(varies.sum())
    mean = x.mean(axis=1)
    bread = float(w @ mean**2)
    slope = float(w @ (mean * y)) / max(bread, 1e-12)
    se = float(np.sqrt(np.sum((w * mean * (y - slope * mean)) ** 2))) / max(bread, 1e-12)
    ridge = min(1.0, (se / slope) ** 2) if slope > 0 else 1.0
    apart = np.eye(many) - np.ones((many, many)) / many
    products = (x * w[:, None]).T @ x + ridge * apart
    root = np.linalg.cholesky(products + 1e-9 * np.eye(many))
    solution, _ = nnls(root.T, np.linalg.solve(root, (x * w[:, None]).T @ y))
    weights[varies] = solution / spread[varies]
    return weights
