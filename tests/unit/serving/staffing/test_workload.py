"""Forecast in, scenarios out: their mean, their spread, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from serving.staffing.workload import scenarios, workloads

Forecast = Callable[..., pd.DataFrame]


def test_only_channels_are_planned_and_names_are_unescaped(forecast: Forecast) -> None:
    frame = forecast({"phone": 4.0, "phone/topic=x": 1.0, "a%2Fb%3D": 2.0})
    frame = pd.concat([frame, frame.assign(unique_id="total")])
    assert list(workloads(frame, 60)) == ["a/b=", "phone"]


def test_an_hour_is_cut_into_equal_parts(forecast: Forecast) -> None:
    load = workloads(forecast({"phone": 9.0}), 20)["phone"]
    assert load.step_seconds == 1200
    assert len(load.starts) == 72 and (load.volume == 3.0).all()
    assert (np.diff(load.starts) == np.timedelta64(20, "m")).all()


@pytest.mark.parametrize("extra", [0.0, 0.3])
def test_scenarios_have_the_forecasts_mean_and_spread(extra: float) -> None:
    mean = np.full(24, 40.0)
    sd = np.sqrt(mean + (extra * mean) ** 2)
    frame = pd.DataFrame(
        {
            "unique_id": "channel=phone",
            "ds": pd.date_range("2026-03-02", periods=24, freq="h", unit="us"),
            "presage": mean,
            "presage-lo-80": mean - 1.28155 * sd,
            "presage-hi-80": mean + 1.28155 * sd,
        }
    )
    load = workloads(frame, 60)["phone"]
    draws = scenarios(load, "UTC", 4000, seed=3)
    assert (draws == np.round(draws)).all()
    assert draws.mean() == pytest.approx(40, rel=0.02)
    assert draws.std(axis=0).mean() == pytest.approx(sd.mean(), rel=0.05)
    day = draws.sum(axis=1)
    alone = 24 * sd[0] ** 2
    if extra:
        assert day.var() > 5 * alone  # a busy day is busy all day
    else:
        assert day.var() == pytest.approx(alone, rel=0.1)


def test_a_day_draws_the_same_whatever_else_is_planned(forecast: Forecast) -> None:
    long = workloads(forecast({"phone": 5.0, "chat": 2.0}, hours=72), 60)
    short = workloads(forecast({"phone": 5.0}, hours=24), 60)
    one, two = (scenarios(loads["phone"], "UTC", 50, 1) for loads in (long, short))
    assert (one[:, :24] == two).all()
    assert not (one[:, 24:48] == two).all()
    assert not (scenarios(short["phone"], "UTC", 50, 2) == two).all()


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("presage", float("nan"), "presage is nan"),
        ("presage", -1.0, "presage is -1"),
        ("presage-hi-80", float("inf"), "presage-hi-80 is inf"),
        ("ds", pd.Timestamp("2026-03-02 03:30"), "not evenly spaced"),
        ("ds", pd.Timestamp("2026-03-02 06:00"), "not evenly spaced"),
    ],
)
def test_bad_rows_are_refused_by_series_and_time(
    forecast: Forecast, column: str, value: object, word: str
) -> None:
    frame = forecast({"phone": 5.0})
    frame.loc[5, column] = value
    with pytest.raises(DataError, match="channel=phone") as caught:
        workloads(frame, 30)
    assert word in str(caught.value)


def test_a_daily_forecast_and_one_without_channels_are_refused(forecast: Forecast) -> None:
    frame = forecast({"phone": 5.0})
    daily = frame.assign(ds=pd.date_range("2026-03-02", periods=24, freq="D", unit="us"))
    with pytest.raises(DataError, match="--freq h"):
        workloads(daily, 30)
    with pytest.raises(DataError, match="found: calls"):
        workloads(frame.assign(unique_id="calls"), 30)
    with pytest.raises(DataError, match="'presage'"):
        workloads(frame.drop(columns="presage"), 30)
