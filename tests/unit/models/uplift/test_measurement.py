"""Measured effects against worked numbers, an independent regression, and known truth."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from models.uplift import (
    known_on,
    measure,
    measure_by,
    minimum_detectable,
    planned_se,
    stop,
    trial,
)
from models.uplift.always import always_valid_factor


def drawn(seed: int, size: int, effect: float, odds: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    risk = rng.beta(1, 4, size) * 0.8
    contacted = rng.random(size) < odds
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(size)],
            "time": pd.Timestamp("2026-01-05"),
            "action": np.where(contacted, "call", "none"),
            "propensity": np.where(contacted, odds, 1 - odds),
            "complained": (rng.random(size) < risk + effect * contacted).astype(float),
            "risk": risk,
            "segment": rng.choice(["home", "firm"], size),
        }
    )


def test_without_risk_it_is_the_difference_of_means() -> None:
    rows = drawn(1, 3000, 0.1).drop(columns="risk")
    means = rows.groupby("action")["complained"].mean()
    one = measure(trial(rows))
    assert one.effect == pytest.approx(means["call"] - means["none"], abs=1e-12)
    shares = rows.groupby("action")["complained"].agg(["var", "size"])
    welch = np.sqrt((shares["var"] / shares["size"]).sum())
    assert one.se == pytest.approx(welch, rel=0.01)


def test_with_risk_it_is_lins_regression() -> None:
    """An oracle that shares no code: statsmodels' interacted least squares, robust errors."""
    import statsmodels.api as sm

    rows = drawn(2, 3000, -0.05)
    t = (rows["action"] == "call").to_numpy(float)
    x = (rows["risk"] - rows["risk"].mean()).to_numpy()
    fit = sm.OLS(rows["complained"], np.column_stack([np.ones(len(t)), t, x, t * x])).fit(
        cov_type="HC1"
    )
    one = measure(trial(rows))
    assert one.effect == pytest.approx(fit.params.iloc[1], abs=1e-3)
    assert one.se == pytest.approx(fit.bse.iloc[1], rel=0.01)
    assert one.variance_ratio < 0.95


def test_repeats_of_a_customer_do_not_count_as_more_evidence() -> None:
    rows = drawn(3, 1000, 0.1)
    again = rows.assign(time=pd.Timestamp("2026-02-05"))
    once, twice = measure(trial(rows)), measure(trial(pd.concat([rows, again])))
    assert twice.se == pytest.approx(once.se, rel=1e-9)
    assert twice.always_high - twice.always_low == pytest.approx(
        once.always_high - once.always_low, rel=1e-9
    )


def test_unequal_odds_do_not_bias() -> None:
    """The riskiest are contacted most: the raw difference has the wrong sign."""
    found, raw = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows = drawn(seed, 3000, 0.0)
        odds = np.where(rows["risk"] > 0.2, 0.9, 0.2)
        contacted = rng.random(len(rows)) < odds
        y = (rng.random(len(rows)) < rows["risk"] * np.where(contacted, 0.7, 1)).astype(float)
        rows = rows.assign(
            action=np.where(contacted, "call", "none"),
            propensity=np.where(contacted, odds, 1 - odds),
            complained=y,
        )
        one = measure(trial(rows))
        truth = float((rows["risk"] * -0.3).mean())
        found.append(one.low <= truth <= one.high)
        raw.append(y[contacted].mean() - y[~contacted].mean())
    assert sum(found) >= 34  # 38 expected of 40; 34 is three standard deviations below
    assert np.mean(raw) > 0


def test_an_interval_is_open_until_both_arms_have_seen_events() -> None:
    rows = drawn(4, 30, 0.0)
    one = measure(trial(rows))
    assert one.always_high == np.inf and one.verdict == "not known"


def test_harm_stops_the_campaign_and_help_does_not() -> None:
    harm, help_ = measure(trial(drawn(5, 6000, 0.12))), measure(trial(drawn(5, 6000, -0.05)))
    assert harm.verdict == "harms" and help_.verdict == "helps"
    assert stop([help_, harm]).startswith("all: contact changed complained by +0.1")
    assert stop([help_]) is None


def test_more_money_is_better() -> None:
    rows = drawn(5, 6000, 0.12).assign(value=lambda r: -20 * r["complained"])
    assert measure(trial(rows), "value").verdict == "harms"


def test_by_segment_covers_all_together_and_keeps_those_without_an_arm() -> None:
    rows = drawn(6, 4000, -0.05)
    rows.loc[rows.index[:5], "segment"] = "odd"
    rows.loc[rows.index[:5], ["action", "propensity"]] = ["call", 0.5]
    table = measure_by(trial(rows), "segment").set_index("segment")
    assert table.index.tolist() == ["firm", "home", "odd"]
    assert np.isnan(table.loc["odd", "effect"]) and table.loc["odd", "contacted"] == 5
    alone = measure(trial(rows[rows["segment"] == "home"]))
    assert table.loc["home", "effect"] == pytest.approx(alone.effect)
    assert table.loc["home", "always_low"] < alone.always_low
    assert measure_by(trial(rows), "action")["action"].tolist() == ["call"]
    with pytest.raises(DataError, match="no column 'shop'"):
        measure_by(trial(rows), "shop")


def test_a_missing_risk_is_named() -> None:
    rows = drawn(7, 100, 0.0)
    rows.loc[3, "risk"] = np.nan
    with pytest.raises(DataError, match="decision 3 has no predicted risk"):
        measure(trial(rows))


def test_the_boundary_holds_a_random_walk_at_every_step() -> None:
    """The truth leaves the sequence in at most 5 % of walks, though looked at 3,000 times."""
    rng = np.random.default_rng(1)
    steps = np.arange(1, 3001)
    reach = np.array([always_valid_factor(n, tightest_at=500) for n in steps])
    out, once = 0, 0
    for _ in range(400):
        z = np.abs(np.cumsum(rng.normal(size=3000))) / np.sqrt(steps)
        out += bool((z > reach).any())
        once += bool((z[29:] > 1.96).any())
    assert out <= 33  # 20 expected at most; three standard deviations above
    assert once > 120


def test_the_date_of_knowing_moves_with_the_rate() -> None:
    now = datetime(2026, 1, 1)
    size = minimum_detectable(0.01, 500, single_look=True)
    assert size == pytest.approx(0.01 * (1.959964 + 0.841621), rel=1e-6)
    asked = {"decisions": 500, "as_of": now, "single_look": True}
    assert known_on(0.01, per_day=10, effect=size, **asked) == now
    half = known_on(0.01, per_day=10, effect=size / 2, **asked)
    assert (half - now).total_seconds() / 86400 == pytest.approx(150, abs=0.05)
    assert known_on(0.01, per_day=0, effect=size / 2, **asked) is None
    daily = known_on(0.01, per_day=10, effect=-size / 2, decisions=500, as_of=now)
    assert daily > half
    with pytest.raises(DataError, match="an effect of 0"):
        known_on(0.01, decisions=500, per_day=1, effect=0, as_of=now)
    assert planned_se(0.1, 900, 100) == pytest.approx(0.03162, abs=1e-5)
    with pytest.raises(DataError, match="both arms need somebody"):
        planned_se(0.1, 0, 100)
