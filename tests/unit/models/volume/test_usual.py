"""What is no usual demand: freak days, silence, closures; years of 53 weeks; small counts."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.tables import MemoryTables
from models.volume.context import VolumeContext
from models.volume.forecaster import forecast
from models.volume.members import forecasts_at, origin_of
from models.volume.panel import Panel, panel_of
from models.volume.prepare import closed_by_calendar, settled
from models.volume.series import series_from_tickets
from models.volume.usual import freak_days

START = datetime(2026, 1, 5)  # a Monday
WEEK = np.array([100, 110, 105, 100, 95, 0, 0], dtype="float64")


def panel(y: np.ndarray, start: datetime = START, freq: str = "D") -> Panel:
    """One series ``a`` of counts by step."""
    ds = pd.date_range(start, periods=len(y), freq=freq)
    return panel_of(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), freq)


def ahead(one: Panel, horizon: int, context: VolumeContext | None = None) -> np.ndarray:
    """Every member's forecast (members x horizon)."""
    context = context or VolumeContext()
    return forecasts_at(origin_of(one, horizon, context), horizon, context, None)[:, 0]


def test_one_night_of_spam_changes_no_member() -> None:
    rng = np.random.default_rng(1)
    quiet = rng.poisson(40, 84).astype("float64")
    flooded = quiet.copy()
    flooded[-2] = 3040
    calm, storm = ahead(panel(quiet), 14), ahead(panel(flooded), 14)
    there = ~np.isnan(calm) & ~np.isnan(storm)
    assert np.abs(storm[there] / calm[there] - 1).max() < 0.5


@pytest.mark.parametrize(
    ("counts", "freaks"),
    [
        ([40.0] * 60 + [3000.0] + [40.0] * 5, [60]),
        ([40.0] * 30 + [900.0, 950.0] + [41.0] * 30, [30, 31]),
        ([40.0] * 30 + [500.0] * 30, []),  # a new level
        ([0.0, 1.0, 0.0] * 20 + [6.0], []),  # small counts
        ([40.0] * 50 + [120.0] + [40.0] * 9, []),  # a busy day
    ],
)
def test_a_freak_day_is_far_beyond_all_but_a_few(counts: list[float], freaks: list[int]) -> None:
    days = np.arange(len(counts)).astype("datetime64[D]")
    found = freak_days(np.array([counts]), days)
    assert np.flatnonzero(found[0]).tolist() == freaks


def test_a_channel_that_opened_on_monday_is_open_on_the_days_it_has_not_lived() -> None:
    old, new = np.tile(WEEK + 50, 8), np.zeros(56)
    old, new = np.append(old, [150, 160]), np.append(new, [100, 110])
    ds = pd.date_range(START, periods=58, freq="D")
    both = [pd.DataFrame({"unique_id": n, "ds": ds, "y": y}) for n, y in (("a", old), ("b", new))]
    ready, is_open = settled(panel_of(pd.concat(both), "D"), VolumeContext())
    assert is_open[1].all()
    assert np.isnan(ready.y[1, :56]).all()
    one = origin_of(panel_of(pd.concat(both), "D"), 7, VolumeContext())
    made = forecasts_at(one, 7, VolumeContext(), None)[:, 1]
    assert np.nanmin(made) > 20


def test_a_weekday_on_which_nobody_ever_wrote_stays_closed() -> None:
    _, is_open = settled(panel(np.tile(WEEK, 8)), VolumeContext())
    assert is_open[0].tolist() == [True] * 5 + [False] * 2


@pytest.mark.parametrize("silence", [21, 63])
def test_a_company_back_from_its_summer_is_open(silence: int) -> None:
    y = np.concatenate([np.tile(WEEK, 12), np.zeros(silence), WEEK[:2]])
    made = ahead(panel(y), 3)
    assert np.nanmedian(made[:, :3]) > 50


def calendar(start: str, end: str, kind: str = "closure") -> pd.DataFrame:
    row = {"event_id": "e", "kind": kind, "name": "x", "starts_at": start, "ends_at": end}
    frame = pd.DataFrame([{**row, "announced_at": "2025-01-01"}])
    times = ["starts_at", "ends_at", "announced_at"]
    return frame.assign(**{c: pd.to_datetime(frame[c]).astype("datetime64[us]") for c in times})


