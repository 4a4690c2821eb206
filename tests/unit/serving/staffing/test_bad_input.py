"""What planners get wrong: each is defined, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, SettingsError, UsageError
from data.settings import Company, ServiceLevel, Settings, load_settings
from data.settings import Staffing as StaffingSettings
from features.opening import hours_of, open_seconds
from pipelines.steps.waiting import check_waiting, read_waiting
from serving.staffing import plan

Forecast = Callable[..., pd.DataFrame]


def test_nothing_comes_and_everything_is_promised(forecast: Forecast, office: Settings) -> None:
    assert plan(forecast({"phone": 0.0, "email": 0.0}), settings=office).empty
    all_of_it = {"phone": replace(office.service_levels["phone"], share=1.0)}
    found = plan(forecast({"phone": 3.0}), settings=replace(office, service_levels=all_of_it))
    assert found["agents_net"].max() < 12
    assert plan(forecast({"email": 0.0}), settings=office, waiting={"email": 30.0})[
        "agents_net"
    ].sum()


def test_a_day_closed_and_a_holiday(forecast: Forecast, office: Settings) -> None:
    hours = {**office.opening_hours["phone"], "holidays": "closed", "2026-04-02": "10:00-12:00"}
    norway = replace(
        office,
        company=Company(country=("NO",), time_zone="Europe/Oslo"),
        opening_hours={"phone": hours},
    )
    starts = np.arange("2026-04-01T22", "2026-04-03T22", dtype="datetime64[h]")
    known = hours_of(norway, "phone", starts.astype("datetime64[us]"))
    opened = open_seconds(starts, 3600, known, "Europe/Oslo")
    assert opened[:24].sum() == 2 * 3600  # Maundy Thursday, a holiday, has hours of its own
    assert opened[24:].sum() == 0  # Good Friday
    found = plan(forecast({"phone": 9.0}, start="2026-04-01", hours=72), settings=norway)
    by_day = found.groupby(found["starts_at"].dt.date)["agents_net"].sum()
    assert by_day.iloc[0] > 0 and by_day.iloc[2] == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[staffing]\nshrinkage = 30", "shrinkage is 30"),
        ("[staffing]\nshrinkage = 0.99", "no plan"),
        ("[staffing]\nblock_minutes = 0", "block_minutes is 0"),
        ("[staffing]\nlargest_step = 0", "largest_step is 0"),
        ('[opening_hours.phone]\nmon = "22:00-06:00"', '"22:00-24:00" on this day'),
        ('[opening_hours.phone]\nholiday = "closed"', "holidays"),
        ('[opening_hours.phone]\n2026-02-30 = "closed"', "is no day"),
        ("[service_levels.phone]\npatience_seconds = 0", "patience_seconds is 0"),
        ("[pools.office]\nat_most = 3", "names no channels"),
        ('[pools.office]\nchannels = ["phone", "phone"]', "twice"),
        ('[pools.office]\nchannels = ["phone"]\nat_most = 0', "at_most is 0"),
    ],
)
def test_settings_say_what_is_wrong_and_where(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "presage.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"presage.toml line \d") as caught:
        load_settings(tmp_path, {})
    assert word in str(caught.value)


def test_who_waits_is_stated_by_channel_or_table(forecast: Forecast, tmp_path: Path) -> None:
    table = tmp_path / "line.csv"
    table.write_text("channel,waiting\nemail,20\nemail,4\nsocial,1\n")
    assert read_waiting(["email=239", str(table)]) == {"email": 24.0, "social": 1.0}
    for wrong in ("email=many", "email=-1", "=3", "email=inf"):
        with pytest.raises(UsageError, match="is not CHANNEL=CONTACTS"):
            read_waiting([wrong])
    with pytest.raises(UsageError, match="nor a file"):
        read_waiting(["email"])
    table.write_text("channel,count\nemail,20\n")
    with pytest.raises(UsageError, match="found channel, count"):
        read_waiting([str(table)])
    table.write_text("channel,waiting\nemail,x\n")
    with pytest.raises(UsageError, match="row 1"):
        read_waiting([str(table)])
    frame = forecast({"phone": 1.0, "email": 1.0})
    with pytest.raises(UsageError, match=r"'emails'.*email"):
        check_waiting({"emails": 3.0}, frame, Settings())
    with pytest.raises(UsageError, match="nobody waits overnight"):
        check_waiting({"phone": 3.0}, frame, Settings())


def test_a_missing_handling_time_is_the_settings_and_none_is_refused(
    forecast: Forecast, office: Settings
) -> None:
    found = plan(forecast({"phone": 5.0}), settings=office, handle={"email": 60.0})
    assert (found["handle_seconds"] == office.service_levels["phone"].handle_seconds).all()
    with pytest.raises(DataError, match="'phone' has handle_seconds nan"):
        plan(forecast({"phone": 5.0}), settings=office, handle={"phone": float("nan")})


def test_more_agents_than_contacts_idle_and_400_days_are_planned(
    forecast: Forecast, office: Settings
) -> None:
    hourly = replace(office, staffing=StaffingSettings(interval_minutes=60, block_minutes=60))
    frame = forecast({"phone": 0.2}, start="2026-02-02", hours=400 * 24)
    found = plan(frame, settings=hourly, scenario_count=20, at_most={"phone": 500})
    assert len(found) == 400 * 24 and found["starts_at"].is_unique
    opened = found["open_seconds"] > 0
    assert found.loc[opened, "agents_net"].between(1, 2).all()
    assert not found.loc[~opened, "agents_net"].any()
    local = found.loc[opened, "starts_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Oslo")
    assert set(local.dt.hour) == set(range(8, 18)), "summer and winter"


def test_late_mail_of_a_weekend_drives_no_peak(forecast: Forecast, office: Settings) -> None:
    """12 hours by the calendar: what Sunday evening brings cannot be kept, and hires nobody."""
    level = ServiceLevel(target_seconds=12 * 3600, limit_seconds=24 * 3600, clock="calendar")
    known = replace(
        office,
        service_levels={"email": level},
        staffing=StaffingSettings(interval_minutes=60, block_minutes=60),
    )
    frame = forecast({"email": 10.0}, start="2026-03-06", hours=24 * 4)
    found = plan(frame, settings=known, scenario_count=60).set_index("starts_at")
    monday = found.loc["2026-03-09 07:00":"2026-03-09 16:00", "agents_net"]
    work = 10 * 24 * 3 * 600 / 3600 / 0.88  # two days and Monday's own, at most
    assert monday.max() <= 2 * work / 10
    sunday = found.loc["2026-03-08"]
    assert sunday["reachable"].iloc[5] < 0.3 and sunday["service_level"].iloc[:22].mean() < 0.6


def test_short_targets_follow_the_arrivals(forecast: Forecast, office: Settings) -> None:
    """Half an hour: hours near the work there is, not the level of the busiest half hour."""
    known = replace(office, service_levels={"email": ServiceLevel(target_seconds=1800.0)})
    wave = np.tile([0.0] * 7 + [40, 30, 20, 10, 10, 10, 10, 10, 10, 10] + [0.0] * 7, 1)
    frame = forecast({"email": 1.0}).assign(presage=wave)
    frame = frame.drop(columns=["presage-lo-80", "presage-hi-80"])
    found = plan(frame, settings=known, handle={"email": 300.0}, scenario_count=60)
    paid = (found["agents_net"] * found["open_seconds"]).sum() / 3600
    work = wave.sum() * 300 / 3600 / 0.88
    assert work < paid < 2.2 * work
    busy = found.set_index("starts_at")["agents_net"]
    assert busy["2026-03-02 07:00"] >= 2 * busy["2026-03-02 14:00"]
