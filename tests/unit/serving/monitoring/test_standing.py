"""When a model goes back, and what the challenger in the shadow shows, on small arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from serving.monitoring.shadow import FIGURES, compared, pairs_of, shadow_findings
from serving.monitoring.standing import (
    Answers,
    answers_finding,
    judge_answers,
    judge_calibration,
)

RNG = np.random.default_rng(3)
P = RNG.beta(1, 9, 3000)
Y = (RNG.random(P.size) < P).astype(float)
WHOSE = RNG.integers(0, 1500, P.size)
BROKEN = ["14 days: observed over predicted 0.40 [0.36, 0.44]"]
GOOD = Answers(200, 0, 0.002)


def test_broken_calibration_goes_back_only_to_what_is_better_now() -> None:
    wrong = np.minimum(2.5 * P, 0.99)
    verdict = judge_calibration(BROKEN, Y, wrong, P, WHOSE)
    assert verdict.back
    assert verdict.figures["gain_low"] > 0
    assert verdict.figures["log_loss"] > verdict.figures["former_log_loss"]
    assert BROKEN[0] in verdict.why
    for former in (wrong, np.minimum(3 * P, 0.99)):  # the world changed: both are wrong
        same = judge_calibration(BROKEN, Y, wrong, former, WHOSE)
        assert not same.back and "no better beyond noise" in same.why


def test_errors_and_slowness_go_back_unless_the_former_has_them_too() -> None:
    cases = {
        "gives no answers: files are damaged": Answers(200, error="files are damaged"),
        "3 of 200 answers are no probabilities": Answers(200, 3, 0.002),
        "one answer takes 900 ms, at most 250 ms": Answers(200, 0, 0.9),
    }
    for words, own in cases.items():
        verdict = judge_answers(own, GOOD, 0.25)
        assert verdict is not None and verdict.back and words in verdict.why
        assert verdict.figures["former_answer_ms"] == 2.0
        also = judge_answers(own, own, 0.25)
        assert also is not None and not also.back and "but of the champion before" in also.why
        finding = answers_finding(own, 0.25)
        assert finding.status == "alarm" and words in finding.text and finding.act
    assert judge_answers(GOOD, GOOD, 0.25) is None
    assert answers_finding(GOOD, 0.25).status == "ok"
    assert answers_finding(Answers(0), 0.25).status == "too early"


def pairs(challenger: np.ndarray, outcome: np.ndarray = Y) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "pseudonym": [f"p{n}" for n in range(P.size)],
            "as_of": pd.Timestamp("2026-03-01"),
            "outcome": outcome,
            "weight": 1.0,
        }
    )
    return pairs_of(
        rows.assign(value=np.minimum(2 * P, 0.99)), rows.assign(value=np.asarray(challenger))
    )


def test_a_challenger_is_compared_before_and_after_labels() -> None:
    good, none_yet = pairs(P), pairs(P).iloc[:0]
    assert len(good) == P.size
    (early,) = shadow_findings(good, none_yet, "risk-2-b", 7)
    assert early.status == "ok" and "100% are the champion's" in early.text
    assert "too few to judge by" in early.text
    (ahead,) = shadow_findings(good, good, "risk-2-b", 7)
    assert ahead.status == "notice" and ahead.text.endswith(": ahead") and ahead.low > 0
    behind = pairs(np.minimum(4 * P, 0.99))
    (finding,) = shadow_findings(behind, behind, "risk-2-b", 7)
    assert finding.text.endswith(": behind") and not finding.act
    (none,) = shadow_findings(none_yet, none_yet, "risk-3-c", 7)
    assert none.status == "too early"


def test_two_models_are_compared_on_the_rows_that_stand_for_others() -> None:
    """A row of weight two counts as two rows of weight one."""
    rows = pairs(P)
    twice = rows.assign(weight=np.where(Y == 1, 2.0, 1.0))
    figures = compared(twice)
    doubled = pd.concat([rows, rows[rows["outcome"] == 1]])
    for name, (own, other, gain) in figures.items():
        metric = FIGURES[name]
        assert own.estimate == pytest.approx(metric(doubled["outcome"], doubled["champion"]))
        assert other.estimate == pytest.approx(metric(doubled["outcome"], doubled["challenger"]))
        assert gain.estimate == pytest.approx(other.estimate - own.estimate)
        assert gain.low <= gain.estimate <= gain.high
