"""Forecast, train, save, reload: one answer; and an answer for every awkward series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DamagedFile, NotEnoughHistory, UsageError
from models.volume import (
    VolumeContext,
    backtest,
    forecast,
    load_volume,
    train_volume,
    train_with_twin,
)
from models.volume.members import NAMES

COLUMNS = [
    "unique_id",
    "ds",
    "presage",
    "presage-median",
    "presage-lo-80",
    "presage-hi-80",
    "presage-lo-95",
    "presage-hi-95",
]


def weekly(days: int = 120, seed: int = 0, level: float = 60.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = np.array([1.3, 1.2, 1.1, 1.0, 0.9, 0.3, 0.2])
    return rng.poisson(level * shape[np.arange(days) % 7]).astype(float)


def table(**series: np.ndarray) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "unique_id": name.replace("__", "/").replace("_", "="),
                    "ds": pd.date_range("2024-01-01", periods=len(y)),
                    "y": y,
                }
            )
            for name, y in series.items()
        ],
        ignore_index=True,
    )


def honest(out: pd.DataFrame) -> None:
    values = out[COLUMNS[2:]].to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    order = ["presage-lo-95", "presage-lo-80", "presage-median", "presage-hi-80", "presage-hi-95"]
    assert (np.diff(out[order].to_numpy(), axis=1) >= -1e-9).all()


def test_trained_saved_and_reloaded_it_forecasts_the_same(tmp_path):
    history = table(a=weekly(seed=1), b=weekly(seed=2, level=8))
    context = VolumeContext(country=("US",))
    at_once = forecast(history, horizon=7, freq="D", context=context)
    model = train_volume(history, horizon=7, freq="D", context=context)
    model.save(tmp_path / "model")
    reloaded = load_volume(tmp_path / "model").forecast(history, context=context)
    assert at_once.columns.tolist() == COLUMNS
    pd.testing.assert_frame_equal(at_once, reloaded)
    assert np.allclose(model.weights()[list(NAMES)].sum(axis=1), 1.0)


@pytest.mark.parametrize("written_later", [False, True])
def test_a_model_and_its_twin_are_those_trained_apart(written_later):
    history = table(a=weekly(seed=1), b=weekly(seed=2, level=8))
    known = history[history["ds"] < history["ds"].max() - pd.Timedelta(days=6)].copy()
    if written_later:
        known.loc[known.index[5], "y"] += 3
    both = train_with_twin(history, known, horizon=7, judged=7, freq="D")
    apart = [train_volume(each, horizon=7, freq="D") for each in (history, known)]
    for together, alone, each in zip(both, apart, (history, known), strict=True):
        pd.testing.assert_frame_equal(together.forecast(each), alone.forecast(each))


def test_a_model_forecasts_series_it_was_not_trained_on(tmp_path):
    model = train_volume(table(a=weekly(seed=1)), horizon=7, freq="D")
    out = model.forecast(table(a=weekly(seed=1), b=weekly(seed=2, level=500)))
    honest(out)
    assert out.loc[out["unique_id"] == "b", "presage"].mean() == pytest.approx(430, rel=0.15)


def test_a_damaged_model_is_refused(tmp_path):
    train_volume(table(a=weekly()), horizon=7, freq="D").save(tmp_path / "model")
    path = tmp_path / "model" / "spread.json"
    path.write_text(path.read_text().replace("0", "1", 1))
    with pytest.raises(DamagedFile, match=r"spread\.json"):
        load_volume(tmp_path / "model")


AWKWARD = {
    "one count": np.array([7.0]),
    "two counts": np.array([7.0, 9.0]),
    "shorter than a week": weekly(5),
    "two weeks": weekly(14),
    "all zeros": np.zeros(90),
    "constant": np.full(90, 12.0),
    "level shift": np.concatenate([weekly(80), weekly(20) * 6]),
    "ended": np.concatenate([weekly(80), np.zeros(30)]),
    "very sparse": (np.arange(150) % 41 == 0).astype(float),
    "huge": weekly(100) * 1e7,
    "gaps": np.where(np.arange(100) % 9 == 4, np.nan, weekly(100)),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_series_has_a_finite_honest_answer(name):
    y = AWKWARD[name]
    history = pd.DataFrame(
        {"unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(y)), "y": y}
    )
    out = forecast(history, horizon=30, freq="D", context=VolumeContext(country=("US",)))
    assert len(out) == 30
    honest(out)
    assert out["presage"].max() <= 3 * np.nanmax(y) + 1


def test_a_short_history_widens():
    level = 60.0
    short = forecast(table(a=weekly(10, level=level)), horizon=7, freq="D")
    long = forecast(table(a=weekly(200, level=level)), horizon=7, freq="D")

    def width(out: pd.DataFrame) -> float:
        return float((out["presage-hi-80"] - out["presage-lo-80"]).sum() / out["presage"].sum())

    assert width(short) > 1.3 * width(long)


def test_a_horizon_longer_than_the_history_widens_with_each_history_more():
    history = table(a=weekly(20), b=weekly(20, seed=1))
    out = forecast(history, horizon=80, freq="D")
    honest(out)
    width = (out["presage-hi-80"] - out["presage-lo-80"])[out["unique_id"] == "a"].to_numpy()
    # the same weekday, within the history's length, twice it and four times it
    assert width[20 + 7] > 1.1 * width[13]
    assert width[76] > 1.7 * width[13]
    short = forecast(history, horizon=20, freq="D")
    assert np.allclose(width[:20], (short["presage-hi-80"] - short["presage-lo-80"])[:20])


def test_a_level_shift_is_followed():
    y = np.concatenate([weekly(80), weekly(35, seed=5) * 3])
    out = forecast(table(a=y), horizon=7, freq="D")
    assert out["presage"].sum() == pytest.approx(3 * 6 * 60, rel=0.2)


@pytest.mark.parametrize("freq", ["W", "MS", "30min"])
def test_other_steps_have_their_answers_too(freq):
    periods = {"W": 90, "MS": 40, "30min": 48 * 30}[freq]
    ds = pd.date_range("2022-01-02", periods=periods, freq=freq)
    rng = np.random.default_rng(0)
    y = rng.poisson(20 * (1 + 0.5 * np.sin(np.arange(periods) * 2 * np.pi / 12))).astype(float)
    out = forecast(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), horizon=12, freq=freq)
    assert out["ds"].tolist() == pd.date_range(ds[-1], periods=13, freq=freq)[1:].tolist()
    honest(out)
    assert out["presage"].mean() == pytest.approx(20, rel=0.35)


def test_backtest_scores_each_cutoff_as_a_forecast_made_then():
    history = table(a=weekly(150, seed=3), b=weekly(100, seed=4))
    cutoffs = [pd.Timestamp("2024-03-20"), pd.Timestamp("2024-04-03")]
    out = backtest(history, cutoffs=cutoffs, horizon=10, freq="D")
    assert out.columns.tolist() == ["unique_id", "ds", "cutoff", "y", *COLUMNS[2:]]
    for cutoff in cutoffs:
        then = forecast(history[history["ds"] <= cutoff], horizon=10, freq="D")
        made = out[out["cutoff"] == cutoff].drop(columns=["cutoff", "y"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(made, then)
    merged = out.merge(history, on=["unique_id", "ds"], how="left", suffixes=("", "_true"))
    pd.testing.assert_series_equal(merged["y"], merged["y_true"], check_names=False)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"horizon": 0}, UsageError),
        ({"horizon": 3, "levels": (80, 100)}, UsageError),
        ({"horizon": 3, "freq": "fortnight"}, UsageError),
    ],
)
def test_wrong_options_are_wrong_usage(options, error):
    with pytest.raises(error):
        forecast(table(a=weekly(20)), **({"freq": "D"} | options))


def test_a_cutoff_before_the_first_count_says_where_counts_begin():
    with pytest.raises(NotEnoughHistory, match="2024-01-01"):
        backtest(table(a=weekly(30)), cutoffs=[pd.Timestamp("2023-12-01")], horizon=3, freq="D")


def test_nodes_add_up_in_the_mean():
    a, b = weekly(150, seed=1), weekly(150, seed=2, level=5)
    out = forecast(table(total=a + b, channel_a=a, channel_b=b), horizon=7, freq="D")
    wide = out.pivot_table(index="ds", columns="unique_id", values="presage")
    assert np.allclose(wide["total"], wide["channel=a"] + wide["channel=b"], rtol=1e-6)
    honest(out)


@pytest.mark.parametrize(
    ("freq", "counts"),
    [("h", 1), ("h", 5), ("15min", 3), ("15min", 100), ("W", 5), ("MS", 3), ("D", 22)],
)
def test_a_start_of_any_grain_has_an_answer_with_width(freq, counts):
    ds = pd.date_range("2024-03-01", periods=counts, freq=freq)
    y = np.random.default_rng(counts).poisson(5, counts) + 1.0
    history = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})
    context = VolumeContext(country=("US",), time_zone="America/New_York")
    out = forecast(history, horizon=9, freq=freq, context=context)
    honest(out)
    assert len(out) == 9
    assert (out["presage-hi-80"] - out["presage-lo-80"]).mean() > 2
