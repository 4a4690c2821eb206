"""The classifier behaves as scikit-learn's do, and of rows with who and when learns the model."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import presage as ps
from models.risk.settings import RiskSettings
from models.risk.train import train_risk

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "LightGBM counts rows, not their weights, in "
    "the least size of a leaf and in the edges of its bins",
}


@parametrize_with_checks([ps.RiskClassifier()], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learn_accepts_it(estimator: Any, check: Callable[[Any], None]) -> None:
    try:
        check(estimator)
    except SkipTest as reason:  # arrays of other libraries: scipy would have to be set up for them
        assert "SCIPY_ARRAY_API" in str(reason)


def company(customers: int = 300, times: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features and labels of customers who complain the likelier, the higher ``trouble`` is."""
    draw = np.random.default_rng(4)
    rows = customers * times
    as_of = np.repeat(pd.date_range("2026-01-01", periods=times, freq="14D"), customers)
    features = pd.DataFrame({
        "customer_id": [f"c{i}" for i in range(customers)] * times,
        "as_of": as_of.to_numpy().astype("datetime64[us]"),
        "trouble": draw.normal(size=rows).astype("float32"),
        "noise": draw.normal(size=rows).astype("float32"),
    })  # fmt: skip
    complained = draw.random(rows) < 1 / (1 + np.exp(2 - 1.5 * features["trouble"]))
    labels = features[["customer_id", "as_of"]].assign(
        label_14d=complained.astype(float), contact_14d=complained.astype(float),
        tickets_14d=complained.astype(float), next_topic=None, next_channel=None,
    )  # fmt: skip
    return features, labels


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    return company()


@pytest.fixture(scope="module")
def fitted(rows: tuple[pd.DataFrame, pd.DataFrame]) -> Any:
    features, labels = rows
    return ps.RiskClassifier(horizon_days=14).fit(features, labels["label_14d"])


def test_rows_with_who_and_when_are_learned_by_the_whole_model(fitted: Any, rows: Any) -> None:
    features, labels = rows
    model = train_risk(features, labels, horizons=(14,), settings=RiskSettings())
    told = fitted.predict_proba(features)
    assert np.array_equal(told[:, 1], model.predict(features)["risk_14d"])
    assert np.allclose(told.sum(axis=1), 1)
    assert roc_auc_score(labels["label_14d"], told[:, 1]) > 0.7


def test_it_is_cloned_piped_and_pickled(fitted: Any, rows: Any) -> None:
    features, _ = rows
    assert clone(fitted).get_params() == fitted.get_params()
    matrix = features[["trouble", "noise"]].to_numpy()
    y = np.where(features["trouble"] > 1, "complained", "quiet")
    pipe = make_pipeline(FunctionTransformer(), ps.RiskClassifier()).fit(matrix, y)
    assert (pipe.predict(matrix) == y).mean() > 0.95
    again = pickle.loads(pickle.dumps(pipe))  # noqa: S301
    assert np.array_equal(again.predict_proba(matrix), pipe.predict_proba(matrix))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"y": [0, 1]}, "expected 2400 values"),
        ({"y": [1] * 2400}, "expected two classes"),
        ({"sample_weight": [1.0] * 2400}, "sample_weight: expected None"),
        ({"y": pd.DataFrame({"label_7d": [0.0] * 2400})}, "expected a column label_14d"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected(
    rows: Any, change: dict[str, Any], expected: str
) -> None:
    features, labels = rows
    given = {"y": labels["label_14d"], **change}
    with pytest.raises(ValueError, match=expected):
        ps.RiskClassifier().fit(features, **given)


def test_a_matrix_is_refused_by_a_model_of_who_and_when(fitted: Any, rows: Any) -> None:
    with pytest.raises(ValueError, match="customer_id and as_of"):
        fitted.predict_proba(rows[0][["trouble", "noise"]])
