"""The plan: one number by hand, opening hours, refusals, any channel name, the simulator's word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.settings import ServiceLevel, Settings
from data.settings import Staffing as StaffingSettings
from models.queueing import agents_required, queue_measures
from serving.staffing import COLUMNS, Basis, check_plan, passed_plan, plan

Forecast = Callable[..., pd.DataFrame]


def test_columns_order_and_gross(forecast: Forecast, office: Settings) -> None:
    found = plan(forecast({"phone": 20.0, "email": 10.0}), settings=office)
    assert tuple(found.columns) == COLUMNS
    assert found["channel"].unique().tolist() == ["email", "phone"]
    assert found.groupby("channel")["starts_at"].is_monotonic_increasing.all()
    assert (found["ends_at"] - found["starts_at"] == pd.Timedelta("30min")).all()
    gross = found["agents_gross"] - found["agents_net"] / 0.7
    assert gross.between(0, 0.01).all()


def test_one_number_by_hand(forecast: Forecast, office: Settings) -> None:
    """Any row's agents are Erlang A for its planned volume, as docs/staffing.md says."""
    found = plan(forecast({"phone": 20.0}), settings=office, handle={"phone": 280.0})
    row = found[found["open_seconds"] > 0].iloc[3]
    by_hand = agents_required(
        row["planned_volume"] / 1800,
        280.0,
        target_seconds=20,
        share=0.8,
        patience_seconds=120,
        max_occupancy=0.88,
    )
    assert row["agents_net"] == by_hand
    assert row["confidence"] >= 0.9
    expected = queue_measures(
        10 / 1800, 280.0, servers=by_hand, target_seconds=20, patience_seconds=120
    )
    assert row["asa_seconds"] == pytest.approx(float(expected.asa_seconds))
    assert row["service_level"] == pytest.approx(float(expected.service_level), abs=0.05)


def test_closed_hours_need_nobody_and_backlog_waits_for_the_opening(
    forecast: Forecast, office: Settings
) -> None:
    found = plan(forecast({"phone": 6.0, "social": 6.0}, hours=48), settings=office)
    closed = found[found["open_seconds"] == 0]
    assert (closed["agents_net"] == 0).all() and len(closed) > 40
    assert closed.loc[closed["channel"] == "phone", "service_level"].isna().all()
    opened = found[found["open_seconds"] > 0]
    assert (opened["agents_net"] >= 1).all()
    assert opened["starts_at"].dt.hour.between(7, 16).all()  # Oslo in winter is UTC + 1
    night = found[(found["channel"] == "social") & (found["starts_at"].dt.hour == 6)]
    assert (night["backlog"] > 30).all()
    assert (found.loc[found["channel"] == "social", "confidence"] >= 0.85).all()


def test_a_closure_and_a_line_at_the_start(forecast: Forecast, office: Settings) -> None:
    frame = forecast({"email": 3.0, "phone": 3.0}, hours=24)
    day = {"starts_at": pd.Timestamp("2026-03-02"), "ends_at": pd.Timestamp("2026-03-03")}
    closures = pd.DataFrame([{**day, "channel": "phone"}])
    shut = plan(frame, settings=office, closures=closures)
    hours = shut.groupby("channel")["agents_net"].sum()
    assert hours["phone"] == 0 and hours["email"] > 0
    everyone = plan(frame, settings=office, closures=closures.assign(channel=None))
    assert everyone["agents_net"].sum() == 0
    more = plan(frame, settings=office, waiting={"email": 200.0})
    assert more.groupby("channel")["agents_net"].sum()["email"] > hours["email"] + 40


def test_an_unreachable_promise_is_said(forecast: Forecast, office: Settings) -> None:
    """12 h by the calendar, closed from 18:00 to 08:00: the evening's contacts cannot be met."""
    found = plan(forecast({"email": 10.0}, hours=72), settings=office)
    tuesday = found[found["starts_at"].dt.day == 3]
    assert 0.7 < tuesday["reachable"].iloc[5] < 0.9
    assert tuesday["confidence"].iloc[5] < 0.1
    assert tuesday["service_level"].mean() > 0.9 * tuesday["reachable"].iloc[5]


def test_a_channel_without_a_service_level_is_refused_by_name(
    forecast: Forecast, office: Settings
) -> None:
    with pytest.raises(DataError, match=r"'phones'.*\[service_levels.phones\].*phone"):
        plan(forecast({"phones": 1.0}), settings=office)
    with pytest.raises(DataError, match=r'\[service_levels."in person"\]'):
        plan(forecast({"in%20person": 1.0}), settings=office)
    assert plan(forecast({"phones": 0.0}), settings=office).empty


@pytest.mark.parametrize("kind", ["real_time", "backlog"])
def test_any_channel_works_once_it_has_a_service_level(
    forecast: Forecast, office: Settings, kind: str
) -> None:
    level = ServiceLevel(target_seconds=900.0, limit_seconds=3600.0, kind=kind)  # type: ignore[arg-type]
    settings = replace(office, service_levels={"forum": level, "in_person": level})
    found = plan(forecast({"forum": 3.0, "in_person": 8.0}, hours=12), settings=settings)
    assert (found["agents_net"] >= 1).all()  # no opening hours: always open
    assert (found.groupby("channel")["agents_net"].sum().diff().dropna() > 0).all()


