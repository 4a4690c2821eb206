"""Backlog work is level, costs what it takes, and is solved within its limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.settings import ServiceLevel, Settings
from data.settings import Staffing as StaffingSettings
from serving.staffing import plan

Forecast = Callable[..., pd.DataFrame]


@pytest.fixture
def mail(office: Settings) -> Callable[..., Settings]:
    """``mail(target_seconds=..., share=...)``: the office by the hour with this promise."""

    def known(**promise: float) -> Settings:
        by_hour = StaffingSettings(interval_minutes=60, block_minutes=60)
        level = ServiceLevel(**promise)  # type: ignore[arg-type]
        return replace(office, service_levels={"email": level}, staffing=by_hour)

    return known


def paid_hours(frame: pd.DataFrame) -> float:
    return float((frame["agents_net"] * frame["open_seconds"]).sum() / 3600)


def test_a_lower_share_never_raises_the_peak(
    forecast: Forecast, mail: Callable[..., Settings]
) -> None:
    """Over a weekend's line, on whose Monday a lower share once took more people."""
    frame = forecast({"email": 6.0}, start="2026-03-06", hours=24 * 4)
    peaks = [
        plan(frame, settings=mail(target_seconds=4 * 3600.0, share=share), scenario_count=40)[
            "agents_net"
        ].max()
        for share in (0.95, 0.9, 0.8, 0.6)
    ]
    assert peaks == sorted(peaks, reverse=True)


def test_an_hour_with_flat_arrivals_costs_little_more_than_the_work(
    forecast: Forecast, mail: Callable[..., Settings]
) -> None:
    """3,600 s and as much each open hour: near the work, not twice of it."""
    wave = np.tile([0.0] * 7 + [24.0] * 10 + [0.0] * 7, 2)
    frame = forecast({"email": 1.0}, hours=48).assign(presage=wave)
    frame = frame.drop(columns=["presage-lo-80", "presage-hi-80"])
    found = plan(
        frame,
        settings=mail(target_seconds=3600.0),
        handle={"email": 600.0},
        paths={"email": np.tile(wave, (40, 1))},
    )
    work = wave.sum() * 600 / 3600 / 0.88
    assert 0.9 * work < paid_hours(found) < 1.25 * work  # of it nine in ten are promised


def test_what_is_to_be_solved_in_hours_is_planned_so(
    forecast: Forecast, mail: Callable[..., Settings]
) -> None:
    """Half within two hours; all solved in three, or in 48."""
    frame = forecast({"email": 12.0}, hours=48)
    half = {"target_seconds": 2 * 3600.0, "share": 0.5}
    soon, late = (
        plan(frame, settings=mail(**half, resolution_seconds=limit * 3600.0), scenario_count=40)
        for limit in (3, 48)
    )
    assert paid_hours(soon) > paid_hours(late)
    opened = soon["open_seconds"] > 0
    assert soon.loc[opened, "backlog"].max() < late.loc[opened, "backlog"].max()
