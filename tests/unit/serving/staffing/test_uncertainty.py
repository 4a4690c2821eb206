"""Scenarios are the forecast's: on every grid, over days, and for channels with few contacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.settings import Settings
from serving.staffing import Basis, gate, passed_plan
from serving.staffing.check import PlayedChannel, play
from serving.staffing.workload import scenarios, workloads

Forecast = Callable[..., pd.DataFrame]


def test_sparse_channels_are_as_noisy_as_counts_are(forecast: Forecast) -> None:
    """An interval of 0 to 1 around 0.2 contacts says that counts are whole, no more."""
    frame = forecast({"post": 0.2}, hours=48).assign(**{"presage-hi-80": 1.0})
    load = workloads(frame, 30)["post"]
    draws = scenarios(load, "UTC", 400, seed=1)
    assert draws.var() / draws.mean() == pytest.approx(1.0, abs=0.15)
    assert draws.max() <= 4


@pytest.mark.parametrize("minutes", [60, 15, 5])
def test_the_80_percent_interval_holds_on_every_grid(forecast: Forecast, minutes: int) -> None:
    rng = np.random.default_rng(2)
    level = np.exp(0.15 * rng.standard_normal((400, 1)))
    paths = rng.poisson(60 * level, (400, 24)).astype(float)
    load = workloads(forecast({"phone": 60.0}), minutes)["phone"]
    draws = scenarios(load, "UTC", 0, 3, paths[:200])
    told = load.with_interval(draws)
    other = scenarios(load, "UTC", 0, 4, paths[200:])
    inside = ((other >= told.low) & (other <= told.high)).mean()
    assert 0.76 <= inside <= 0.93  # counts are whole: at five minutes an interval holds more
    assert draws.sum(axis=1) == pytest.approx(paths[:200].sum(axis=1))


def test_a_busy_week_is_busy_as_a_whole(forecast: Forecast) -> None:
    """Paths keep what days have in common; intervals alone leave some of it to the horizon."""
    rng = np.random.default_rng(5)
    paths = rng.poisson(30 * np.exp(0.2 * rng.standard_normal((200, 1))), (200, 168)).astype(float)
    frame = forecast({"phone": 30.0}, hours=168)
    load = workloads(frame, 30)["phone"]
    own = scenarios(load, "UTC", 0, 1, paths).sum(axis=1)
    assert own.std() / own.mean() == pytest.approx(0.2, abs=0.03)
    wide = frame.assign(**{"presage-lo-80": 20.0, "presage-hi-80": 40.0})
    drawn = scenarios(workloads(wide, 30)["phone"], "UTC", 400, 1).sum(axis=1)
    assert drawn.std() / drawn.mean() > 0.05


def test_changed_paths_are_no_noisier_than_counts(forecast: Forecast) -> None:
    paths = np.random.default_rng(1).poisson(8.0, (400, 24)).astype(float)
    for factor in (0.5, 1.3, 3.0):
        load = workloads(forecast({"phone": 8.0}), 60)["phone"].times(np.full(24, factor))
        draws = scenarios(load, "UTC", 0, 1, paths)
        assert draws.mean() == pytest.approx(8 * factor, rel=0.03)
        assert 0.6 < (draws.var(axis=0).mean() / draws.mean()) < 1.25
    more = [
        scenarios(
            workloads(forecast({"phone": 8.0}), 60)["phone"].times(np.full(24, f)),
            "UTC",
            0,
            1,
            paths,
        )
        for f in (1.2, 1.4)
    ]
    assert (more[1] >= more[0]).mean() > 0.999


def test_finer_forecasts_are_added_up(forecast: Forecast) -> None:
    frame = forecast({"phone": 3.0}).assign(
        ds=pd.date_range("2026-03-02", periods=24, freq="15min", unit="us")
    )
    load = workloads(frame, 60)["phone"]
    assert load.step_seconds == 3600 and load.volume.tolist() == [12.0] * 6
    paths = np.arange(48.0).reshape(2, 24)
    assert scenarios(load, "UTC", 0, 1, paths)[0].tolist() == [6.0, 22.0, 38.0, 54.0, 70.0, 86.0]


def test_a_plan_is_judged_by_scenarios_that_it_was_not_found_with(
    forecast: Forecast, office: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 every other one finds agents; the others judge, from the quietest to the busiest."""
    paths = np.zeros((200, 24))
    paths[:, 9] = np.arange(200) % 10  # found with: 0, 2, .. 8 contacts; left: 1, 3, .. 9
    judged: list[np.ndarray] = []

    def played(rows: pd.DataFrame, **words: Any) -> dict[str, PlayedChannel]:
        judged.append(words["counts"]["email"])
        return play(rows, **words)

    monkeypatch.setattr(gate, "play", played)
    basis = Basis(forecast({"email": 0.2}, hours=24), {"email": paths})
    found = passed_plan(basis, settings=office, rounds=1)
    (counts,) = judged
    sizes = counts.sum(axis=1)
    assert found.runs == len(counts) == 100
    assert set(sizes) == {1.0, 3.0, 5.0, 7.0, 9.0} and (np.diff(sizes) >= 0).all()
