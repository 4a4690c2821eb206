"""The effect of past contacts against draws whose truth is known."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from models.uplift import Effect, relative_effects, trial_of_treatments

AS_OF = datetime(2026, 6, 1)


def _past(seed: int, rows: int, treated_rate: float, control_rate: float, p: float):
    """Contacts whose propensity depends on a trait that also raises the rate."""
    rng = np.random.default_rng(seed)
    trait = rng.random(rows) < 0.5
    propensity = np.where(trait, p, 0.5)
    treated = rng.random(rows) < propensity
    rate = np.where(treated, treated_rate, control_rate) * np.where(trait, 1.5, 0.5)
    complained = rng.random(rows) < rate
    ids = [f"c-{i}" for i in range(rows)]
    at = pd.Series([AS_OF - timedelta(days=60)] * rows, dtype="datetime64[us]")
    treatments = pd.DataFrame(
        {
            "treatment_id": ids,
            "customer_id": ids,
            "treated_at": at,
            "campaign": "spring",
            "arm": np.where(treated, "treat", "control"),
            "propensity": np.where(treated, propensity, 1 - propensity),
            "action": np.where(treated, "check_in", None),
        }
    )
    opened = pd.DataFrame({"customer_id": ids, "opened_at": at + timedelta(days=3)})
    return treatments, opened[complained]


def measured(treatments: pd.DataFrame, complaints: pd.DataFrame, as_of=AS_OF) -> list[Effect]:
    tickets = complaints.assign(is_complaint=True)
    return relative_effects(trial_of_treatments(treatments, tickets, as_of=as_of))


def test_the_interval_holds_the_truth_although_propensities_differ() -> None:
    inside = 0
    for seed in range(60):
        treatments, complaints = _past(seed, 4000, 0.07, 0.10, p=0.8)
        effects = {e.action: e for e in measured(treatments, complaints)}
        inside += effects["all"].low <= -0.3 <= effects["all"].high
    assert inside >= 52  # 95 % of 60 is 57; 52 is three standard deviations below


def test_a_harmful_contact_raises_the_risk_by_the_factor_that_was_drawn() -> None:
    treatments, complaints = _past(1, 20_000, 0.15, 0.10, p=0.5)
    of_action = next(e for e in measured(treatments, complaints) if e.action == "check_in")
    assert of_action.shrunk == pytest.approx(0.5, abs=0.15)


def test_little_data_is_shrunk_and_too_little_says_nothing() -> None:
    treatments, complaints = _past(2, 400, 0.05, 0.10, p=0.5)
    (some, *_) = measured(treatments, complaints)
    assert abs(some.shrunk) < abs(some.relative)
    assert measured(treatments.head(60), complaints) == []


def test_windows_that_have_not_passed_do_not_count() -> None:
    treatments, complaints = _past(3, 2000, 0.05, 0.10, p=0.5)
    early = AS_OF - timedelta(days=40)
    assert measured(treatments, complaints, early) == []
