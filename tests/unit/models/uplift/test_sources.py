"""Trials from the treatments table and from our own log."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from models.uplift import (
    pair,
    trial_of_log,
    trial_of_treatments,
    with_features,
)

AS_OF = datetime(2026, 6, 1)
THEN = AS_OF - timedelta(days=40)
TICKETS = pd.DataFrame(
    {
        "customer_id": ["a", "a", "b", "c", "d"],
        "opened_at": pd.to_datetime(
            [THEN + timedelta(days=d) for d in (0, 29.99, 30, -0.01, 3)]
        ).astype("datetime64[us]"),
        "is_complaint": [False, True, True, True, None],
    }
)


def log(**changed: object) -> list[dict]:
    rows = {
        "customer_id": ["a", "b", "c", "d", "e"],
        "as_of": [THEN.isoformat()] * 5,
        "arm": ["treat", "holdout", "capacity", "capacity", "ineligible"],
        "propensity": [0.9, 0.9, 0.05, 0.0, 0.0],
        "action": ["check_in"] * 4 + [None],
        "channel": ["email"] * 4 + [None],
        "risk": [0.3, 0.3, 0.1, 0.1, 0.1],
    }
    return pd.DataFrame(rows | changed).to_dict("records")


def test_our_own_arms_have_the_odds_of_the_arm_that_was_drawn() -> None:
    own = trial_of_log(log(), TICKETS, as_of=AS_OF)
    assert own.frame["customer_id"].tolist() == ["a", "b", "c"]
    assert own.frame["action"].tolist() == ["check_in", "none", "none"]
    assert own.frame["propensity"].tolist() == pytest.approx([0.9, 0.1, 0.95])
    assert pair(own, "check_in", "complained").propensity == pytest.approx([0.9, 0.9, 0.05])
    assert own.left_out == {"nothing was left to chance": 2}
    selected = trial_of_log(log(), TICKETS, as_of=AS_OF, only_selected=True)
    assert selected.frame["customer_id"].tolist() == ["a", "b"]


def test_a_window_is_half_open_and_counts_complaints_and_inquiries() -> None:
    own = trial_of_log(log(), TICKETS, as_of=AS_OF).frame
    assert own["complained"].tolist() == [1, 0, 0]
    assert own["contacts"].tolist() == [2, 0, 0]
    assert own["inquiries"].tolist() == [1, 0, 0]


def test_windows_that_have_not_passed_are_left_out_and_counted() -> None:
    own = trial_of_log(log(), TICKETS, as_of=THEN + timedelta(days=29))
    assert own.frame.empty
    assert own.left_out == {"the window has not passed": 5}


def test_no_decision_at_all_is_an_empty_trial() -> None:
    assert trial_of_log([], TICKETS, as_of=AS_OF).actions == ()


def test_a_logged_contact_without_odds_is_refused() -> None:
    with pytest.raises(DataError, match=r"customer 'a' .* no propensity"):
        trial_of_log(log(propensity=[np.nan, 0.9, 0.05, 0, 0]), TICKETS, as_of=AS_OF)


def treatments(propensity: list) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "treatment_id": ["1", "2", "3"],
            "customer_id": ["a", "b", "c"],
            "treated_at": pd.to_datetime([THEN] * 3).astype("datetime64[us]"),
            "campaign": ["spring"] * 3,
            "arm": ["Treat", "Control", "hold-out"],
            "action": ["check_in", None, "check_in"],
            "propensity": propensity,
        }
    )


def test_the_table_is_refused_without_odds_or_counts_the_rows() -> None:
    table = treatments([0.5, None, 0.5])
    with pytest.raises(DataError, match=r"customer 'b' .* no propensity"):
        trial_of_treatments(table, TICKETS, as_of=AS_OF)
    kept = trial_of_treatments(table, TICKETS, as_of=AS_OF, leave_out_without_propensity=True)
    assert kept.left_out == {"no propensity was logged": 1}
    assert kept.frame["action"].tolist() == ["check_in", "none"]


def test_features_of_other_decisions_are_refused() -> None:
    own = trial_of_treatments(treatments([0.5] * 3), TICKETS, as_of=AS_OF)
    good = pd.DataFrame({"customer_id": ["a", "b", "c"], "as_of": [THEN] * 3, "x": [1, 2, 3]})
    assert with_features(own, good).features.columns.tolist() == ["x"]
    with pytest.raises(DataError, match="customer_id are not those"):
        with_features(own, good.iloc[::-1])
