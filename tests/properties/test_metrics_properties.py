"""What holds of every metric: row order, repetition and monotone changes do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from data.errors import DataError
from models import metrics

RANKING = [metrics.average_precision, metrics.roc_auc, metrics.recall_at, metrics.lift_at]
PROBABILITY = [metrics.log_loss, metrics.brier, metrics.ece, metrics.calibration_slope]

eighths = st.sampled_from([i / 16 for i in range(1, 16)])  # few values: many ties
sizes = st.integers(2, 40)


@st.composite
def judged(draw, soft: bool = False):
    """Labels of both classes, predictions with ties, whole weights of which some are zero."""
    n = draw(sizes)
    labels = eighths if soft else st.sampled_from([0.0, 1.0])
    y = draw(arrays.arrays(np.float64, n, elements=labels))
    p = draw(arrays.arrays(np.float64, n, elements=eighths))
    w = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 3))).astype(float)
    assume((w * y).sum() > 0 and (w * (1 - y)).sum() > 0)
    return y, p, w


def value(metric, y, p, w=None):
    """The metric, or the reason why it has none."""
    try:
        return metric(y, p, weights=w)
    except DataError as error:
        return str(error).split(":")[0]


def same(a, b):
    return a == b if isinstance(a, str) else a == pytest.approx(b, rel=1e-6, abs=1e-9)


@given(judged())
@settings(max_examples=150, deadline=None)
def test_hard_labels_agree_with_scikit_learn(rows):
    y, p, w = rows
    assert metrics.average_precision(y, p, weights=w) == pytest.approx(
        average_precision_score(y, p, sample_weight=w)
    )
    kept = w > 0
    assert metrics.roc_auc(y, p, weights=w) == pytest.approx(
        roc_auc_score(y[kept], p[kept], sample_weight=w[kept])
    )


@pytest.mark.parametrize("metric", RANKING + PROBABILITY, ids=lambda m: m.__name__)
@given(rows=judged(soft=True), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_row_order_does_not_matter_and_a_weight_is_a_repetition(metric, rows, seed):
    y, p, w = rows
    whole = value(metric, y, p, w)
    order = np.random.default_rng(seed).permutation(y.size)
    assert same(value(metric, y[order], p[order], w[order]), whole)
    repeated = np.repeat(np.arange(y.size), w.astype(int))
    assert same(value(metric, y[repeated], p[repeated]), whole)


@pytest.mark.parametrize("metric", RANKING, ids=lambda m: m.__name__)
@given(rows=judged(soft=True))
@settings(max_examples=60, deadline=None)
def test_ranking_sees_only_the_order_of_scores(metric, rows):
    y, p, w = rows
    assert same(value(metric, y, 100 * p**3 - 7, w), value(metric, y, p, w))


@given(judged(soft=True))
@settings(max_examples=100, deadline=None)
def test_turning_scores_round_turns_the_auc(rows):
    y, p, w = rows
    assert metrics.roc_auc(y, -p, weights=w) == pytest.approx(1 - metrics.roc_auc(y, p, weights=w))


@given(judged(soft=True), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_reliability_keeps_mass_and_means(rows, bins):
    y, p, w = rows
    table = metrics.reliability(y, p, bins, weights=w)
    assert len(table) <= bins
    assert table["weight"].sum() == pytest.approx(w.sum())
    assert (table["weight"] * table["observed"]).sum() == pytest.approx((w * y).sum())
    assert (table["weight"] * table["predicted"]).sum() == pytest.approx((w * p).sum())
    gap = abs(np.average(y, weights=w) - np.average(p, weights=w))
    assert gap - 1e-12 <= metrics.ece(y, p, bins, weights=w) <= 1


@given(judged(soft=True))
@settings(max_examples=100, deadline=None)
def test_nobody_is_cheaper_than_the_truth(rows):
    truth, p, w = rows
    assert metrics.log_loss(truth, truth, weights=w) <= metrics.log_loss(truth, p, weights=w)
    assert metrics.brier(truth, truth, weights=w) <= metrics.brier(truth, p, weights=w)


@given(judged(soft=True))
@settings(max_examples=100, deadline=None)
def test_calibration_solves_its_equations(rows):
    y, p, w = rows
    try:
        intercept, slope = metrics.calibration(y, p, weights=w)
    except DataError:
        # soft labels strictly inside (0, 1) cannot be separated: only equal predictions fail
        assert np.ptp(p[w > 0]) == 0
        return
    x = np.log(p / (1 - p))
    error = w * (y - 1 / (1 + np.exp(-(intercept + slope * x))))
    assert error.sum() == pytest.approx(0, abs=1e-6)
    assert (error * x).sum() == pytest.approx(0, abs=1e-6)


counts = arrays.arrays(np.float64, st.just(20), elements=st.integers(0, 50).map(float))


@given(counts, counts)
@settings(max_examples=100, deadline=None)
def test_a_bias_is_no_larger_than_the_error(y, f):
    assume(y.sum() > 0)
    assert abs(metrics.bias(y, f)) <= metrics.wape(y, f) + 1e-12
