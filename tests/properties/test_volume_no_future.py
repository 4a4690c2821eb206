"""Nothing after the cutoff changes a forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.volume import VolumeContext, backtest


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
@settings(max_examples=4, deadline=None)
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
