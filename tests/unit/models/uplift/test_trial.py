"""What a trial refuses, and which rows and odds a pair reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from models.uplift import joined, pair, trial

DAY = pd.Timestamp("2026-01-05")


def frame(**changed: object) -> pd.DataFrame:
    rows = {
        "customer_id": ["a", "b", "c", "d"],
        "time": [DAY] * 4,
        "action": ["call", "none", "call", "none"],
        "propensity": [0.8, 0.2, 0.6, 0.4],
        "complained": [0.0, 1.0, 0.0, 0.0],
    }
    return pd.DataFrame(rows | changed)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"propensity": [0.8, np.nan, 0.6, 0.4]}, "customer 'b' .* has no propensity"),
        ({"propensity": [0.8, 0.0, 0.6, 0.4]}, "customer 'b' .* propensity 0,"),
        ({"propensity": [1.0, 0.2, 0.6, 0.4]}, "customer 'a' .* propensity 1,"),
        ({"propensity": [0.8, 0.2, -0.6, 0.4]}, "customer 'c'"),
        ({"customer_id": ["a", "a", "c", "d"]}, "customer 'a' .* two outcomes"),
        ({"action": ["call", None, "call", "none"]}, "row 1 has no action"),
        ({"complained": [0.0, 2.0, 0.0, 0.0]}, "row 1 has complained = 2"),
    ],
)
def test_what_cannot_tell_an_effect_is_refused_by_name(changed: dict, named: str) -> None:
    with pytest.raises(DataError, match=named):
        trial(frame(**changed))


def test_a_missing_column_or_outcome_is_named() -> None:
    with pytest.raises(DataError, match="'propensity', which is missing"):
        trial(frame().drop(columns="propensity"))
    with pytest.raises(DataError, match="needs an outcome"):
        trial(frame().drop(columns="complained"))


def test_an_arm_that_nobody_was_in_is_named() -> None:
    with pytest.raises(DataError, match="nobody was in the arm 'credit'"):
        trial(frame(), arms=["call", "credit"])
    with pytest.raises(DataError, match="nobody was in the arm 'credit'"):
        pair(trial(frame()), "credit", "complained")
    with pytest.raises(DataError, match="nobody was in the arm 'none'"):
        pair(trial(frame(action=["call"] * 4)), "call", "complained")


def test_propensity_becomes_that_of_contact_in_both_arms() -> None:
    two = pair(trial(frame()), "call", "complained")
    assert two.propensity == pytest.approx([0.8, 0.8, 0.6, 0.6])


def test_a_control_that_was_offered_another_action_is_no_control() -> None:
    rows = frame(
        action=["call", "none", "credit", "none"], offered=["call", "call", "credit", "credit"]
    )
    two = pair(trial(rows), "call", "complained")
    assert two.rows.tolist() == [0, 1]


def test_of_several_actions_the_odds_are_those_of_the_two_arms() -> None:
    rows = frame(action=["call", "none", "credit", "none"], propensity=[0.25, 0.5, 0.25, 0.5])
    assert pair(trial(rows), "call", "complained").propensity == pytest.approx([1 / 3] * 3)
    assert pair(trial(rows), "all", "complained").propensity == pytest.approx([0.5] * 4)


def test_of_several_actions_with_odds_by_customer_the_offer_must_be_logged() -> None:
    rows = frame(action=["call", "none", "credit", "none"], propensity=[0.25, 0.5, 0.3, 0.4])
    with pytest.raises(DataError, match="does not say which action those left alone"):
        pair(trial(rows), "call", "complained")


def test_a_decision_in_two_trials_is_refused_when_they_are_joined() -> None:
    with pytest.raises(DataError, match="two outcomes"):
        joined([trial(frame()), trial(frame())])
    later = trial(frame(time=[DAY + pd.Timedelta(days=30)] * 4))
    assert len(joined([trial(frame()), later]).frame) == 8
