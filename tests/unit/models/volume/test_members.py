"""The members and their judge: each sees what it is there for, and the judge sees it too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume import VolumeContext, train_volume
from models.volume.judge import Trials, tried, weights_of
from models.volume.members import NAMES, forecasts_at, origin_of
from models.volume.panel import panel_of


def answers(y: np.ndarray, horizon: int, freq: str = "D") -> dict[str, np.ndarray]:
    ds = pd.date_range("2023-01-01", periods=len(y), freq=freq)
    panel = panel_of(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), freq)
    ready = origin_of(panel, horizon, VolumeContext())
    made = forecasts_at(ready, horizon, VolumeContext(), None)
    return dict(zip(NAMES, made[:, 0], strict=True))


def test_regression_sees_the_months_billing_run_that_weekly_means_cannot():
    days = pd.date_range("2023-01-01", periods=424)
    rate = 100 * (1 + 0.6 * np.cos(2 * np.pi * days.day / days.days_in_month))
    y = np.random.default_rng(0).poisson(rate).astype(float)
    made = answers(y[:396], 28)
    error = {name: np.abs(values - y[396:]).sum() for name, values in made.items()}
    assert error["regression"] < 0.5 * error["mean_of_8"]


def test_regression_does_not_take_a_storm_for_a_season():
    y = np.random.default_rng(1).poisson(100, 200).astype(float)
    calm = answers(y, 28)["regression"]
    y[120:123] *= 12
    stormy = answers(y, 28)["regression"]
    assert stormy == pytest.approx(calm, rel=0.1)


@pytest.mark.parametrize("y", [np.arange(9.0), np.full(50, 3.0), np.zeros(50)])
def test_regression_is_silent_where_there_is_nothing_to_fit(y):
    assert np.isnan(answers(y, 5)["regression"]).all()


def trials(*right: str) -> Trials:
    """One series of constant 10; at origin o only the member ``right[o]`` says so."""
    forecast = np.full((len(right), len(NAMES), 1, 7), 14.0)
    for origin, name in enumerate(right):
        forecast[origin, NAMES.index(name)] = 10.0
    return Trials(forecast, np.full((len(right), 1, 7), 10.0))


def test_the_judge_gives_its_weight_to_the_member_that_was_right():
    weight = weights_of(trials(*["regression"] * 8))
    assert weight[NAMES.index("regression"), 0] > 0.95


def test_a_member_that_failed_once_gets_nothing():
    given = trials(*["regression"] * 8)
    given.forecast[3, NAMES.index("regression")] = np.nan
    assert weights_of(given)[NAMES.index("regression"), 0] == 0


def test_a_trial_is_not_weighted_by_its_own_errors():
    made = tried(trials("trees", *["regression"] * 7))
    assert made[0, 0] == pytest.approx(14.0, abs=0.3)
    assert made[5, 0] == pytest.approx(10.0, abs=0.3)


def test_the_judge_prefers_regression_where_months_have_their_rhythm():
    days = pd.date_range("2023-01-01", periods=400)
    rate = 200 * (1 + 0.5 * np.cos(2 * np.pi * days.day / days.days_in_month))
    y = np.random.default_rng(2).poisson(rate).astype(float)
    history = pd.DataFrame({"unique_id": "a", "ds": days, "y": y})
    weights = train_volume(history, horizon=14, freq="D").weights().iloc[0]
    assert weights["regression"] + weights["trees"] + weights["trees_median"] > 0.6
    assert weights["mean_of_8"] == 0
