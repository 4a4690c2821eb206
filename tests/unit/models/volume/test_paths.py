"""Sample paths: each number as its interval says, together as the past went together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from models.volume import VolumeModel, load_volume, train_volume


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """Two channels that share each week's busyness, and their total."""
    rng = np.random.default_rng(0)
    week = np.repeat(rng.lognormal(0, 0.3, 40), 7)
    parts = {f"channel={name}": rng.poisson(80 * week).astype(float) for name in ("a", "b")}
    parts["total"] = sum(parts.values())
    ds = pd.date_range("2024-01-01", periods=280)
    frames = [pd.DataFrame({"unique_id": k, "ds": ds, "y": y}) for k, y in parts.items()]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def model(history) -> VolumeModel:
    return train_volume(history, horizon=7, freq="D")


def test_paths_stay_inside_the_intervals_as_often_as_they_should(model, history):
    made = model.paths(history, 4000, seed=1, whole=False)
    table = model.forecast(history)
    for row, name in enumerate(made.ids):
        if name == "total":
            continue
        part = table[table["unique_id"] == name]
        low, high = part["presage-lo-80"].to_numpy(), part["presage-hi-80"].to_numpy()
        inside = (made.counts[:, row] >= low) & (made.counts[:, row] <= high)
        assert inside.mean() == pytest.approx(0.8, abs=0.02)


def test_parts_add_up_in_every_path_in_whole_contacts(model, history):
    made = model.paths(history, 200, seed=2)
    row = {name: place for place, name in enumerate(made.ids)}
    total = made.counts[:, row["channel=a"]] + made.counts[:, row["channel=b"]]
    assert (made.counts[:, row["total"]] == total).all()
    assert (made.counts == np.round(made.counts)).all()
    assert (made.counts >= 0).all()


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_paths_of_rare_contacts_have_the_forecasts_mean(scale):
    """Twelve topics of one contact in five days each: their week must not become three."""
    rng = np.random.default_rng(0)
    parts = {f"topic={place}": rng.poisson(0.2, 150).astype(float) for place in range(12)}
    parts["total"] = sum(parts.values())
    ds = pd.date_range("2024-01-01", periods=150)
    frames = [pd.DataFrame({"unique_id": k, "ds": ds, "y": y}) for k, y in parts.items()]
    rare = pd.concat(frames, ignore_index=True)
    model = train_volume(rare, horizon=7, freq="D")
    forecast = model.forecast(rare)
    forecast["presage"] *= scale
    made = model.paths(rare, 1000, seed=1, means=forecast)
    told = forecast.groupby("unique_id")["presage"].sum()
    week = made.counts.sum(axis=2)
    assert (made.counts == np.round(made.counts)).all()
    assert week[:, made.ids.index("total")].mean() == pytest.approx(told["total"], rel=0.06)
    for name in ("topic=1", "topic=7"):
        assert week[:, made.ids.index(name)].mean() == pytest.approx(told[name], rel=0.25)
    # as uneven as rare contacts are at least
    assert week[:, made.ids.index("total")].var() > 0.7 * told["total"]


def test_a_forecast_that_says_less_is_refused_by_name(model, history):
    short = model.forecast(history, horizon=3)
    with pytest.raises(UsageError, match="says nothing of 'channel=a' at 2024-10-10"):
        model.paths(history, 5, seed=1, means=short)


def test_a_busy_week_is_busy_on_all_its_days_and_in_both_channels(model, history):
    made = model.paths(history, 4000, seed=3, whole=False)
    a = made.counts[:, made.ids.index("channel=a")]
    b = made.counts[:, made.ids.index("channel=b")]
    assert np.corrcoef(a[:, 2], a[:, 4])[0, 1] > 0.3
    assert np.corrcoef(a.sum(axis=1), b.sum(axis=1))[0, 1] > 0.5


def test_equal_seeds_give_equal_paths_also_from_a_reloaded_model(model, history, tmp_path):
    model.save(tmp_path / "model")
    again = load_volume(tmp_path / "model").paths(history, 50, seed=4)
    assert np.array_equal(again.counts, model.paths(history, 50, seed=4).counts)
    assert not np.array_equal(again.counts, model.paths(history, 50, seed=5).counts)


def test_a_longer_horizon_and_a_new_series_have_their_paths_too(model, history):
    new = pd.DataFrame({"unique_id": "channel=c", "ds": history["ds"].unique(), "y": 5.0})
    made = model.paths(pd.concat([history, new]), 20, seed=6, horizon=30)
    assert made.counts.shape == (20, 4, 30)
    assert np.isfinite(made.counts).all()
