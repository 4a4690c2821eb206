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
