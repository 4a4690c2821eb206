"""The report tells for whom, from what and for how long a model is good."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.metrics import average_precision
from models.risk.model import RiskModel
from models.risk.report import ablation, decay, segments

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def judged(trained: RiskModel, make_world: World) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    features, labels = make_world(customers=800, weeks=3, seed=8)
    risk = trained.predict(features)["risk_14d"].to_numpy()
    return features, labels["label_14d"].to_numpy(), risk


def test_segments_add_up_and_are_calibrated(trained: RiskModel, make_world: World) -> None:
    features, y, risk = judged(trained, make_world)
    features["customers_since_first_days"] = np.where(np.arange(len(y)) % 10 == 0, 5.0, 90.0)
    table = segments(features, y, risk).set_index("segment")
    regions = table[table.index.str.startswith("region=")]
    assert list(regions.index) == ["region=north", "region=south", "region=west"]
    assert regions["rows"].sum() == table.loc["everybody", "rows"] == len(y)
    assert regions["complaints"].sum() == table.loc["everybody", "complaints"] == y.sum()
    assert table.loc["new customers", "rows"] == 240
    assert (regions["predicted"] / regions["observed"]).between(0.7, 1.4).all()
    assert regions["observed"].idxmax() == regions["predicted"].idxmax() == "region=south"


def test_without_the_cause_the_model_ranks_worse(trained: RiskModel, make_world: World) -> None:
    features, y, risk = judged(trained, make_world)
    table = ablation(trained, features, y, 14).set_index("without")
    assert table.loc["nothing", "average_precision"] == pytest.approx(average_precision(y, risk))
    lost = table.loc["nothing", "average_precision"] - table["average_precision"]
    assert lost["orders"] == lost.max() > 0.05
    assert (table["log_loss"].drop("nothing") >= table.loc["nothing", "log_loss"] - 0.002).all()


def test_decay_tells_how_old_the_model_was(trained: RiskModel, make_world: World) -> None:
    features, y, risk = judged(trained, make_world)
    first = features["as_of"].min()
    table = decay(features["as_of"], y, risk, first - pd.Timedelta(days=7))
    assert table["weeks_old"].tolist() == [1.0, 2.0, 3.0]
    assert table["average_precision"].between(0.1, 1).all()
    assert (table["average_precision_low"] < table["average_precision"]).all()
    assert (table["average_precision_high"] > table["average_precision"]).all()
    assert table["predicted_over_observed"].between(0.6, 1.6).all()