@pytest.mark.parametrize(
    ("zone", "start", "end", "shut"),
    [
        ("Europe/Oslo", "2026-03-02T00:00", "2026-03-03T00:00", ["2026-03-02"]),  # by dates
        ("America/New_York", "2026-03-02", "2026-03-04", ["2026-03-02", "2026-03-03"]),
        ("Asia/Tokyo", "2026-03-01T23:00", "2026-03-02T09:00", ["2026-03-02"]),  # 8 to 18 o'clock
        ("Europe/Oslo", "2026-03-02T08:00", "2026-03-02T11:00", []),  # a morning
    ],
)
def test_a_closure_shuts_the_days_whose_working_hours_it_takes(
    zone: str, start: str, end: str, shut: list[str]
) -> None:
    context = VolumeContext(time_zone=zone, calendar=calendar(start, end))
    history = pd.DataFrame({"unique_id": "a", "ds": pd.date_range(START, periods=70), "y": 9.0})
    one = panel_of(history, "D", context)
    as_of = np.datetime64("2026-04-01", "us")
    closed = closed_by_calendar(one, one.index, context, as_of, kinds=("closure",))[0]
    assert one.grid.days(one.index)[closed].astype(str).tolist() == shut


def test_a_holiday_of_the_calendar_counts_beside_a_country() -> None:
    days = pd.date_range("2025-01-01", periods=400, freq="D")
    y = np.full(400, 100.0)
    anniversaries = [pd.Timestamp("2025-03-12") + timedelta(days=91 * n) for n in range(4)]
    rows = [calendar(str(d), str(d + timedelta(days=1)), "holiday") for d in anniversaries]
    every = pd.concat(rows).assign(event_id=list("abcd"), announced_at=pd.Timestamp("2024-12-01"))
    every["announced_at"] = every["announced_at"].astype("datetime64[us]")
    for day in anniversaries:
        y[days == day] = 20
    cut = int(np.flatnonzero(days == anniversaries[3])[0])
    history = pd.DataFrame({"unique_id": "a", "ds": days[:cut], "y": y[:cut]})
    context = VolumeContext(country=("US",), calendar=every)
    made = ahead(panel_of(history, "D", context), 1, context)
    assert np.nanmedian(made) < 50


@pytest.mark.parametrize("peak", [10, 20, 45])
def test_a_yearly_peak_comes_in_its_week_after_a_year_of_53(peak: int) -> None:
    mondays = pd.date_range("2018-01-01", "2021-12-27", freq="W-MON")
    weeks = mondays.isocalendar().week.to_numpy()
    assert (weeks == 53).any()
    y = np.where(weeks == peak, 1000.0, 100.0)
    last = int(np.flatnonzero(mondays == pd.Timestamp("2021-01-04"))[0])
    one = panel(y[:last], mondays[0].to_pydatetime(), "W-MON")
    made = np.nanmedian(ahead(one, 52), axis=0)
    assert int(np.argmax(made)) + 1 == peak


@pytest.mark.parametrize(("kind", "seed"), [("poisson", 3), ("bursts", 4), ("weekly", 5)])
def test_forecasts_of_sparse_series_add_up(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = pd.date_range("2025-01-06", periods=200, freq="D")
    draw = {
        "poisson": lambda: rng.poisson(0.1, 200),
        "bursts": lambda: rng.negative_binomial(0.08, 0.08 / 0.58, 200),
        "weekly": lambda: rng.poisson(np.where(days.day_of_week == 0, 0.7, 0.02)),
    }[kind]
    series = [
        pd.DataFrame({"unique_id": f"{kind}-{n:02}", "ds": days, "y": draw()}) for n in range(20)
    ]
    history = pd.concat(series, ignore_index=True)
    made = forecast(history, horizon=28, freq="D")
    usual = history["y"].sum() / 200 * 28
    assert 0.8 < made["presage"].sum() / usual < 1.25


@pytest.mark.parametrize(
    ("zone", "gone"), [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21")]
)
def test_a_day_that_a_zone_left_out_is_no_step(zone: str, gone: str) -> None:
    opened = pd.date_range(pd.Timestamp(gone) - timedelta(days=30), periods=24 * 45, freq="h")
    log = pd.DataFrame({"ticket_id": range(len(opened)), "opened_at": opened, "channel": "email"})
    context = VolumeContext(time_zone=zone, local_days=True)
    end = opened[-1].to_pydatetime()
    series = series_from_tickets(MemoryTables({"tickets": log}), end, "D", context)
    one = panel_of(series, "D", context)
    days = one.grid.days(one.index).astype(str).tolist()
    missing = [d for d, y in zip(days, one.y[0], strict=True) if np.isnan(y)]
    assert missing == [gone]
    assert series["y"].to_numpy().max() == 24
    before = panel_of(series[series["ds"] < pd.Timestamp(gone) - timedelta(days=3)], "D", context)
    ds = before.grid.ds(before.future(8)[before.grid.exists(before.future(8))])
    assert len(ds) == 7
