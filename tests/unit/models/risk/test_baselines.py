"""The baselines are honest: each finds what it can see, and refuses what it cannot learn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from models.metrics import roc_auc
from models.risk.baselines import (
    logistic_regression,
    recency_frequency_rule,
    usual_lightgbm,
)

RNG = np.random.default_rng(3)
ROWS = 4000


def rows() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Complaints follow complaints: risk falls with recency and rises with frequency."""
    frequency = RNG.poisson(1.0, ROWS).astype(float)
    recency = np.where(frequency > 0, RNG.exponential(40, ROWS), np.nan)
    score = -3 + 0.5 * frequency - 0.02 * np.nan_to_num(recency, nan=100.0)
    y = (RNG.random(ROWS) < 1 / (1 + np.exp(-score))).astype(float)
    frame = pd.DataFrame({"recency": recency, "count": frequency})
    frame["kind"] = pd.Categorical(RNG.choice(["a", "b"], ROWS))
    return frame, y, np.repeat(np.arange(10), ROWS // 10)


def test_all_three_rank_new_rows_better_than_chance() -> None:
    frame, y, as_of = rows()
    new, labels, _ = rows()
    rule = recency_frequency_rule(frame["recency"], frame["count"], y)
    linear = logistic_regression(frame, y, as_of, columns=["recency", "count"])
    trees = usual_lightgbm(frame, y, as_of, columns=["recency", "count", "kind"])
    for predicted in (
        rule.predict(new["recency"], new["count"]),
        linear.predict(new),
        trees.predict(new),
    ):
        assert roc_auc(labels, predicted) > 0.7
        assert abs(predicted.mean() - labels.mean()) < 0.02


def test_a_cell_without_rows_predicts_the_rate_above_it() -> None:
    rule = recency_frequency_rule([1.0, 1.0, np.nan, np.nan], [1, 1, 0, 0], [1, 0, 0, 0])
    unseen = rule.predict([1.0], [50.0])[0]
    assert unseen == pytest.approx((1 + 20 * 0.25) / 22)
    assert rule.predict([100.0], [0.0])[0] == pytest.approx(0.25)


def test_one_class_or_unknown_labels_are_refused() -> None:
    frame, y, as_of = rows()
    with pytest.raises(DataError, match="all 4000 labels are 0"):
        logistic_regression(frame, y * 0, as_of, columns=["count"])
    with pytest.raises(DataError, match="1 unknown"):
        usual_lightgbm(frame, np.where(np.arange(ROWS) == 0, np.nan, y), as_of, columns=["count"])


def test_equal_seeds_give_equal_trees() -> None:
    frame, y, as_of = rows()
    first, second = (usual_lightgbm(frame, y, as_of, columns=["count", "recency"]) for _ in "ab")
    assert np.array_equal(first.predict(frame), second.predict(frame))
