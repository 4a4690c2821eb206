"""Days of a zone whose winter is UTC: local midnights and written dates are told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.volume import VolumeContext, forecast

ZONE = "Europe/London"


def _table(ds: pd.DatetimeIndex) -> pd.DataFrame:
    y = 20.0 + 5.0 * (np.arange(len(ds)) % 7)
    return pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})


def _local(start: str, days: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=days, freq="D", tz=ZONE).tz_convert(None).as_unit("us")


def test_local_midnights_go_on_through_the_summer() -> None:
    told = forecast(
        _table(_local("2025-11-01", 160)),
        horizon=3,
        freq="D",
        context=VolumeContext(time_zone=ZONE),
    )
    assert told["ds"].tolist() == list(_local("2026-04-10", 3))


def test_written_dates_stay_dates() -> None:
    dates = pd.date_range("2025-11-01", periods=160, freq="D", unit="us")
    told = forecast(_table(dates), horizon=3, freq="D", context=VolumeContext(time_zone=ZONE))
    assert told["ds"].tolist() == list(pd.date_range("2026-04-10", periods=3, freq="D"))


def test_a_winter_alone_is_what_it_is_said_to_be() -> None:
    winter = _table(_local("2025-11-01", 140))
    for local_days, hour in ((True, 23), (None, 0)):
        context = VolumeContext(time_zone=ZONE, local_days=local_days)
        told = forecast(winter, horizon=14, freq="D", context=context)
        assert told["ds"].iloc[-1].hour == hour
