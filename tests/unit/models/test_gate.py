"""The gate: who passes, who does not, and whether the verdict says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.errors import DataError
from models.gate import VOLUME, Evaluation, Horizon, gate, gate_fallback, joined
from models.metrics import Interval


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, Evaluation]:
    """The true probabilities of 6000 rows of 2000 customers, and what judges them."""
    rng = np.random.default_rng(4)
    p = rng.beta(1, 9, 6000)
    y = (rng.random(6000) < p).astype(float)
    rule = np.clip(p * np.exp(rng.normal(0, 1.0, 6000)), 0.001, 0.999)
    groups = rng.integers(0, 2000, 6000)
    return p, Evaluation(y, groups, {"recency-frequency": rule}, resamples=80)


def blurred(p: np.ndarray, by: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, by, p.size)
    return 1 / (1 + np.exp(-(np.log(p / (1 - p)) + noise)))


def test_a_good_first_model_passes_against_the_baseline_alone(world):
    p, evaluation = world
    decision = gate(p, None, evaluation)
    assert decision.passed
    assert decision.refusals == ()
    assert any("beats recency-frequency's" in line for line in decision.reasons)
    assert decision.numbers["gain_over_recency_frequency_low"] > 0
    assert 0.8 < decision.numbers["calibration_slope"] < 1.25


def test_a_model_that_is_no_better_than_the_rule_is_refused(world):
    p, evaluation = world
    rule = np.asarray(evaluation.baselines["recency-frequency"])
    useless = np.random.default_rng(0).permutation(p)
    for candidate in (rule, useless):
        decision = gate(candidate, None, evaluation)
        assert not decision.passed
        assert "does not beat recency-frequency's" in str(decision)


def test_the_same_model_again_and_a_hair_worse_pass_and_a_worse_one_does_not(world):
    p, evaluation = world
    assert gate(p, p, evaluation).passed
    hair = gate(blurred(p, 0.05, 1), p, evaluation)
    assert hair.passed, str(hair)
    worse = gate(blurred(p, 0.5, 1), p, evaluation)
    assert not worse.passed
    assert "worse than the model at work" in str(worse)
    better = gate(p, blurred(p, 0.5, 1), evaluation)
    assert better.passed
    assert better.numbers["gain_over_champion_low"] > 0


def test_a_model_that_is_too_sure_or_at_the_wrong_level_is_refused(world):
    p, evaluation = world
    logit = np.log(p / (1 - p))
    sure = gate(1 / (1 + np.exp(-1.8 * logit)), None, evaluation)
    assert "calibration slope" in sure.refusals[0]
    assert "is outside of 0.8 to 1.25" in sure.refusals[0]
    high = gate(1 / (1 + np.exp(-(logit + 1.0))), None, evaluation)
    assert [line.split(" ")[0] for line in high.refusals] == ["observed"]


def test_a_level_that_is_off_by_chance_perhaps_is_not_called_right(world):
    """Of few rows, most of whom complained by chance: the interval reaches in, the figure not."""
    p, evaluation = world
    few = np.flatnonzero(p > np.quantile(p, 0.9))[:40]
    y = np.zeros(len(few))
    y[:3] = 1
    told = np.full(len(few), 0.14)
    part = replace(evaluation, y=y, groups=np.arange(len(few)), baselines={})
    lines = gate_fallback(told, None, part, at_work="learned").reasons
    (line,) = [one for one in lines if one.startswith("observed over predicted")]
    assert "is not surely outside of" in line


def test_a_slope_out_of_bounds_that_is_surely_not_one_is_refused(world):
    """1.44 [1.24, 1.68] once passed, for its interval reached into the bounds."""
    p, evaluation = world
    logit = np.log(p / (1 - p))
    some = np.arange(p.size) % 4 == 0
    part = replace(evaluation, y=evaluation.y[some], groups=None, baselines={"chance": p[some] * 0})
    flat = gate(1 / (1 + np.exp(-0.68 * logit + 0.9))[some], None, part)
    low, high = flat.numbers["calibration_slope_low"], flat.numbers["calibration_slope_high"]
    assert 1 < low <= 1.25 < flat.numbers["calibration_slope"] < high
    assert any("calibration slope" in line for line in flat.refusals)


def test_every_horizon_is_judged_and_what_keeps_back_refuses(world):
    p, evaluation = world
    good = gate(p, None, evaluation)
    fine, off = Interval(1.0, 0.9, 1.1), Interval(1.62, 1.38, 1.88)
    assert joined(good, {"7 days": Horizon(p, p, evaluation, fine, fine)}).passed
    wrong = joined(
        good,
        {
            "7 days": Horizon(p, None, evaluation, fine, off),
            "30 days": Horizon(p, None, evaluation, fine, Interval(1.6, 0.9, 2.3)),
        },
    )
    assert wrong.refusals == (
        "7 days: observed over predicted 1.62 [1.38, 1.88] is outside of 0.667 to 1.5",
    )
    assert wrong.numbers["7_days_observed_over_predicted"] == 1.62
    flat, flatter = Interval(0.77, 0.64, 0.9), Interval(0.6, 0.5, 0.7)
    assert joined(good, {"30 days": Horizon(p, None, evaluation, flat, fine)}).passed
    steep = Interval(1.44, 1.24, 1.68)
    for slope in (flatter, steep):
        assert not joined(good, {"30 days": Horizon(p, None, evaluation, slope, fine)}).passed
    shuffled = np.random.default_rng(0).permutation(p)
    worse = joined(good, {"7 days": Horizon(shuffled, p, evaluation)})
    assert any("worse than the model at work" in line for line in worse.refusals)
    none = replace(evaluation, y=np.zeros(p.size))
    assert joined(good, {"7 days": Horizon(p, p, none)}).passed  # said, and no reason to refuse
    broken = np.where(np.arange(p.size) == 3, np.nan, p)
    assert not joined(good, {"7 days": Horizon(broken, None, evaluation)}).passed
    assert joined(good, {}, ["usage stopped"]).refusals == ("usage stopped",)


def test_predictions_that_are_not_finite_are_refused_first(world):
    p, evaluation = world
    broken = p.copy()
    broken[[3, 5]] = np.nan
    decision = gate(broken, p, evaluation)
    assert decision.refusals == ("2 of 6000 predictions are not finite",)


def test_rows_that_cannot_judge_raise_rather_than_pass(world):
    p, evaluation = world
    with pytest.raises(DataError, match="is 0"):
        gate(p, None, Evaluation(np.zeros(p.size), baselines=evaluation.baselines))
    with pytest.raises(DataError, match="needs a baseline"):
        gate(p, None, Evaluation(evaluation.y))


def test_a_volume_forecast_is_judged_by_wape_and_by_its_coverage():
    rng = np.random.default_rng(0)
    mean = rng.uniform(20, 60, 1500)
    y = rng.poisson(mean).astype(float)
    naive = rng.poisson(mean).astype(float)
    days = np.arange(1500) // 10
    half = 1.2816 * np.sqrt(mean)
    rules = replace(VOLUME, coverage=(0.7, 0.9))
    fair = Evaluation(y, days, {"seasonal naive": naive}, low=mean - half, high=mean + half)
    decision = gate(mean, None, fair, rules)
    assert decision.passed, str(decision)
    assert decision.numbers["wape"] < 0.2
    assert decision.numbers["gain_over_seasonal_naive_low"] > 0
    assert not gate(naive, mean, fair, rules).passed
    narrow = replace(fair, low=mean - half / 3, high=mean + half / 3)
    refused = gate(mean, None, narrow, rules)
    assert "coverage" in refused.refusals[0]
    with pytest.raises(DataError, match="both ends"):
        gate(mean, None, Evaluation(y, days, {"seasonal naive": naive}), rules)


def test_a_rule_that_stands_in_passes_without_beating_itself(world):
    p, evaluation = world
    none = replace(evaluation, y=np.zeros(len(p)))
    for rows in (evaluation, None, none):
        assert gate_fallback(p, None, rows, at_work="nothing").passed
        assert gate_fallback(p, None, rows, at_work="rule").passed
    broken = np.where(np.arange(len(p)) == 3, np.nan, p)
    assert not gate_fallback(broken, None, None, at_work="nothing").passed


def test_a_rule_of_the_wrong_level_is_better_than_nothing_but_not_than_a_rule(world):
    p, evaluation = world
    high = np.minimum(3 * p, 0.99)
    first = gate_fallback(high, None, evaluation, at_work="nothing")
    assert first.passed and any("outside of" in line for line in first.reasons)
    assert not gate_fallback(high, None, evaluation, at_work="rule").passed


def test_a_rule_never_replaces_what_has_learned_unless_it_is_as_good(world):
    p, evaluation = world
    unjudged = gate_fallback(p, None, None, at_work="learned")
    assert not unjudged.passed and "cannot be compared" in str(unjudged)
    assert not gate_fallback(p, None, evaluation, at_work="learned").passed
    worse = gate_fallback(blurred(p, 0.8, 1), p, evaluation, at_work="learned")
    assert not worse.passed and "worse than the model at work" in str(worse)
    assert gate_fallback(p, p, evaluation, at_work="learned").passed
