"""The planner's baselines against a plain loop over the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume.baselines import mean_of_same_slots, seasonal_naive
from models.volume.context import VolumeContext


def by_hand(table: pd.DataFrame, ds: pd.Timestamp, n: int) -> float:
    same = table[
        (table["ds"].dt.day_of_week == ds.day_of_week) & (table["ds"].dt.hour == ds.hour)
    ].sort_values("ds")
    return float(same["y"].iloc[-n:].mean())


@pytest.mark.parametrize("freq", ["D", "h"])
@pytest.mark.parametrize("n", [1, 8])
def test_same_slots_as_counted_by_hand(freq, n):
    rng = np.random.default_rng(3)
    ds = pd.date_range("2024-01-01", "2024-03-14", freq=freq)
    table = pd.DataFrame({"unique_id": "a", "ds": ds, "y": rng.poisson(9, len(ds)) * 1.0})
    table = table.drop(index=rng.choice(len(table), len(table) // 10, replace=False))
    table = table[table["ds"] <= ds[-1]]
    horizon = 20
    made = (
        seasonal_naive(table, horizon=horizon, freq=freq)
        if n == 1
        else mean_of_same_slots(table, horizon=horizon, freq=freq, n=n)
    )
    column = made.columns[-1]
    for row in made.itertuples():
        assert getattr(row, column) == pytest.approx(by_hand(table, row.ds, n))


def test_the_hour_is_the_local_one_across_a_clock_change():
    local = pd.date_range("2024-03-04", "2024-03-31", freq="h", tz="Europe/Oslo", inclusive="left")
    table = pd.DataFrame(
        {"unique_id": "a", "ds": local.tz_convert("UTC").tz_localize(None), "y": local.hour * 1.0}
    )
    context = VolumeContext(time_zone="Europe/Oslo")
    made = seasonal_naive(table, horizon=48, freq="h", context=context)
    hour = made["ds"].dt.tz_localize("UTC").dt.tz_convert("Europe/Oslo").dt.hour
    assert made["seasonal_naive"].tolist() == hour.tolist()


def test_months_repeat_last_year_and_short_ones_the_last_counts():
    ds = pd.date_range("2022-01-01", periods=24, freq="MS")
    table = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.arange(24.0)})
    assert seasonal_naive(table, horizon=2, freq="MS")["seasonal_naive"].tolist() == [12.0, 13.0]
    short = table.head(5)
    assert seasonal_naive(short, horizon=2, freq="MS")["seasonal_naive"].tolist() == [4.0, 4.0]
    mean = mean_of_same_slots(table, horizon=1, freq="MS")["mean_of_same_slots"]
    assert mean.tolist() == [np.arange(16, 24).mean()]
