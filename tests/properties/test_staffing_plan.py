"""Random companies: a plan never breaks its own rules, and more work never needs fewer people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from data.settings import DAYS, Company, ServiceLevel, Settings
from data.settings import Staffing as StaffingSettings
from serving.staffing import COLUMNS, plan

ZONES = ("UTC", "Europe/Oslo", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe")
NIGHTS = ("2026-03-27", "2026-10-23", "2026-04-03", "2026-01-05", "2026-10-02")
HOURS = ("closed", "08:00-18:00", "09:30-12:00, 13:00-24:00", "00:00-24:00")


@dataclass(frozen=True)
class World:
    """A forecast with its sample paths, and settings."""

    forecast: pd.DataFrame
    paths: dict[str, np.ndarray]
    settings: Settings

    def scaled(self, by: float) -> World:
        more = self.forecast.assign(presage=self.forecast["presage"] * by)
        return World(more, {k: v * by for k, v in self.paths.items()}, self.settings)


@st.composite
def a_world(draw: st.DrawFn) -> World:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    hours = draw(st.integers(1, 60))
    ds = pd.date_range(draw(st.sampled_from(NIGHTS)), periods=hours, freq="h", unit="us")
    levels, opening, parts, paths = {}, {}, [], {}
    for kind in ("real_time", "backlog"):
        target = float(10 ** rng.uniform(1, 4.5))
        levels[kind] = ServiceLevel(
            target_seconds=target,
            limit_seconds=None if rng.random() < 0.5 else target * rng.uniform(1, 4),
            share=float(rng.uniform(0.5, 0.95)),
            confidence=float(rng.uniform(0.5, 0.95)),
            clock=rng.choice(["opening", "calendar"]),
            kind=kind,  # type: ignore[arg-type]
            concurrency=float(rng.choice([1.0, 2.0])),
            patience_seconds=None if rng.random() < 0.3 else float(rng.uniform(30, 900)),
            handle_seconds=float(rng.uniform(60, 1500)),
        )
        if rng.random() < 0.8:
            week = {day: str(rng.choice(HOURS)) for day in DAYS}
            opening[kind] = week | {DAYS[int(rng.integers(7))]: HOURS[1]}
        mean = rng.uniform(0, 30) * rng.random(hours) * (rng.random(hours) < 0.8)
        paths[kind] = rng.poisson(mean * rng.gamma(20, 1 / 20, (20, 1))).astype(float)
        parts.append(
            pd.DataFrame({"unique_id": f"channel={kind}", "ds": ds, "presage": paths[kind].mean(0)})
        )
    chosen = Settings(
        company=Company(time_zone=draw(st.sampled_from(ZONES))),
        service_levels=levels,
        opening_hours=opening,
        staffing=StaffingSettings(
            shrinkage=float(rng.uniform(0, 0.6)),
            max_occupancy=float(rng.uniform(0.5, 1)),
            interval_minutes=int(rng.choice([15, 30, 60])),
        ),
    )
    return World(pd.concat(parts, ignore_index=True), paths, chosen)


def planned(world: World, **more: Any) -> pd.DataFrame:
    return plan(world.forecast, settings=world.settings, paths=world.paths, **more)


@run_with(max_examples=6, deadline=None)
@given(a_world())
def test_a_plan_keeps_its_own_rules(world: World) -> None:
    found = planned(world)
    assert tuple(found.columns) == COLUMNS
    closed = found["open_seconds"] == 0
    assert (found["agents_net"] >= 0).all()
    assert (found.loc[closed, "agents_net"] == 0).all()
    assert (found.loc[~closed & (found["volume"] > 0), "agents_net"] >= 1).all()
    exact = found["agents_net"] / (1 - world.settings.staffing.shrinkage)
    assert (found["agents_gross"] >= exact - 1e-6).all()
    assert (found["agents_gross"] <= exact + 0.01 + 1e-6).all()
    for name in ("service_level", "confidence", "occupancy", "abandonment", "reachable"):
        assert found[name].dropna().between(-1e-9, 1 + 1e-9).all(), name
    assert (found["backlog"] >= -1e-9).all()
    real = (found["kind"] == "real_time") & found["confidence"].notna()
    assert (
        found.loc[real, "confidence"]
        >= world.settings.service_levels["real_time"].confidence - 1e-6
    ).all()
    assert found.equals(planned(world))


@run_with(max_examples=4, deadline=None)
@given(a_world(), st.floats(1.5, 3.0))
def test_more_calls_never_need_fewer_agent_hours(world: World, by: float) -> None:
    kept, more = planned(world), planned(world.scaled(by))
    hours = [
        (one["agents_net"] * one["open_seconds"])[one["kind"] == "real_time"].sum()
        for one in (kept, more)
    ]
    assert hours[1] >= hours[0] - 3600


@run_with(max_examples=4, deadline=None)
@given(a_world())
def test_no_contacts_no_agents(world: World) -> None:
    assert planned(world.scaled(0.0)).empty


@run_with(max_examples=4, deadline=None)
@given(a_world())
def test_a_plan_never_asks_for_more_agents_than_there_are(world: World) -> None:
    found = planned(world, at_most={"real_time": 2, "backlog": 2})
    assert (found["agents_net"] <= 2).all()
