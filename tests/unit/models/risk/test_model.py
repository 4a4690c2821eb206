"""A model's predictions are bounded, monotone, the same alone, in a batch and after loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from data.errors import DamagedFile, DataError
from models.bundle import trial_load
from models.risk.model import RiskModel, load_risk
from models.risk.reasons import concern_of
from models.risk.settings import RiskSettings
from models.risk.train import train_risk

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def test_one_row_gets_what_it_gets_in_a_batch(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(customers=203, weeks=3, seed=4)
    batch = trained.predict(features)
    for at in (0, 1, 7, 101, 300, 607):
        alone = trained.predict(features.iloc[[at]])
        pd.testing.assert_frame_equal(
            alone, batch.iloc[[at]].reset_index(drop=True), check_exact=True
        )


def test_saving_and_loading_changes_no_bit(
    trained: RiskModel, make_world: World, tmp_path: Path
) -> None:
    features, _ = make_world(seed=4)
    manifest = trained.save(tmp_path / "one")
    loaded = load_risk(tmp_path / "one")
    pd.testing.assert_frame_equal(
        trained.predict(features), loaded.predict(features), check_exact=True
    )
    assert trained.reasons(features[:20], None) == loaded.reasons(features[:20], None)
    assert loaded.save(tmp_path / "two").fingerprint == manifest.fingerprint
    assert trial_load(tmp_path / "one").fingerprint == manifest.fingerprint


def test_a_damaged_file_is_refused_by_name(trained: RiskModel, tmp_path: Path) -> None:
    trained.save(tmp_path / "one")
    path = tmp_path / "one" / "trees_7d.txt"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedFile, match=r"trees_7d\.txt"):
        load_risk(tmp_path / "one")


def test_the_longer_window_never_has_the_lower_risk(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(seed=5)
    risk = trained.predict(features)
    assert (risk["risk_7d"] > 0).all() and (risk["risk_30d"] < 1).all()
    assert (risk["risk_7d"] <= risk["risk_14d"]).all()
    assert (risk["risk_14d"] <= risk["risk_30d"]).all()
    assert (risk["risk_30d"] <= risk["expected_tickets_30d"]).all()


def test_who_complains_has_written_and_as_many_write_as_foretold(
    trained: RiskModel, make_world: World
) -> None:
    features, labels = make_world(seed=5)
    told = trained.predict(features)
    assert (told["risk_30d"] <= told["contact_30d"]).all() and (told["contact_30d"] < 1).all()
    assert told["contact_30d"].mean() == pytest.approx((labels["tickets_30d"] > 0).mean(), rel=0.1)


@pytest.mark.parametrize("horizon", [7, 14, 30])
def test_reasons_add_up_to_the_score(trained: RiskModel, make_world: World, horizon: int) -> None:
    features, _ = make_world(customers=100, weeks=2, seed=6)
    risk = trained.predict(features)[f"risk_{horizon}d"]
    amounts, base = trained.explain(features, horizon)
    assert np.allclose(base + amounts.sum(axis=1), logit(risk), atol=1e-9)
    for row, said in enumerate(trained.reasons(features, None, horizon=horizon)):
        total = base[row] + sum(reason["contribution"] for reason in said)
        assert total == pytest.approx(logit(risk[row]), abs=1e-9)
    assert (np.ptp(base) < 1e-9) == (len(np.unique(base.round(9))) == 1)


def test_reasons_gather_columns_of_one_concern(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(seed=6)
    row = features[(features["orders_overdue_now"] >= 2)][:1]
    [said] = trained.reasons(row)
    assert said[0]["feature"] == "orders_overdue_now"
    assert said[0]["value"] == row["orders_overdue_now"].iloc[0]
    assert said[0]["text"] == f"{said[0]['value']:.0f} overdue orders now"
    assert 0 < said[-1]["contribution"] <= said[0]["contribution"] and len(said) <= 3
    concerns = [concern_of(reason["feature"], trained.cards) for reason in said]
    assert len(set(concerns)) == len(concerns)


def test_the_unseen_gets_a_finite_score(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(customers=50, weeks=1)
    strange = features.assign(customer_region="atlantis")
    for name in features.columns[2:6]:
        strange[name] = np.nan
    risk = trained.predict(strange)
    assert np.isfinite(risk.drop(columns=["topic", "channel"]).to_numpy()).all()
    assert risk.drop(columns=["topic", "channel"]).nunique().eq(1).all()
    assert len(trained.predict(features[:0])) == 0


def test_a_missing_feature_is_named(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world()
    with pytest.raises(DataError, match='Did you mean "orders_overdue_nov"'):
        trained.predict(features.rename(columns={"orders_overdue_now": "orders_overdue_nov"}))
    with pytest.raises(DataError, match="no horizon of 9 days"):
        trained.reasons(features[:1], horizon=9)


def test_order_and_names_of_rows_change_no_bit(
    trained: RiskModel, make_world: World, small: RiskSettings
) -> None:
    features, labels = make_world()
    order = np.random.default_rng(2).permutation(len(features))
    renamed = [frame.iloc[order].copy() for frame in (features, labels)]
    for frame in renamed:
        frame["customer_id"] = "x" + frame["customer_id"].str[::-1]
    again = train_risk(*renamed, settings=small)
    new, _ = make_world(seed=8)
    pd.testing.assert_frame_equal(trained.predict(new), again.predict(new), check_exact=True)
