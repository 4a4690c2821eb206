"""Closed, zero or gap: what a step without a row means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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


def two_channels(n: int = 100, **more: np.ndarray) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = {"channel=phone": rng.poisson(60, n), "channel=email": rng.poisson(40, n), **more}
    y["total"] = sum(y.values())
    ds = pd.date_range("2024-01-01", periods=n)
    frames = [pd.DataFrame({"unique_id": k, "ds": ds, "y": v}) for k, v in y.items()]
    return pd.concat(frames, ignore_index=True).astype({"y": float})


def test_a_closed_channel_gives_its_work_to_nobody_and_the_total_is_without_it():
    table = two_channels()
    closed = pd.DataFrame(
        {
            "kind": "closure",
            "announced_at": pd.Timestamp("2024-02-01"),
            "starts_at": pd.to_datetime(["2024-03-30", "2024-04-11"]),
            "ends_at": pd.to_datetime(["2024-04-01", "2024-04-12"]),
            "channel": "phone",
        }
    )
    shut = table["ds"].isin(pd.to_datetime(["2024-03-30", "2024-03-31"]))
    lost = table.loc[shut & (table["unique_id"] == "channel=phone"), "y"].to_numpy()
    table.loc[shut & (table["unique_id"] == "channel=phone"), "y"] = 0.0
    table.loc[shut & (table["unique_id"] == "total"), "y"] -= lost
    context = VolumeContext(calendar=closed)
    ready = settled(panel_of(table, "D"), context)[0].y
    assert np.isnan(ready).sum(axis=1).tolist() == [0, 2, 2]  # email, phone, total
    out = forecast(table, horizon=4, freq="D", context=context)
    made = out.pivot_table(index="ds", columns="unique_id", values="presage")
    day = made.loc["2024-04-11"]
    assert day["channel=phone"] == 0
    assert day["channel=email"] == day["total"] == pytest.approx(40, rel=0.12)
    assert made.loc["2024-04-12", "total"] == pytest.approx(100, rel=0.12)


@pytest.mark.parametrize("written", ["zeros", "no rows"])
def test_a_channel_that_goes_by_another_name_has_ended_and_the_new_one_has_its_level(written):
    rng = np.random.default_rng(1)
    y, day = rng.poisson(50, 100), np.arange(100)
    old, new = np.where(day < 85, y, 0), np.where(day >= 85, y, 0)
    table = two_channels(**{"channel=old": old, "channel=new": new})
    if written == "no rows":
        table = table[table["y"] > 0]
    out = forecast(table, horizon=7, freq="D")
    made = out.groupby("unique_id")["presage"].mean()
    assert made["channel=old"] == 0
    assert made["channel=new"] == pytest.approx(50, rel=0.15)
    assert made["total"] == pytest.approx(150, rel=0.1)
    # thirteen silent days are not enough, and a closed fortnight is no end
    short = forecast(table[table["ds"] < "2024-04-08"], horizon=7, freq="D")
    assert short.groupby("unique_id")["presage"].mean()["channel=old"] > 0


def test_where_nobody_wrote_for_a_fortnight_nothing_has_ended():
    table = two_channels()
    table.loc[table["ds"] >= table["ds"].max() - pd.Timedelta(days=14), "y"] = 0.0
    made = forecast(table, horizon=7, freq="D").groupby("unique_id")["presage"].mean()
    assert (made > 0).all()


def test_a_closed_fortnight_is_no_end_and_its_zeros_are_nobodys_error():
    table = two_channels()
    table.loc[(table["unique_id"] == "channel=email") & (table["ds"] >= "2024-03-26"), "y"] = 0.0
    wide = table.pivot_table(index="ds", columns="unique_id", values="y")
    total = table["unique_id"] == "total"
    table.loc[total, "y"] = (wide["channel=phone"] + wide["channel=email"]).to_numpy()
    closed = pd.DataFrame(
        {
            "kind": ["closure"],
            "announced_at": [pd.Timestamp("2024-02-01")],
            "starts_at": [pd.Timestamp("2024-03-26")],
            "ends_at": [pd.Timestamp("2024-04-10")],
            "channel": ["email"],
        }
    )
    out = forecast(table, horizon=7, freq="D", context=VolumeContext(calendar=closed))
    made = out.groupby("unique_id").mean(numeric_only=True)
    assert made.loc["channel=email", "presage"] == pytest.approx(40, rel=0.1)
    assert made.loc["channel=email", "presage-lo-80"] > 20, "it errs as it did when it was open"
    assert made.loc["total", "presage"] == pytest.approx(100, rel=0.1)
    gone = forecast(table, horizon=7, freq="D").groupby("unique_id")["presage"].mean()
    assert gone["channel=email"] == 0
