"""Learners weighed by what they told of others, and the effect as a line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.risk.encode import learn_encoder
from models.uplift.linear import fit_line
from models.uplift.shrink import slope_of, sure_share
from models.uplift.stack import weights_of

SIZE = 3000
ONES = np.ones(SIZE)


def test_what_tells_weighs_and_nothing_weighs_below_zero() -> None:
    rng = np.random.default_rng(1)
    truth, other = rng.normal(size=SIZE), rng.normal(size=SIZE)
    y = 0.5 * truth + rng.normal(0, 1, SIZE)
    learners = np.column_stack([truth, 2 * other, np.full(SIZE, 7.0)])
    weights = weights_of(learners, y, ONES)
    assert weights[0] == pytest.approx(0.5, abs=0.08)
    assert weights.min() == 0 and weights[2] == 0 and weights[1] < 0.05
    assert weights_of(learners[:, 2:], y, ONES).tolist() == [0.0]
    assert weights_of(-learners[:, :1], y, ONES).tolist() == [0.0]


def test_where_little_is_known_the_weights_are_drawn_together() -> None:
    """Of two learners that tell alike one is not picked by chance."""
    apart, plain = [], []
    for seed in range(10):
        rng = np.random.default_rng([seed, 2])
        truth = rng.normal(size=SIZE)
        two = truth[:, None] + rng.normal(0, 0.3, (SIZE, 2))
        y = truth + rng.normal(0, 20, SIZE)
        apart.append(np.ptp(weights_of(two, y, ONES)))
        plain.append(np.ptp(np.linalg.lstsq(two, y, rcond=None)[0]))
    assert np.mean(apart) < 0.6 * np.mean(plain)


def test_noise_that_is_stacked_is_seldom_believed_and_little() -> None:
    kept = []
    for seed in range(40):
        rng = np.random.default_rng([seed, 4])
        learners, y = rng.normal(size=(800, 3)), rng.normal(size=800)
        told = (learners - learners.mean(axis=0)) @ weights_of(learners, y, np.ones(800))
        share = sure_share(*slope_of(y, told, 0 * y, np.ones(800), np.arange(800)))
        kept.append(share * told.std())
    assert np.median(kept) < 0.03  # of a deviation of 1


def test_a_line_finds_its_terms_and_noise_is_shrunk() -> None:
    rng = np.random.default_rng(5)
    plan = rng.choice(["a", "b", "c"], SIZE)
    use = np.where(rng.random(SIZE) < 0.2, np.nan, rng.exponential(2.0, SIZE))
    frame = pd.DataFrame({"use": use, "plan": pd.Categorical(plan)})
    encoder = learn_encoder(frame, ["use", "plan"])
    matrix, risk = encoder.matrix(frame), rng.random(SIZE)
    effect = 0.4 * risk - 0.3 * (plan == "b") - 0.2 * np.isnan(use)
    line = fit_line(matrix, risk, effect + rng.normal(0, 0.5, SIZE), ONES, encoder)
    told = line.predict(matrix, risk)
    assert np.corrcoef(told, effect)[0, 1] > 0.97 and told.mean() == pytest.approx(0, abs=1e-9)
    noise = fit_line(matrix, risk, rng.normal(0, 0.5, SIZE), ONES, encoder)
    assert noise.predict(matrix, risk).std() < 0.03 < told.std()


def test_a_term_of_one_value_in_the_rows_learned_from_tells_nothing() -> None:
    frame = pd.DataFrame({"same": np.ones(200), "other": np.arange(200.0)})
    encoder = learn_encoder(frame, ["same", "other"])
    matrix = encoder.matrix(frame)
    line = fit_line(matrix, np.full(200, 0.1), np.arange(200.0), np.ones(200), encoder)
    beyond = encoder.matrix(pd.DataFrame({"same": [1.0, 50.0], "other": [9.0, 9.0]}))
    assert np.ptp(line.predict(beyond, np.array([0.1, 0.9]))) == 0
