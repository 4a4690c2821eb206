"""The floor: who is worth more than the simple baselines, who is not, and what too few rows say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.errors import DataError
from models.floor import Against, Floor, compared
from models.gate import Evaluation, gate

HORIZONS = (7, 14, 30)
Said = dict[int, np.ndarray]


def blurred(p: np.ndarray, by: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, by, p.size)
    return 1 / (1 + np.exp(-(np.log(p / (1 - p)) + noise)))


def world(rows: int, seed: int = 4) -> tuple[Said, Floor]:
    """True probabilities by horizon, and a floor whose baselines know less and less of them."""
    rng = np.random.default_rng(seed)
    daily = rng.beta(1, 9, rows) / 14
    truth = {h: 1 - (1 - daily) ** h for h in HORIZONS}
    when = rng.geometric(daily)
    y = {h: (when <= h).astype(float) for h in HORIZONS}
    less = {
        name: {h: blurred(p, by, at) for h, p in truth.items()}
        for at, (name, by) in enumerate((("logistic", 0.8), ("lightgbm", 1.1), ("rule", 1.8)))
    }
    return truth, Floor(y, truth, less, np.arange(rows) % (rows // 3), resamples=60)


def test_the_truth_is_worth_more_than_each_beyond_noise() -> None:
    _, floor = world(9000)
    found = compared(floor)
    assert [against.name for against in found] == ["logistic", "lightgbm", "rule"]
    assert all(against.beyond_noise and against.cleared for against in found)
    gains = [against.precision_gain.estimate for against in found]
    assert gains == sorted(gains) and gains[0] > 0.03
    assert not found[0].few


def test_one_baseline_that_is_as_good_is_enough_to_refuse() -> None:
    truth, floor = world(9000)
    for beside, word in ((truth, "within noise"), (floor.baselines["rule"], "")):
        alike = replace(floor, baselines={**floor.baselines, "logistic": truth}, candidate=beside)
        logistic, *_ = compared(alike)
        assert not logistic.cleared and "does not beat logistic's" in str(logistic)
        assert word in str(logistic)
    y = np.asarray(floor.y[14])
    decision = gate(floor.candidate[14], None, Evaluation(y), floor=floor)
    assert decision.passed, str(decision)
    refused = gate(
        floor.candidate[14], None, Evaluation(y), floor=replace(floor, baselines={"itself": truth})
    )
    assert len(refused.refusals) == 1 and "does not beat itself's" in refused.refusals[0]
    assert refused.numbers["gain_over_itself"] == 0.0
    assert decision.numbers["log_loss_gain_over_rule_low"] > 0


def test_a_true_level_does_not_make_up_for_a_worse_ranking() -> None:
    truth, floor = world(9000)
    low = {h: p / 3 for h, p in truth.items()}  # ranks as the truth does, at a wrong level
    candidate = {h: blurred(p, 0.3, 9) for h, p in truth.items()}
    [against] = compared(replace(floor, candidate=candidate, baselines={"of a low level": low}))
    assert against.loss_gain.low > 0 > against.precision_gain.estimate
    assert not against.cleared


def test_few_complaints_are_judged_on_the_mean_and_say_so() -> None:
    good = bad = on_the_mean = 0
    for seed in range(8):
        truth, floor = world(400, seed)
        near = {h: blurred(p, 0.6, seed + 9) for h, p in truth.items()}
        [against] = compared(replace(floor, baselines={"logistic": near}))
        assert against.few
        good += against.cleared
        if against.cleared and not against.beyond_noise:
            assert "too few complaints to show a tenth" in str(against)
            on_the_mean += 1
        bad += compared(replace(floor, candidate=near, baselines={"truth": truth}))[0].cleared
    assert good >= 5 and bad <= 2 and on_the_mean > 0


def test_rows_without_a_complaint_judge_nothing_and_are_left_out() -> None:
    truth, floor = world(9000)
    none = {**floor.y, 7: np.zeros(9000)}
    assert all(against.horizons == (14, 30) for against in compared(replace(floor, y=none)))
    with pytest.raises(DataError, match="nobody, or everybody, complained"):
        compared(replace(floor, y={h: np.zeros(9000) for h in truth}))


def test_certain_baselines_cost_much_but_not_infinitely() -> None:
    _, floor = world(3000)
    sure: Said = {h: np.where(p > np.median(p), 1.0, 0.0) for h, p in floor.candidate.items()}
    [against] = compared(replace(floor, baselines={"sure": sure}))
    assert isinstance(against, Against) and against.beyond_noise
    assert np.isfinite(against.loss_gain).all()
