"""The level follows what came: steady in the calm, quick in a fall, deaf to a freak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.risk.encode import varying
from models.risk.level import DAY, Labelled, levels, spaced, track
from models.risk.rows import thinned
from models.risk.settings import RiskSettings
from models.risk.train import train_risk

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def windows(rates: list[float], people: int = 2000, seed: int = 1) -> dict[int, Labelled]:
    """Rows of weekly windows with these rates of complaints, all scored at a rate of 10 %."""
    rng = np.random.default_rng(seed)
    as_of = np.repeat(np.arange(len(rates)) * 7 * DAY, people)
    y = (rng.random(len(as_of)) < np.repeat(rates, people)).astype(float)
    score = np.full(len(as_of), np.log(0.1 / 0.9))
    ones = np.ones(len(as_of))
    return {7: Labelled(as_of, score, y, ones, ones)}


def rate_now(of: dict[int, Labelled], horizon: int = 7) -> float:
    steps, _ = levels(of, strength=20.0)
    return float(1 / (1 + np.exp(-(np.log(0.1 / 0.9) + steps[horizon]))))


def test_a_level_that_fell_is_met_soon() -> None:
    told = [rate_now(windows([0.1] * 20 + [0.05] * 5, seed=seed)) for seed in range(5)]
    assert np.mean(told) == pytest.approx(0.05, rel=0.1)


def test_a_steady_level_is_not_moved_by_chance() -> None:
    steps = np.array([levels(windows([0.1] * 25, 300, s), strength=20.0)[0][7] for s in range(20)])
    # one window of 300 people alone would say ± 0.19
    assert np.abs(steps).max() < 0.19 and steps.std() < 0.08


def test_one_week_without_any_complaint_is_a_freak_not_a_level() -> None:
    assert rate_now(windows([0.1] * 20 + [0.0])) > 0.07


def test_a_longer_horizon_knows_what_the_last_short_windows_told() -> None:
    rates = [0.1] * 20 + [0.05] * 6
    of = windows(rates)
    rng = np.random.default_rng(2)
    starts = np.arange(len(rates) - 3)
    monthly = np.array([1 - np.prod(1 - np.array(rates[at : at + 4])) for at in starts])
    score = np.log(0.34 / 0.66)
    as_of = np.repeat(starts * 7 * DAY, 2000)
    y = (rng.random(len(as_of)) < np.repeat(monthly, 2000)).astype(float)
    ones = np.ones(len(as_of))
    of[28] = Labelled(as_of, np.full(len(as_of), score), y, ones, ones)
    steps, _ = levels(of, strength=20.0)
    told = 1 / (1 + np.exp(-(score + steps[28])))
    assert told == pytest.approx(1 - 0.95**4, rel=0.1)


def test_rows_that_stand_for_others_tell_the_same_level() -> None:
    of = windows([0.1] * 20 + [0.05] * 5, people=6000)
    every = of[7]
    kept, counts = thinned(every.y, np.random.default_rng(3).random(len(every.y)), 3.0, 10**6)
    few = Labelled(every.as_of[kept], every.score[kept], every.y[kept], counts[kept], counts[kept])
    assert kept.mean() < 0.5
    assert rate_now({7: few}) == pytest.approx(rate_now(of), rel=0.02)


def test_a_drifting_company_gets_a_quicker_level_than_a_steady_one() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 40)
    steady = track(noise, np.full(40, 0.01))
    drifting = track(np.cumsum(rng.normal(0, 0.3, 40)) + noise, np.full(40, 0.01))
    assert drifting.drift > steady.drift


def test_windows_that_overlap_are_not_counted_twice() -> None:
    assert spaced([0, DAY, 6 * DAY, 8 * DAY, 15 * DAY], 7) == [DAY, 8 * DAY, 15 * DAY]


def test_a_model_trained_through_a_fall_says_what_comes(
    make_world: World, small: RiskSettings
) -> None:
    features, labels = make_world(customers=2000, weeks=24)
    late = labels["as_of"] >= labels["as_of"].unique()[14]
    kept = np.random.default_rng(3).random(len(labels)) < 0.5
    labels.loc[late & ~kept, "label_7d"] = 0.0  # from then on every second complaint stays away
    past = labels["as_of"] < labels["as_of"].unique()[20]
    model = train_risk(features[past], labels[past], settings=small, horizons=(7,))
    said = model.predict(features[~past])["risk_7d"].mean()
    assert said == pytest.approx(labels.loc[~past, "label_7d"].mean(), rel=0.1)
    assert model.notes["level"]["now"] < -0.2


def test_what_is_equal_for_everybody_at_every_moment_tells_nobody_apart() -> None:
    frame = pd.DataFrame(
        {
            "as_of": pd.to_datetime(["2026-01-01"] * 2 + ["2026-01-08"] * 2),
            "trend": [1.0, 1.0, 2.0, 2.0],
            "season": pd.Categorical(["winter", "winter", None, None]),
            "unknown": [np.nan] * 4,
            "orders": [1.0, 1.0, np.nan, 2.0],
            "plan": pd.Categorical(["a", "b", "a", "a"]),
        }
    )
    assert varying(frame, list(frame.columns[1:])) == ["orders", "plan"]
