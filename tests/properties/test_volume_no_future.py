"""Nothing after the cutoff changes a forecast."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.tables import MemoryTables
from models.volume import VolumeContext, backtest
from models.volume.series import series_from_volumes
from pipelines.steps.volume_backtest import known_at

MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
"""`make test-full` tries so many times more."""


def context(seed: int, known_by: pd.Timestamp | None = None) -> VolumeContext:
    """Campaigns of many sizes, some announced late, some moved later; or those rows of the calendar
    alone that were there by a moment.
    """
    rng = np.random.default_rng(seed)
    starts = pd.Timestamp("2024-02-05") + pd.to_timedelta(np.arange(0, 90, 9), "D")
    told = starts - pd.to_timedelta(rng.integers(-6, 20, len(starts)), "D")
    names = [f"e{number}" for number in range(len(starts))]
    calendar = pd.DataFrame({"event_id": names, "kind": "campaign", "starts_at": starts})
    calendar = calendar.assign(
        announced_at=told,
        recorded_at=told,
        ends_at=starts + pd.Timedelta(days=3),
        size=rng.choice([1.0, 2.0, 5.0], len(starts)),
    )
    moved = calendar.assign(
        recorded_at=told + pd.Timedelta(days=8), starts_at=starts - pd.Timedelta(days=2)
    )
    calendar = pd.concat([calendar, moved[::3]], ignore_index=True)
    if known_by is not None:
        calendar = calendar[calendar["recorded_at"] <= known_by]
    return VolumeContext(country=("GB",), time_zone="Europe/London", calendar=calendar)


def world(seed: int, freq: str) -> pd.DataFrame:
    """Random series: some begin late, some end, some have gaps, one never writes a zero."""
    rng = np.random.default_rng(seed)
    periods = 130 if freq == "D" else 24 * 40
    ds = pd.date_range("2024-02-01", periods=periods, freq=freq)
    parts = []
    for name in range(int(rng.integers(1, 4))):
        level = float(rng.choice([0.5, 5.0, 80.0]))
        y = rng.poisson(level * (1 + 0.5 * (ds.day_of_week < 5))).astype(float)
        part = pd.DataFrame({"unique_id": f"s{rng.integers(100)}{name}", "ds": ds, "y": y})
        part = part.iloc[int(rng.integers(0, 50)) :]
        part = part[rng.random(len(part)) > rng.choice([0.0, 0.1])]
        parts.append(part[part["y"] > 0] if rng.random() < 0.3 else part)
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("freq", ["D", "h"])
@settings(max_examples=MORE, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_future_changes_no_forecast(freq, seed):
    history = world(seed, freq)
    days = pd.Timestamp("2024-04-20") if freq == "D" else pd.Timestamp("2024-03-02T15:00")
    past = history[history["ds"] <= days]
    rng = np.random.default_rng(seed)
    other = history.assign(
        y=np.where(history["ds"] > days, rng.poisson(500, len(history)), history["y"])
    )
    newcomer = pd.DataFrame({"unique_id": "a new one", "ds": history["ds"].max(), "y": [9.0]})
    worlds = [past, history, pd.concat([other, newcomer], ignore_index=True)]
    contexts = [context(seed, days + pd.Timedelta(1, freq))]
    contexts += [context(seed)] * 2
    made = [
        backtest(table, cutoffs=[days], horizon=5, freq=freq, context=known).drop(columns="y")
        for table, known in zip(worlds, contexts, strict=True)
    ]
    pd.testing.assert_frame_equal(made[0], made[1], check_exact=True)
    pd.testing.assert_frame_equal(made[0], made[2], check_exact=True)


ZONES = ["UTC", "Europe/Oslo", "Europe/London", "America/New_York", "Asia/Kolkata"]
STEPS = {"h": 9000, "D": 700, "W-MON": 100, "MS": 26, "QS": 10}


def counted(freq: str, zone: str) -> tuple[MemoryTables, pd.DatetimeIndex]:
    """A company's own steps as instants of UTC, through both clock changes; where each begins."""
    local = pd.date_range("2023-07-01", periods=STEPS[freq], freq=freq, tz=zone)
    ds = local.tz_convert("UTC").tz_localize(None)
    rows = pd.DataFrame({"unique_id": "calls", "ds": ds, "y": np.arange(float(len(ds)))})
    return MemoryTables({"volumes": rows}), ds


@pytest.mark.parametrize("freq", STEPS)
@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=3 * MORE, deadline=None)
@given(data=st.data())
def test_a_count_is_known_once_the_next_step_begins_and_no_sooner(freq, zone, data):
    tables, ds = counted(freq, zone)
    # clock changes are where a step's length is not that of the others
    length = pd.Series(ds[1:] - ds[:-1])
    odd = np.flatnonzero(length != length.mode()[0]) if freq != "h" else []
    places = st.integers(2, len(ds) - 2)
    place = data.draw(st.one_of(places, st.sampled_from(list(odd))) if len(odd) else places)
    place = max(place, 2)
    away = data.draw(st.sampled_from([0, -1, 1, -3_600_000_000, 1_800_000_000]))
    as_of = ds[place + 1] + pd.Timedelta(microseconds=away)
    context = VolumeContext(time_zone=zone)
    known = series_from_volumes(tables, as_of.to_pydatetime(), freq, context)
    over = np.flatnonzero(ds[1:] <= as_of)
    assert known["ds"].tolist() == ds[over].tolist()
    rows = tables.frame("volumes")
    past = MemoryTables({"volumes": rows[rows["ds"] <= ds[over[-1]]]})
    again = series_from_volumes(past, as_of.to_pydatetime(), freq, context)
    pd.testing.assert_frame_equal(known, again, check_exact=True)


@pytest.mark.parametrize("freq", STEPS)
@pytest.mark.parametrize("zone", ZONES)
def test_a_cutoff_knows_what_was_recorded_by_the_end_of_its_step(freq, zone):
    tables, ds = counted(freq, zone)
    rows = tables.frame("volumes")[["unique_id", "ds", "y"]]
    length = pd.Series(ds[1:] - ds[:-1])
    places = {
        2,
        5,
        len(ds) - 3,
        *(np.flatnonzero(length == length.min())[:2]),
        int(length.argmax()),
    }
    for place in sorted(places - {0}):
        end = ds[place + 1]
        late = rows.iloc[[place - 1, place]].assign(
            y=[-1.0, -2.0], recorded_at=[end, end + pd.Timedelta(minutes=1)]
        )
        both = MemoryTables({"volumes": pd.concat([rows, late], ignore_index=True)})
        context = VolumeContext(time_zone=zone)
        known = known_at(both, ds[place].to_pydatetime(), freq, context)
        assert known["ds"].tolist() == ds[: place + 1].tolist()
        assert known["y"].tolist()[-2:] == [-1.0, float(place)]


def test_dates_end_where_the_next_date_begins_wherever_the_company_is():
    days = pd.date_range("2024-03-01", periods=60)
    tables = MemoryTables({"volumes": pd.DataFrame({"unique_id": "a", "ds": days, "y": 1.0})})
    for zone in ZONES:
        context = VolumeContext(time_zone=zone)
        for as_of in (days[40], days[40] - pd.Timedelta(microseconds=1)):
            known = series_from_volumes(tables, as_of.to_pydatetime(), "D", context)
            assert known["ds"].max() == as_of.floor("D") - pd.Timedelta(days=1)
