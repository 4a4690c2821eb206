"""Plots show what the metrics say, and what a run leaves fits MLflow."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from models import figures
from models.metrics import Interval, recall_at
from models.training_record import at_the_edge, flat_numbers, write_artifacts


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 9, 2000)
    return (rng.random(2000) < p).astype(float), p


def test_the_gains_curve_passes_through_the_recall_at_every_share(rows):
    y, p = rows
    curve = figures.gains_plot(y, {"model": p}).axes[0].lines[0]
    for share in (0.05, 0.2, 0.5):
        found = np.interp(share, curve.get_xdata(), curve.get_ydata())
        assert found == pytest.approx(recall_at(y, p, share), abs=0.01)


def test_the_precision_recall_curve_ends_at_the_base_rate(rows):
    y, p = rows
    curve = figures.precision_recall_plot(y, {"model": p}).axes[0].lines[0]
    assert curve.get_xdata()[-1] == 1
    assert curve.get_ydata()[-1] == pytest.approx(y.mean())


def test_a_rate_of_zero_can_be_drawn_on_the_log_axis():
    y = np.array([0.0] * 50 + [0.0, 1.0] * 25)
    p = np.array([0.01] * 50 + [0.4] * 50)
    axes = figures.reliability_plot(y, p, bins=2).axes[0]
    observed = axes.lines[0].get_ydata()
    assert (np.asarray(observed) > 0).all()


def test_curves_need_a_complaint_and_bars_a_feature(rows):
    _, p = rows
    with pytest.raises(DataError, match="at least one complaint"):
        figures.gains_plot(np.zeros(p.size), {"model": p})
    with pytest.raises(DataError, match="no features"):
        figures.importance_plot({})


def test_the_largest_bar_is_on_top():
    axes = figures.importance_plot({"a": 1.0, "b": 3.0, "c": 2.0}, top=2).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "b"]


def test_artifacts_are_files_that_open(rows, tmp_path):
    ds = pd.date_range("2026-01-01", periods=4, freq="D")
    forecast = pd.DataFrame({"ds": ds, "presage": [2.0] * 4, "presage-lo-80": [1.0] * 4})
    forecast["presage-hi-80"] = 3.0
    history = pd.DataFrame({"ds": ds - pd.Timedelta(days=4), "y": [1, 2, 3, 4]})
    plots = {
        "fan": figures.fan_plot(history, forecast, levels=(80,)),
        "reliability": figures.reliability_plot(*rows),
    }
    write_artifacts(tmp_path, plots, {"history": history})
    for name in plots:
        png = (tmp_path / "plots" / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert len(png) > 5000
    table = json.loads((tmp_path / "tables" / "history.json").read_text())
    assert table["columns"] == ["ds", "y"]
    assert [row[1] for row in table["data"]] == [1, 2, 3, 4]


def test_the_edge_has_floats_and_text_only():
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "c": pd.Categorical(["x", None]),
            "t": pd.to_datetime(["2026-01-01", None]),
        }
    )
    edge = at_the_edge(frame)
    assert edge["n"].dtype == edge["b"].dtype == np.float64
    assert edge["n"].isna().tolist() == edge["c"].isna().tolist() == [False, True]
    assert edge["c"][0] == "x"
    with pytest.raises(DataError, match="at least one row"):
        at_the_edge(frame.iloc[:0])


def test_numbers_that_mlflow_would_bend_are_refused():
    assert flat_numbers({"a": Interval(2, 1, 3)}) == {"a": 2, "a_low": 1, "a_high": 3}
    with pytest.raises(DataError, match="are infinite"):
        flat_numbers({"log_loss": float("inf")})
    with pytest.raises(DataError, match="cannot name a metric"):
        flat_numbers({"wape channel=email": 0.2})
