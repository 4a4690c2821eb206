"""Metrics against scikit-learn, statsmodels and arithmetic done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    roc_auc_score,
)
from sklearn.metrics import log_loss as sklearn_log_loss

from data.errors import DataError
from models import metrics


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities with many ties, and integer weights, some of them zero."""
    rng = np.random.default_rng(7)
    p = np.round(rng.beta(1, 6, 3000), 2)
    p = np.clip(p, 0.001, 0.999)
    y = (rng.random(3000) < p**1.3).astype(float)
    return y, p, rng.integers(0, 4, 3000).astype(float)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.average_precision, average_precision_score),
        (metrics.roc_auc, roc_auc_score),
        (metrics.brier, brier_score_loss),
        (metrics.log_loss, sklearn_log_loss),
    ],
)
def test_hard_labels_give_what_scikit_learn_gives(rows, ours, theirs):
    y, p, w = rows
    assert ours(y, p) == pytest.approx(theirs(y, p), rel=1e-12)
    assert ours(y, p, weights=w) == pytest.approx(theirs(y, p, sample_weight=w), rel=1e-12)


@pytest.mark.parametrize(
    "metric",
    [metrics.average_precision, metrics.roc_auc, metrics.log_loss, metrics.recall_at, metrics.ece],
)
def test_a_soft_label_is_a_weighted_pair_of_hard_ones(rows, metric):
    _, p, w = rows
    soft = np.random.default_rng(1).random(p.size)
    paired = metric(
        np.repeat([1.0, 0.0], p.size),
        np.tile(p, 2),
        weights=np.concatenate([w * soft, w * (1 - soft)]),
    )
    assert metric(soft, p, weights=w) == pytest.approx(paired, rel=1e-10)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.average_precision, average_precision_score),
        (metrics.roc_auc, roc_auc_score),
        (metrics.log_loss, sklearn_log_loss),
    ],
)
def test_soft_labels_give_what_scikit_learn_gives_for_the_pairs(rows, ours, theirs):
    _, p, w = rows
    soft = np.random.default_rng(1).random(p.size)
    both, twice = np.repeat([1.0, 0.0], p.size), np.tile(p, 2)
    stacked = np.concatenate([w * soft, w * (1 - soft)])
    expected = theirs(both, twice, sample_weight=stacked)
    assert ours(soft, p, weights=w) == pytest.approx(expected, abs=1e-12)


def test_soft_labels_cost_least_when_predicted_exactly():
    truth = np.random.default_rng(0).random(500)
    best = metrics.log_loss(truth, truth)
    assert best < metrics.log_loss(truth, np.clip(truth + 0.01, 0, 1))
    assert best < metrics.log_loss(truth, np.clip(truth - 0.01, 0, 1))
    assert metrics.ece(truth, truth) == 0
    assert metrics.calibration(truth, truth) == pytest.approx((0, 1), abs=1e-9)


def test_calibration_is_the_logistic_regression_on_the_logit(rows):
    y, p, w = rows
    x = sm.add_constant(np.log(p / (1 - p)))
    fit = sm.GLM(y, x, family=sm.families.Binomial(), freq_weights=w).fit(tol=1e-14)
    assert metrics.calibration(y, p, weights=w) == pytest.approx(tuple(fit.params), rel=1e-8)


def test_calibration_undoes_a_distortion():
    rng = np.random.default_rng(3)
    p = rng.beta(1, 8, 200_000)
    y = (rng.random(p.size) < p).astype(float)
    logit = np.log(p / (1 - p))
    told = 1 / (1 + np.exp(-(2 * logit + 1)))  # twice too sure, and shifted
    found = metrics.calibration(y, told)
    assert found.slope == pytest.approx(0.5, abs=0.01)
    assert found.intercept == pytest.approx(-0.5, abs=0.03)


