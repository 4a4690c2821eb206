"""The simulated company judges the plan: staffed as planned, what do its customers get?

Its contact centre shares no code with the queueing models. The forecast here is the mean of other
futures of the same past, so that staffing alone is on trial, not the forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from data.settings import DEFAULT_SERVICE_LEVELS, ServiceLevel, Settings
from data.settings import Company as CompanySettings
from data.settings import Staffing as StaffingSettings
from data.simulate import Company
from data.simulate.timeline import OPENING_HOURS, TIME_ZONE
from features.opening import local_days, open_seconds
from models.queueing import BacklogGrid, due_seconds
from serving.staffing import handle_seconds_by_channel, plan

DAYS, FUTURES, TRIALS = 5, 12, 4
LEVELS = {
    **DEFAULT_SERVICE_LEVELS,
    "email": ServiceLevel(target_seconds=6 * 3600, limit_seconds=12 * 3600),
}
SETTINGS = Settings(
    company=CompanySettings(time_zone=TIME_ZONE),
    opening_hours=OPENING_HOURS,
    service_levels=LEVELS,
    staffing=StaffingSettings(interval_minutes=60),
)


@dataclass(frozen=True)
class Trial:
    """A company at the moment of planning, its plan, and the first hour planned."""

    company: Company
    plan: pd.DataFrame
    hours: pd.DatetimeIndex


def contacts_of(company: Company, staffing: pd.DataFrame | None) -> pd.DataFrame:
    """The contacts of the next days, with when an answer began and ended, also days later."""
    days = [company.step(staffing=staffing) for _ in range(DAYS)]
    came = pd.concat([day.contacts() for day in days], ignore_index=True)
    answers = pd.concat(
        pd.DataFrame(
            {
                "ticket_id": [f"t{key}" for key in day.events["key"]],
                "begin": day.events["begin"].astype("datetime64[us]"),
                "end": day.events["end"].astype("datetime64[us]"),
            }
        )
        for day in days
    )
    return came.merge(answers, on="ticket_id", how="left")


@pytest.fixture(scope="module")
def trial() -> Trial:
    company = Company(9000, 60, 4, own_outreach=False, hazard_every=0)
    for _ in range(28):  # to a Monday, 29 January
        company.step()
    hours = pd.date_range(company.now, periods=24 * DAYS, freq="h", unit="us")
    counts = []
    for future in range(FUTURES):
        came = contacts_of(company.clone(seed=1000 + future), None)
        place = (came["opened_at"] - hours[0]) // pd.Timedelta("1h")
        counts.append(pd.crosstab(came["channel"], place).reindex(columns=range(len(hours))))
    paths = np.nan_to_num(np.stack([count.loc[sorted(LEVELS)].to_numpy() for count in counts]))
    mean = paths.mean(axis=0)
    spread = 1.2816 * np.sqrt(mean + (0.1 * mean) ** 2)
    forecast = pd.concat(
        pd.DataFrame(
            {
                "unique_id": f"channel={channel}",
                "ds": hours,
                "presage": mean[row],
                "presage-lo-80": np.maximum(mean[row] - spread[row], 0),
                "presage-hi-80": mean[row] + spread[row],
            }
        )
        for row, channel in enumerate(sorted(LEVELS))
    )
    handle = handle_seconds_by_channel(company.tables()["tickets"], LEVELS, company.now)
    assert (handle["source"] == "tickets").all()
    return Trial(company, plan(forecast, settings=SETTINGS, handle=handle), hours)


def achieved(trial: Trial, factor: float = 1.0) -> pd.DataFrame:
    """Per channel: share answered in time, share of days that keep the promise, of all trials."""
    agents = np.ceil(trial.plan["agents_net"] * factor - 1e-9)
    staffing = trial.plan.assign(agents=agents)[["channel", "starts_at", "agents"]]
    rows = []
    for future in range(TRIALS):
        came = contacts_of(trial.company.clone(seed=2000 + future), staffing)
        came["future"] = future
        came["day"] = local_days(came["opened_at"].to_numpy(), TIME_ZONE)
        for channel, part in came.groupby("channel"):
            level, at = LEVELS[str(channel)], (part["opened_at"] - trial.hours[0])
            opened = open_seconds(trial.hours, 3600, OPENING_HOURS[str(channel)], TIME_ZONE)
            grid = BacklogGrid(np.arange(24 * DAYS + 1) * 3600.0, opened)
            if level.kind == "real_time":
                waited = (part["begin"] - part["opened_at"]).dt.total_seconds()
                rows.append(part.assign(good=waited <= level.target_seconds))
            else:
                due = due_seconds(
                    grid, at.dt.total_seconds().to_numpy(), level.target_seconds or 0, level.clock
                )
                done = (part["end"] - trial.hours[0]).dt.total_seconds().to_numpy()
                rows.append(part.assign(good=done <= due)[due <= grid.edges[-1]])
    seen = pd.concat(rows)
    days = seen.groupby(["channel", "future", "day"])["good"].mean().reset_index()
    days["kept"] = days["good"] >= days["channel"].map(lambda name: LEVELS[name].share) - 1e-9
    return pd.DataFrame(
        {
            "share": seen.groupby("channel")["good"].mean(),
            "days_kept": days.groupby("channel")["kept"].mean(),
            "contacts": seen.groupby("channel").size(),
        }
    )


def test_staffed_as_planned_the_company_keeps_its_promises(trial: Trial) -> None:
    found = achieved(trial)
    assert (found["contacts"] > 40).all()
    for channel, row in found.iterrows():
        assert row["share"] >= LEVELS[str(channel)].share, (channel, found)
        assert row["days_kept"] >= 0.75, (channel, found)


def test_with_half_the_agents_it_does_not(trial: Trial) -> None:
    """So the plan is not simply lavish: halved, never below one, phone fails and chat falls."""
    full, half = achieved(trial), achieved(trial, 0.5)
    assert half.loc["phone", "share"] < LEVELS["phone"].share, half
    assert half.loc["phone", "days_kept"] < full.loc["phone", "days_kept"] - 0.3, half
    assert half.loc["chat", "share"] < full.loc["chat", "share"] - 0.02, half
