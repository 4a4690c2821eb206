"""Training learns what is there, says what is missing, and alarms where it is too good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, NotEnoughHistory
from features.untreated import WEIGHT
from models.metrics import calibration_slope, roc_auc
from models.risk.encode import feature_columns, learn_encoder
from models.risk.fit import gather
from models.risk.model import RiskModel
from models.risk.settings import RiskSettings
from models.risk.train import train_risk

CARDS = [{"name": "orders_overdue_now", "role": "now"}]
World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def test_new_customers_are_ranked_and_calibrated(trained: RiskModel, make_world: World) -> None:
    features, labels = make_world(customers=1500, weeks=4, seed=9)
    risk = trained.predict(features)
    truth = labels["truth_7d"]
    assert np.corrcoef(risk["risk_7d"], truth)[0, 1] > 0.9
    # so few customers leave the slope uncertain: 0.87 to 1.16 in six such worlds
    assert calibration_slope(truth, risk["risk_7d"]) == pytest.approx(1.0, abs=0.25)
    assert risk["risk_7d"].mean() == pytest.approx(truth.mean(), rel=0.1)
    expected = labels["tickets_30d"].mean()
    assert risk["expected_tickets_30d"].mean() == pytest.approx(expected, rel=0.1)


def test_the_topic_follows_its_cause(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(seed=9)
    overdue = (features["orders_overdue_now"] > 0).to_numpy()
    topic = trained.predict(features)["topic"].to_numpy()
    assert (topic[overdue] == "delivery").mean() > 0.95
    assert (topic[~overdue] == "delivery").mean() < 0.05
    [first] = trained.probabilities(features[overdue][:1], "topic")
    assert first[0][0] == "delivery" and first[0][1] > 0.8
    assert sum(chance for _, chance in first) == pytest.approx(1.0)


def test_who_stands_for_many_tells_the_level_and_not_who_is_riskier(
    make_world: World, small: RiskSettings
) -> None:
    features, labels = make_world(customers=40, weeks=2)
    labels[WEIGHT] = np.where(np.arange(len(labels)) % 8 == 0, 10.0, 1.0)
    encoder = learn_encoder(features, feature_columns(features))
    rows, order = gather(features, labels, encoder, (7,), small, {})
    assert (rows.stands_for == labels[WEIGHT].to_numpy()[order]).all()
    np.testing.assert_allclose(rows.weights / rows.age, np.minimum(rows.stands_for, 3.0))


def test_one_class_is_refused(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world()
    labels["label_7d"] = 0.0
    with pytest.raises(NotEnoughHistory, match="not one of 8000 rows is followed by a complaint"):
        train_risk(features, labels, settings=small)
    labels["label_7d"] = 1.0
    with pytest.raises(DataError, match="every one of the 8000 labels is 1"):
        train_risk(features, labels, settings=small)


def test_constant_features_are_refused(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world()
    features = features[["customer_id", "as_of"]].assign(orders_count_28d=1.0, customer_plan=None)
    with pytest.raises(DataError, match="none of the 2 features varies"):
        train_risk(features, labels, settings=small)


def test_too_little_history_says_how_much_is_missing(
    make_world: World, small: RiskSettings
) -> None:
    features, labels = make_world(weeks=2)
    with pytest.raises(NotEnoughHistory, match=r"7-day risk: 2 as-of times .* 1 more are needed"):
        train_risk(features, labels, settings=small)
    features, labels = make_world(weeks=5, customers=60)
    with pytest.raises(NotEnoughHistory, match=r"rows and .* customers are missing \(about"):
        train_risk(features, labels, settings=small)
    labels["label_30d"] = np.nan
    with pytest.raises(NotEnoughHistory, match="30-day risk: 0 as-of times"):
        train_risk(features, labels, settings=small, horizons=(30,))


def test_labels_of_other_rows_are_refused(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world()
    with pytest.raises(DataError, match="row 0 is customer_id c0 in the features and c499"):
        train_risk(features, labels[::-1], settings=small)
    with pytest.raises(DataError, match="label_5d"):
        train_risk(features, labels, settings=small, horizons=(5,))


def test_fewer_rows_to_judge_and_level_by_hardly_move_a_model(
    make_world: World, small: RiskSettings
) -> None:
    features, labels = make_world(customers=1500)
    few = replace(small, most_rows_tried=3000, least_complaints_judged=100, most_rows_levelled=4000)
    risks = [
        train_risk(features, labels, settings=settings).predict(features)["risk_14d"].to_numpy()
        for settings in (small, few)
    ]
    assert (risks[0] != risks[1]).any()
    assert risks[1].mean() == pytest.approx(risks[0].mean(), rel=0.05)
    assert np.corrcoef(np.log(risks[0]), np.log(risks[1]))[0, 1] > 0.97


def test_threads_change_no_bit_of_a_model(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world()
    told = [
        train_risk(
            features, labels, settings=replace(small, num_threads=threads), cards=CARDS
        ).predict(features)
        for threads in (1, 2, 3)
    ]
    pd.testing.assert_frame_equal(told[0], told[1], check_exact=True)
    pd.testing.assert_frame_equal(told[0], told[2], check_exact=True)


def test_a_leak_raises_the_alarm(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world()
    assert train_risk(features, labels, settings=small, horizons=(7,)).alarms == ()
    features["orders_amount_sum_90d"] = -labels["label_7d"] * 100
    [alarm] = train_risk(features, labels, settings=small, horizons=(7,)).alarms
    assert "orders_amount_sum_90d alone ranks later complaints almost perfectly" in alarm


def test_a_leak_in_a_category_raises_the_alarm(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world()
    told = np.where(labels["label_7d"] > 0, "churns", "stays")
    features["customer_plan"] = pd.Categorical(told)
    [alarm] = train_risk(features, labels, settings=small, horizons=(7,)).alarms
    assert "customer_plan alone ranks later complaints almost perfectly" in alarm


def test_shuffled_labels_teach_nothing(make_world: World, small: RiskSettings) -> None:
    features, labels = make_world(weeks=20)
    drawn = np.random.default_rng(5).permutation(len(labels))
    told = [name for name in labels.columns if name not in ("customer_id", "as_of")]
    shuffled = pd.concat(
        [labels[["customer_id", "as_of"]], labels[told].iloc[drawn].reset_index(drop=True)], axis=1
    )
    past = (labels["as_of"] < labels["as_of"].unique()[14]).to_numpy()
    model = train_risk(features[past], shuffled[past], settings=small, horizons=(7,))
    y = shuffled["label_7d"].to_numpy()[~past]
    complaints, others = y.sum(), len(y) - y.sum()
    error = np.sqrt((complaints + others + 1) / (12 * complaints * others))  # of an area of 0.5
    assert abs(roc_auc(y, model.predict(features[~past])["risk_7d"]) - 0.5) < 3 * error


def test_without_choices_the_risks_are_the_same_and_no_topic_is_learned(
    make_world: World,
    small: RiskSettings,
) -> None:
    features, labels = make_world(customers=300, seed=3)
    whole = train_risk(features, labels, settings=small, cards=CARDS)
    risks_only = train_risk(features, labels, settings=small, cards=CARDS, choices=False)
    assert whole.topic is not None and whole.channel is not None
    assert risks_only.topic is None and risks_only.channel is None
    asked = features.head(50)
    risks = [f"risk_{h}d" for h in whole.horizons]
    pd.testing.assert_frame_equal(
        whole.predict(asked)[risks], risks_only.predict(asked, choices=False)[risks]
    )
