"""The promises of measured outreach on companies whose effects are known, at a small size.

``python -m benchmarks.uplift_truth`` asks the same of 200 companies.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.uplift_truth import coverage, looks, policy
from benchmarks.uplift_world import Company


def test_the_world_has_persuadables_and_sleeping_dogs_and_risk_is_not_gain() -> None:
    month = Company(1, 5000).month(0)
    assert (month.effect < -0.05).mean() > 0.05
    assert (month.effect > 0.01).mean() > 0.05
    risk = month.features["risk"].to_numpy()
    first = np.argsort(-risk)[:400]
    assert (month.effect[first] > 0).mean() > 0.05
    assert Company(1, 5000).month(0).effect == pytest.approx(month.effect)


def test_the_interval_of_the_average_effect_holds_the_truth() -> None:
    found = pd.DataFrame([coverage(seed, 3000) for seed in range(60)])
    assert found["covered"].sum() >= 52  # 57 expected of 60; 52 is three standard deviations below
    assert found["always"].sum() >= 57
    assert found["variance"].mean() < 0.95


def test_looking_every_day_claims_nothing_where_there_is_nothing() -> None:
    days = pd.DataFrame([looks(seed, 0.0, days=60) for seed in range(25)])
    assert days["always"].notna().sum() <= 4
    assert days["single"].notna().sum() > days["always"].notna().sum()


def test_a_harmful_campaign_stops_itself() -> None:
    days = pd.DataFrame([looks(seed, 0.9, days=120) for seed in range(6)])
    assert days["stopped"].notna().all()


def test_six_months_teach_whom_to_contact() -> None:
    one = policy(3, customers=6000, capacity=500)
    assert one["ours"] > 1.3 * one["risk"]
    assert one["ours harmed"] < one["risk harmed"] / 4
    assert one["ours"] > 0.6 * one["best"]
