"""Agents who can do several things: fewer of them, urgent work first, and the plan still holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.settings import PoolSettings, ServiceLevel, Settings
from models.queueing import simulate_shared
from serving.staffing import Basis, passed_plan, plan
from serving.staffing.outreach_hours import with_outreach
from serving.staffing.pools import pools_by_skills, pools_of

Forecast = Callable[..., pd.DataFrame]


def hours(frame: pd.DataFrame) -> float:
    return float((frame["agents_net"] * frame["open_seconds"]).sum() / 3600)


def test_a_pool_needs_fewer_and_its_rows_add_up(forecast: Forecast, office: Settings) -> None:
    email = ServiceLevel(target_seconds=8 * 3600)
    levels = {**office.service_levels, "email": email}
    frame = forecast({"phone": 4.0, "chat": 2.0, "email": 3.0}, hours=48)
    apart = replace(office, service_levels=levels)
    pools = {"office": PoolSettings(("phone", "chat", "email"))}
    alone, together = (plan(frame, settings=one) for one in (apart, replace(apart, pools=pools)))
    assert hours(together) < 0.75 * hours(alone)
    assert set(together["pool"]) == {"phone+chat+email"}
    opened = together[together["open_seconds"] > 0].groupby("starts_at")
    assert (opened["agents_net"].sum() == opened["pool_agents"].first()).all()
    passed = passed_plan(
        Basis(frame, pools=(("phone", "chat", "email"),)), settings=apart, rounds=3
    )
    assert all(share >= 0.88 for share in passed.days_kept.values()), passed.days_kept


def test_a_plan_that_cannot_hold_names_day_and_interval(
    forecast: Forecast, office: Settings
) -> None:
    few = replace(office, pools={"line": PoolSettings(("phone",), at_most=2)})
    passed = passed_plan(Basis(forecast({"phone": 40.0})), settings=few, rounds=2)
    assert passed.frame["agents_net"].max() == 2
    assert passed.failing[0].channel == "phone"
    assert "phone on 2026-03-02: kept in 0%" in str(passed.failing[0])
    assert "worst from 2026-03-02" in str(passed.failing[0])


def test_skills_make_pools_and_settings_go_before_them(office: Settings) -> None:
    skills = [("phone", "email")] * 4 + [("chat",)] * 3 + [("social", "chat")]
    found = pools_by_skills(skills, ["chat", "email", "phone", "social"])
    assert found[0].channels == ("email", "phone") and len(found) == 3
    known = [pool.channels for pool in found]
    assert pools_of(office, ["email", "phone"], known)[0].channels == ("phone", "email")
    twice = {"a": PoolSettings(("phone",)), "b": PoolSettings(("phone",))}
    with pytest.raises(DataError, match="'phone' is in two pools"):
        pools_of(replace(office, pools=twice), ["phone"])
    with pytest.raises(DataError, match=r"'phones'.*phone"):
        pools_of(replace(office, pools={"a": PoolSettings(("phones",))}), ["phone"])


def test_lent_agents_leave_what_they_began_and_take_it_up_again() -> None:
    served = simulate_shared([0.0, 1.0], [10.0, 10.0], edges=[0.0, 5.0, 8.0], servers=[1, 0, 1])
    assert served.end_times.tolist() == [13.0, 23.0]
    assert served.waited.tolist() == [0.0, 12.0]


def test_outreach_hours_are_inside_the_plan(forecast: Forecast, office: Settings) -> None:
    from serving.outreach.agent_hours import hours_left

    frame = plan(forecast({"phone": 6.0, "social": 4.0}), settings=office)
    begin, end = pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-03")
    assert (hours_left(frame, office, begin, end) or 0.0) < 12
    more = with_outreach(frame, office, 12.0)
    assert (hours_left(more, office, begin, end) or 0.0) >= 12 - 1e-6
    phone = frame["channel"] == "phone"
    assert more[phone].equals(frame[phone])
    assert hours(more) - hours(frame) < 14
    assert np.isclose(with_outreach(frame, office, 0.0)["agents_net"], frame["agents_net"]).all()


def test_any_number_of_outreach_hours_takes_as_long_and_ends_evenly(
    forecast: Forecast, office: Settings
) -> None:
    frame = plan(forecast({"phone": 6.0, "social": 4.0}), settings=office)
    social = frame["channel"] == "social"
    there = frame["agents_net"][social & (frame["open_seconds"] > 0)]
    for wanted in (1.0, 50.0, 400.0, 1e6):
        began = time.process_time()
        more = with_outreach(frame, office, wanted)
        assert time.process_time() - began < 1  # an agent at a time, a million hours took days
        added = (more["agents_net"] - frame["agents_net"])[there.index]
        whole = added.groupby(frame["starts_at"].dt.date).agg(["min", "max"])
        assert (whole["max"] - whole["min"] <= 1).all()  # round by round
        assert (hours(more) - hours(frame)) * office.staffing.max_occupancy >= wanted - 12
    assert (more["occupancy"][there.index] < 0.01).all()