def test_never_open_bad_handling_and_bad_paths_are_refused(
    forecast: Forecast, office: Settings
) -> None:
    frame = forecast({"phone": 1.0})
    shut = replace(office, opening_hours={"phone": {"mon": "closed"}})
    with pytest.raises(DataError, match=r"opening_hours.phone.*no day"):
        plan(frame, settings=shut)
    with pytest.raises(DataError, match="handle_seconds nan"):
        plan(frame, settings=office, handle={"phone": float("nan")})
    with pytest.raises(DataError, match=r"shape \(3, 7\)"):
        plan(frame, settings=office, paths={"phone": np.ones((3, 7))})
    with pytest.raises(DataError, match="negative"):
        plan(frame, settings=office, paths={"phone": -np.ones((3, 24))})


def test_sample_paths_decide(forecast: Forecast, office: Settings) -> None:
    frame = forecast({"phone": 20.0, "social": 20.0})
    calm = {name: np.full((20, 24), 20.0) for name in ("phone", "social")}
    wild = {name: path.copy() for name, path in calm.items()}
    for path in wild.values():
        path[:3] *= 2.5
    few, many = (
        plan(frame, settings=office, paths=paths).groupby("channel")["agents_net"].sum()
        for paths in (calm, wild)
    )
    assert (many > 1.5 * few).all()


def test_no_more_agents_than_there_are(forecast: Forecast, office: Settings) -> None:
    frame = forecast({"phone": 200.0, "social": 200.0})
    found = plan(frame, settings=office, at_most={"phone": 5, "social": 5})
    assert (found["agents_net"] <= 5).all()
    phone = found[(found["channel"] == "phone") & (found["open_seconds"] > 0)]
    assert (phone["agents_net"] == 5).all() and (phone["service_level"] < 0.5).all()
    assert (phone["confidence"] == 0).all()


def test_chat_agents_hold_several_contacts(forecast: Forecast, office: Settings) -> None:
    frame = forecast({"chat": 60.0})
    one = replace(office.service_levels["chat"], concurrency=1.0)
    hours = [
        plan(frame, settings=replace(office, service_levels={"chat": level}))["agents_net"].sum()
        for level in (one, replace(one, concurrency=2.0))
    ]
    assert 0.45 * hours[0] < hours[1] < 0.65 * hours[0]


def test_a_played_queue_confirms_the_plan_and_a_thinner_one_fails(
    forecast: Forecast, office: Settings
) -> None:
    level = ServiceLevel(target_seconds=4 * 3600, limit_seconds=8 * 3600)
    settings = replace(
        office,
        service_levels={**office.service_levels, "email": level},
        staffing=StaffingSettings(interval_minutes=60),
    )
    frame = forecast({"phone": 80.0, "email": 60.0}, hours=48)
    passed = passed_plan(Basis(frame), settings=settings, rounds=3)
    found = passed.frame
    played = check_plan(found, settings=settings, runs=20).set_index("channel")
    assert (played["service_level"] >= played["share"]).all()
    assert (played["service_level_low"] < played["service_level"]).all()
    assert (played["days_reached"] >= 0.8).all()
    assert all(share > 0.87 for share in passed.days_kept.values()) and not passed.failing
    thin = found.assign(agents_net=np.maximum((found["agents_net"] * 0.85).astype(int), 1))
    thin.loc[found["agents_net"] == 0, "agents_net"] = 0
    worse = check_plan(thin, settings=settings, runs=20).set_index("channel")
    assert (worse["days_reached"] < played["days_reached"] - 0.2).all()


def test_given_arrivals_are_played(forecast: Forecast, office: Settings) -> None:
    found = plan(forecast({"phone": 4.0}), settings=office)
    at = pd.date_range("2026-03-02 08:00", periods=6, freq="30min").to_numpy("datetime64[us]")
    played = check_plan(found, settings=office, arrivals={"phone": at}, runs=3)
    assert played["contacts"].item() == 6 and played["service_level"].item() == 1.0


def test_one_more_hour_is_worth_most_where_people_are_fewest(
    forecast: Forecast, office: Settings
) -> None:
    frame = forecast({"phone": 20.0, "email": 20.0})

    def gain(sure: float, **most: int) -> pd.DataFrame:
        levels = {
            name: replace(level, confidence=sure) for name, level in office.service_levels.items()
        }
        known = replace(office, service_levels=levels)
        found = plan(frame, settings=known, scenario_count=60, at_most=most)
        assert found.loc[found["open_seconds"] == 0, "gain_per_hour"].isna().all()
        return found[found["open_seconds"] > 0].pivot_table(
            index="starts_at", columns="channel", values="gain_per_hour"
        )

    few, many = gain(0.5), gain(0.99)
    assert (few >= 0).all(axis=None) and (few.mean() > many.mean()).all()
    # one agent handles twelve calls of 300 s an hour, and no hour brings more in time
    assert gain(0.9, phone=1)["phone"].between(2, 12).all()