def test_calibration_bears_probabilities_of_zero_and_one():
    found = metrics.calibration([0, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    assert np.isfinite(found.slope)
    assert found.slope > 0


def test_calibration_names_what_leaves_it_undefined():
    with pytest.raises(DataError, match=r"all predictions are 0\.3"):
        metrics.calibration([0, 1, 0], [0.3, 0.3, 0.3])
    with pytest.raises(DataError, match="separate the classes"):
        metrics.calibration([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])


def test_ece_by_hand():
    # two bins of two: mean predictions 0.15 and 0.75, observed 0.5 and 0.5
    assert metrics.ece([0, 1, 1, 0], [0.1, 0.2, 0.7, 0.8], bins=2) == pytest.approx(
        (0.35 + 0.25) / 2
    )


def test_equal_predictions_share_a_bin(rows):
    y, p, _ = rows
    table = metrics.reliability(y, np.full(p.size, 0.2), bins=10)
    assert len(table) == 1
    assert table["weight"].tolist() == [3000]
    table = metrics.reliability(y, p, bins=10)
    assert table["weight"].sum() == 3000
    assert table["predicted"].is_monotonic_increasing
    shuffled = np.random.default_rng(0).permutation(p.size)
    again = metrics.reliability(y[shuffled], p[shuffled], bins=10)
    np.testing.assert_allclose(table.to_numpy(), again.to_numpy(), rtol=1e-12)
    assert ((table["low"] <= table["observed"]) & (table["observed"] <= table["high"])).all()


def test_continuous_predictions_fill_bins_of_equal_mass():
    rng = np.random.default_rng(0)
    table = metrics.reliability(rng.random(1000), rng.random(1000), bins=10)
    assert table["weight"].tolist() == [100] * 10


def test_recall_and_lift_at_a_share():
    y = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    p = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]
    assert metrics.recall_at(y, p, 0.2) == pytest.approx(2 / 3)
    assert metrics.lift_at(y, p, 0.2) == pytest.approx((2 / 2) / 0.3)
    assert metrics.observed_over_predicted(y, p, 0.2) == pytest.approx(2 / 1.7)
    assert metrics.observed_over_predicted(y, p) == pytest.approx(3 / sum(p))


def test_ties_at_the_border_enter_in_proportion():
    # the top half of four equal scores: half of the complaints on the mean
    assert metrics.recall_at([1, 0, 0, 0], [0.5] * 4, 0.5) == pytest.approx(0.5)
    assert metrics.lift_at([1, 0, 0, 0], [0.5] * 4, 0.5) == pytest.approx(1.0)


def test_log_loss_is_infinite_where_certainty_was_wrong():
    assert metrics.log_loss([1, 0], [0.0, 0.1]) == np.inf
    assert metrics.log_loss([1, 0], [1.0, 0.0]) == 0


def test_skill_is_zero_for_the_base_rate_and_one_for_certainty():
    y = np.array([1.0, 0, 0, 0])
    assert metrics.log_loss_skill(y, np.full(4, 0.25)) == pytest.approx(0)
    assert metrics.log_loss_skill(y, y) == 1


@pytest.mark.parametrize(
    ("y", "p", "says"),
    [
        ([], [], "there are no rows"),
        ([0, 1], [0.1], "shapes"),
        ([0, np.nan], [0.1, 0.2], "1 of 2 actuals are missing"),
        ([0, 1], [0.1, np.inf], "1 of 2 predictions are missing or infinite"),
        ([0, 2], [0.1, 0.2], r"labels lie in \[0, 2\]"),
        ([0, 0], [0.1, 0.2], "every one of the 2 labels is 0"),
        ([1, 1], [0.1, 0.2], "every one of the 2 labels is 1"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(y, p, says):
    with pytest.raises(DataError, match=says):
        metrics.roc_auc(y, p)


def test_probabilities_outside_their_range_are_refused_but_scores_may_rank():
    assert metrics.roc_auc([0, 1], [-3.0, 17.0]) == 1
    with pytest.raises(DataError, match=r"predictions lie in \[-3, 17\]"):
        metrics.brier([0, 1], [-3.0, 17.0])


def test_weights_that_leave_one_class_are_one_class():
    with pytest.raises(DataError, match="is 0"):
        metrics.average_precision([0, 1, 0], [0.1, 0.2, 0.3], weights=[1, 0, 1])


def test_volume_errors_by_hand():
    y, f = [10.0, 0.0, 30.0], [12.0, 3.0, 25.0]
    assert metrics.wape(y, f) == pytest.approx(10 / 40)
    assert metrics.bias(y, f) == pytest.approx(0)
    assert metrics.wape(y, f, weights=[1, 0, 0]) == pytest.approx(0.2)


def test_intervals_by_hand():
    y, low, high = [10, 20, 30], [8, 21, 25], [12, 25, 30]
    assert metrics.coverage(y, low, high) == pytest.approx(2 / 3)
    with pytest.raises(DataError, match=r"first in row 1: 9 to 5"):
        metrics.coverage([1, 1], [0, 9], [2, 5])


def test_a_series_without_contacts_has_no_wape():
    with pytest.raises(DataError, match="nothing to be a share of"):
        metrics.wape([0, 0], [1, 2])
