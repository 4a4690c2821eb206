"""Closed, zero or gap: what a step without a row means."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.volume.context import VolumeContext
from models.volume.forecaster import forecast
from models.volume.panel import panel_of
from models.volume.prepare import settled


def office_hours(weeks: int = 6) -> pd.DataFrame:
    """A line open Monday to Friday, 08:00 to 17:00, with rows for open hours only."""
    ds = pd.date_range("2024-01-01", periods=weeks * 168, freq="h")
    ds = ds[(ds.day_of_week < 5) & (ds.hour >= 8) & (ds.hour < 17)]
    return pd.DataFrame({"unique_id": "line", "ds": ds, "y": 40.0 + ds.hour})


def test_hours_never_open_are_closed_and_the_others_are_not():
    panel = panel_of(office_hours(), "h")
    _, open_slots = settled(panel, VolumeContext())
    expected = [(slot // 24) < 5 and 8 <= slot % 24 < 17 for slot in range(168)]
    assert open_slots[0].tolist() == expected


def test_closed_hours_are_forecast_as_zero_without_width_and_open_ones_keep_their_level():
    out = forecast(office_hours(), horizon=168, freq="h")
    hours = out["ds"].dt.hour
    is_open = (out["ds"].dt.day_of_week < 5) & (hours >= 8) & (hours < 17)
    assert (out.loc[~is_open, ["presage", "presage-hi-95"]] == 0).all(axis=None)
    error = (out["presage"] - 40 - hours)[is_open].abs()
    assert error.max() < 2


def test_a_sparse_source_that_writes_no_zeros_has_them_filled():
    rng = np.random.default_rng(1)
    ds = pd.date_range("2024-01-01", periods=200)
    y = rng.poisson(1.0, 200).astype(float)
    table = pd.DataFrame({"unique_id": "rare", "ds": ds, "y": y})
    filled, _ = settled(panel_of(table[table["y"] > 0], "D"), VolumeContext())
    first, last = np.flatnonzero(y > 0)[[0, -1]]
    assert np.array_equal(filled.y[0], y[first : last + 1])


def test_gaps_of_a_busy_series_stay_gaps():
    ds = pd.date_range("2024-01-01", periods=100)
    table = pd.DataFrame({"unique_id": "busy", "ds": ds, "y": 50.0}).drop(index=[40, 41, 77])
    ready, open_slots = settled(panel_of(table, "D"), VolumeContext())
    assert np.isnan(ready.y[0]).sum() == 3
    assert open_slots.all()


def test_an_outage_in_the_calendar_is_a_gap_only_once_announced():
    ds = pd.date_range("2024-01-01", periods=60)
    table = pd.DataFrame({"unique_id": "channel=phone", "ds": ds, "y": 50.0})
    table.loc[50:52, "y"] = 0.0
    calendar = pd.DataFrame(
        {
            "name": ["switch down"],
            "kind": ["outage"],
            "announced_at": pd.to_datetime(["2024-02-20"]),
            "starts_at": pd.to_datetime(["2024-02-20"]),
            "ends_at": pd.to_datetime(["2024-02-23"]),
            "channel": ["phone"],
        }
    )
    known = VolumeContext(calendar=calendar)
    unknown = VolumeContext(calendar=calendar.assign(announced_at=pd.Timestamp("2024-06-01")))
    panel = panel_of(table, "D")
    assert np.isnan(settled(panel, known)[0].y[0, 50:53]).all()
    assert not np.isnan(settled(panel, unknown)[0].y).any()


def test_an_announced_closure_ahead_is_forecast_as_zero():
    ds = pd.date_range("2024-01-01", periods=60)
    table = pd.DataFrame({"unique_id": "channel=phone", "ds": ds, "y": 50.0})
    calendar = pd.DataFrame(
        {
            "name": ["summer party"],
            "kind": ["closure"],
            "announced_at": pd.to_datetime(["2024-01-10"]),
            "starts_at": pd.to_datetime(["2024-03-02"]),
            "ends_at": pd.to_datetime(["2024-03-03"]),
            "channel": [None],
        }
    )
    out = forecast(table, horizon=4, freq="D", context=VolumeContext(calendar=calendar))
    assert out["presage"].round().tolist() == [50.0, 0.0, 50.0, 50.0]


def moved_closure(**columns) -> pd.DataFrame:
    """A closure on 2 March that was announced, then moved to 3 March, then taken back."""
    versions = pd.DataFrame(
        {
            "event_id": "e1",
            "name": "works",
            "kind": "closure",
            "announced_at": pd.Timestamp("2024-01-10"),
            "recorded_at": pd.to_datetime(["2024-01-10", "2024-01-20", "2024-02-01"]),
            "starts_at": pd.to_datetime(["2024-03-02", "2024-03-03", "2024-03-03"]),
            "ends_at": pd.to_datetime(["2024-03-03", "2024-03-04", "2024-03-04"]),
            "deleted": [False, False, True],
        }
    )
    return versions.assign(**columns)


def test_an_event_is_what_its_newest_version_says_at_the_time():
    context = VolumeContext(calendar=moved_closure())

    def starts(day: str) -> list[pd.Timestamp]:
        return context.events(np.datetime64(day, "us"))["starts_at"].tolist()

    assert starts("2024-01-10") == []
    assert starts("2024-01-11") == [pd.Timestamp("2024-03-02")]
    assert starts("2024-01-20") == [pd.Timestamp("2024-03-03")]
    assert starts("2024-02-02") == []


def test_a_closure_of_one_channel_shuts_its_nodes_however_it_is_written():
    ds = pd.date_range("2024-01-01", periods=61)
    names = ["channel=e%2Fmail", "channel=e%2Fmail/topic=a", "channel=e"]
    table = pd.concat([pd.DataFrame({"unique_id": n, "ds": ds, "y": 50.0}) for n in names])
    context = VolumeContext(calendar=moved_closure(channel="e/mail").iloc[:1])
    out = forecast(table, horizon=3, freq="D", context=context)
    made = out[out["ds"] == "2024-03-02"].set_index("unique_id")["presage"].round()
    assert made.to_dict() == {names[0]: 0.0, names[1]: 0.0, names[2]: 50.0}
