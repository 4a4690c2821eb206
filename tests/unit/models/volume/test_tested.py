"""How far off each series was: errors of the trials, and scores from which weights are made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume import audit, load_volume, train_volume
from models.volume.context import VolumeContext
from models.volume.forecaster import benches, ordered
from models.volume.judge import tried
from models.volume.panel import panel_of


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    ds = pd.date_range("2024-01-01", periods=120)
    rng = np.random.default_rng(0)
    y = {"a": rng.poisson(np.where(ds.day_of_week < 5, 80, 20)), "b": np.zeros(120)}
    frames = [pd.DataFrame({"unique_id": name, "ds": ds, "y": y[name]}) for name in y]
    return pd.concat(frames, ignore_index=True).astype({"y": float})


def test_it_is_the_error_of_trials_summed_by_hand(history):
    model = train_volume(history, horizon=7, freq="D")
    told = model.accuracy().set_index("unique_id")
    bench, _ = benches(ordered(panel_of(history, "D")), 7, VolumeContext(), 0)
    trials = bench.trials(bench.panel.end)
    made = tried(trials)
    error = count = naive = 0.0
    y = history[history["unique_id"] == "a"]["y"].to_numpy()
    for place, end in enumerate(range(119 - 7 * len(made), 119, 7)):
        came = y[end + 1 : end + 8]
        error += np.abs(made[place, 0] - came).sum()
        naive += np.abs(y[end - 6 : end + 1] - came).sum()
        count += came.sum()
    assert told.loc["a", "presage"] == pytest.approx(error / count)
    assert told.loc["a", "seasonal_naive"] == pytest.approx(naive / count)
    assert told.loc["a", "trials"] == len(made) > 5
    assert np.isnan(told.loc["b", "presage"]), "no contact: there is no share of contacts"


def test_weights_follow_from_the_scores_that_are_shown(history, tmp_path):
    train_volume(history, horizon=7, freq="D").save(tmp_path / "model")
    model = load_volume(tmp_path / "model")
    members = audit(model, history, "a", pd.Timestamp("2024-05-02")).members
    weight = np.exp(-(members["score"] / members["score"].min() - 1) / 0.06)
    np.testing.assert_allclose(members["weight"], weight / weight.sum())
    assert members["wape"].between(0.05, 0.5).all()


def test_without_a_trial_nothing_is_claimed(history):
    model = train_volume(history[history["ds"] < "2024-01-08"], horizon=7, freq="D")
    told = model.accuracy()
    assert told["trials"].tolist() == [0, 0]
    assert told[["presage", "seasonal_naive", "mean_of_8"]].isna().all(axis=None)


def test_whole_days_are_judged_too_and_kept(tmp_path):
    """Hours of a day are added up before they are compared: errors within a day cancel."""
    ds = pd.date_range("2024-01-01", periods=24 * 63, freq="h")
    rng = np.random.default_rng(1)
    y = rng.poisson(np.where((ds.hour >= 8) & (ds.hour < 18), 6.0, 0.0)).astype(float)
    history = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})
    model = train_volume(history, horizon=48, freq="h")
    told = model.accuracy().iloc[0]
    bench, _ = benches(ordered(panel_of(history, "h")), 48, VolumeContext(), 0)
    trials = bench.trials(bench.panel.end)
    error = count = 0.0
    off = []
    for made, came in zip(tried(trials)[:, 0], trials.actual[:, 0], strict=True):
        for day in (slice(0, 24), slice(24, 48)):
            if not np.isnan(came[day]).any():
                error += abs(made[day].sum() - came[day].sum())
                count += came[day].sum()
                off.append(abs(came[day].sum() / made[day].sum() - 1))
    assert len(off) > 8
    assert told["presage_days"] == pytest.approx(error / count)
    assert told["within_days"] == pytest.approx(np.quantile(off, 0.8))
    assert told["presage_days"] < 0.6 * told["presage"]
    model.save(tmp_path / "model")
    again = load_volume(tmp_path / "model").accuracy()
    pd.testing.assert_frame_equal(again, model.accuracy())


def test_days_are_not_claimed_of_steps_of_a_day(history):
    told = train_volume(history, horizon=7, freq="D").accuracy()
    assert told[["presage_days", "mean_of_8_days", "within_days"]].isna().all(axis=None)
