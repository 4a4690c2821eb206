"""Qini, calibration and off-policy values against worked numbers and known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from lab.uplift import (
    auuc,
    best_by,
    calibration,
    compare_policies,
    gain_curve,
    gain_scores,
    policy_scores,
    qini,
    qini_interval,
    with_outcomes,
    with_value,
)
from models.uplift import pair, trial

AT = pd.Timestamp("2026-04-22")


def test_qini_by_hand_and_ties_are_worth_nothing() -> None:
    gains = [3.0, 1.0, -1.0, -3.0]
    assert qini(gains, [4, 3, 2, 1]) == pytest.approx((0.75 / 2 + 0.875 + 0.875 + 0.75 / 2) / 4)
    assert qini(gains, [1, 2, 3, 4]) == pytest.approx(-qini(gains, [4, 3, 2, 1]))
    assert qini(gains, [1, 1, 1, 1]) == 0
    assert auuc([1.0, 1.0], [2, 1]) == pytest.approx(0.5)
    shares, gained = gain_curve([2.0, 4.0, 6.0], [5, 5, 1])
    assert shares.tolist() == pytest.approx([0, 2 / 3, 1])
    assert gained.tolist() == pytest.approx([0, 2, 4])


def test_a_rank_that_is_missing_is_refused() -> None:
    with pytest.raises(DataError, match="1 customers have no rank"):
        qini([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(DataError, match="2 gains and 1 ranks"):
        qini([1.0, 2.0], [1.0])


def rows_of(seed: int, size: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A trial with odds by customer, and true gains."""
    rng = np.random.default_rng(seed)
    gain = rng.uniform(-0.15, 0.15, size)
    odds = rng.choice([0.3, 0.7], size)
    contacted = rng.random(size) < odds
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(size)],
            "time": pd.Timestamp("2026-01-05"),
            "action": np.where(contacted, "call", "none"),
            "propensity": np.where(contacted, odds, 1 - odds),
            "complained": (rng.random(size) < 0.3 - gain * contacted).astype(float),
        }
    )
    return frame, gain


def test_scores_are_unbiased_for_the_gain_and_the_interval_holds_the_true_qini() -> None:
    inside, biases = 0, []
    for seed in range(30):
        frame, gain = rows_of(seed, 2000)
        two = pair(trial(frame), "call", "complained")
        scores = gain_scores(two)
        biases.append(np.mean(scores - gain))
        told = qini_interval(scores, gain, two.customers, resamples=100)
        inside += told.low <= qini(gain, gain) <= told.high
    assert abs(np.mean(biases)) < 4 * np.std(biases) / np.sqrt(30)
    assert inside >= 24  # 28.5 expected; 24 is four standard deviations below


def test_calibration_by_tenth_follows_the_truth() -> None:
    frame, gain = rows_of(1, 20_000)
    two = pair(trial(frame), "call", "complained")
    table = calibration(gain_scores(two), gain, two.customers)
    assert table["rows"].tolist() == [2000] * 10
    assert (np.abs(table["predicted"] - table["observed"]) < 0.09).all()
    assert ((table["low"] <= table["predicted"]) & (table["predicted"] <= table["high"])).sum() >= 8


def test_the_value_of_policies_is_the_true_one_within_its_interval() -> None:
    inside = {"all": 0, "none": 0, "best": 0}
    for seed in range(30):
        frame, gain = rows_of(seed, 3000)
        policies = {
            "none": np.full(3000, "none", dtype=object),
            "all": np.full(3000, "call", dtype=object),
            "best": best_by(pd.DataFrame({"call": gain})),
        }
        found = compare_policies(trial(frame), policies, "complained").set_index("policy")
        for name, policy in policies.items():
            true = float(np.mean(gain * (policy == "call")))
            line = found.loc[name]
            inside[name] += line["over_none_low"] - 1e-12 <= true <= line["over_none_high"] + 1e-12
    assert inside["none"] == 30
    assert min(inside.values()) >= 24


def test_more_than_the_capacity_is_never_contacted() -> None:
    gains = pd.DataFrame({"call": [0.3, -0.1, 0.2, 0.2], "credit": [0.1, -0.2, 0.4, 0.1]})
    assert best_by(gains).tolist() == ["call", "none", "credit", "call"]
    assert best_by(gains, 1).tolist() == ["none", "none", "credit", "none"]
    assert best_by(gains, 0).tolist() == ["none"] * 4


def test_a_policy_that_the_trial_cannot_judge_is_refused() -> None:
    frame, _ = rows_of(2, 100)
    known = pd.DataFrame({"none": np.zeros(100), "call": np.zeros(100)})
    with pytest.raises(DataError, match="nobody was in the arm 'credit'"):
        policy_scores(trial(frame), np.full(100, "credit", dtype=object), "complained", known)
    with pytest.raises(DataError, match="a policy for 3"):
        policy_scores(trial(frame), ["call"] * 3, "complained", known)
    other = trial(frame.assign(offered="letter"))
    with pytest.raises(DataError, match="could only have had 'letter'"):
        policy_scores(other, np.full(100, "call", dtype=object), "complained", known)


def test_an_outcome_twice_or_of_an_unknown_decision_is_refused() -> None:
    decisions = pd.DataFrame({"customer_id": ["a"], "time": [AT]})
    outcome = pd.DataFrame({"customer_id": ["a"], "time": [AT], "complained": [1.0]})
    with pytest.raises(DataError, match=r"customer 'a' .* is there twice"):
        with_outcomes(decisions, pd.concat([outcome, outcome]))
    with pytest.raises(DataError, match=r"customer 'z' .* no such decision"):
        with_outcomes(decisions, outcome.assign(customer_id="z"))
    assert with_outcomes(decisions, outcome)["complained"].tolist() == [1.0]


def test_value_is_what_outcome_and_action_cost() -> None:
    rows = {"customer_id": ["a", "b", "c"], "time": [AT] * 3, "propensity": 0.5}
    came = {"complained": [1.0, 0.0, 0.0], "inquiries": [1.0, 0.0, 0.0]}
    own = trial(pd.DataFrame({**rows, "action": ["check_in", "none", "none"], **came}))
    paid = with_value(own, complaint_cost=20, inquiry_cost=4, action_costs={"check_in": 0.5})
    assert paid.frame["value"].tolist() == [-24.5, 0, 0]
    with pytest.raises(DataError, match="costs -1"):
        with_value(own, complaint_cost=-1)
    with pytest.raises(DataError, match="'check_in' was drawn and has no cost"):
        with_value(own, complaint_cost=1, action_costs={"other": 1})
    assert trial(paid.frame).frame["value"].tolist() == [-24.5, 0, 0]
