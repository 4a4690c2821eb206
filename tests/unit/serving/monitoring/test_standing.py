"""When a model goes back, and what the challenger in the shadow shows, on small arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from serving.monitoring.shadow import pairs_of, shadow_findings
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


def log(challenger: np.ndarray) -> pd.DataFrame:
    ids = [f"p{n}" for n in range(P.size)]
    common = {"pseudonym": ids, "as_of": pd.Timestamp("2026-03-01")}
    sides = (("published", "risk-1-a", np.minimum(2 * P, 0.99)), ("shadow", "risk-2-b", challenger))
    return pd.concat(
        [
            pd.DataFrame({**common, "source": source, "model_version": name, "risk_7d": risk})
            for source, name, risk in sides
        ]
    )


def test_a_challenger_is_compared_before_and_after_labels() -> None:
    pairs = pairs_of(log(P), "risk-2-b", 7)
    assert len(pairs) == P.size
    (early,) = shadow_findings(pairs, "risk-2-b", 7)
    assert early.status == "ok" and "100% are the champion's" in early.text
    (few,) = shadow_findings(pairs, "risk-2-b", 7, pd.Series(np.full(P.size, np.nan)))
    assert "too few to judge by" in few.text
    (ahead,) = shadow_findings(pairs, "risk-2-b", 7, pd.Series(Y))
    assert ahead.status == "notice" and ahead.text.endswith(": ahead") and ahead.low > 0
    behind = pairs_of(log(np.minimum(4 * P, 0.99)), "risk-2-b", 7)
    (finding,) = shadow_findings(behind, "risk-2-b", 7, pd.Series(Y))
    assert finding.text.endswith(": behind") and not finding.act
    (none,) = shadow_findings(pairs_of(log(P), "risk-3-c", 7), "risk-3-c", 7)
    assert none.status == "too early"
