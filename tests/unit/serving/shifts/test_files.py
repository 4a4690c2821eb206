"""A roster as files: a calendar that calendars read, in each agent's zone, with lasting UIDs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from data.errors import UsageError
from data.settings import Settings
from serving.shifts import calendar_file, roster, write_roster

NOW = datetime(2026, 3, 1)


def test_a_calendar_has_each_shift_once_in_its_agents_zone(
    week: Callable[..., pd.DataFrame],
    agents: Callable[..., pd.DataFrame],
    oslo: Callable[..., Settings],
) -> None:
    from icalendar import Calendar

    away = agents(2, ["phone"], time_zone="Europe/London")
    made = roster(week({"phone": 1}), away, oslo())
    content = calendar_file(made.shifts, NOW)
    assert content == calendar_file(made.shifts, NOW)
    read = Calendar.from_ical(content)
    events = read.walk("VEVENT")
    assert len(events) == len(made.shifts) == len({str(one["uid"]) for one in events})
    assert [str(zone["tzid"]) for zone in read.walk("VTIMEZONE")] == ["Europe/London"]
    for event, row in zip(events, made.shifts.itertuples(), strict=True):
        begin = event["dtstart"].dt
        assert begin.utcoffset() == timedelta(0) and begin.replace(tzinfo=None) == row.starts_at
        assert event["dtstart"].params["TZID"] == "Europe/London"
    later = made.shifts.assign(starts_at=made.shifts["starts_at"] + pd.Timedelta(hours=1))
    moved = Calendar.from_ical(calendar_file(later, NOW + timedelta(days=1))).walk("VEVENT")
    assert [str(one["uid"]) for one in moved] == [str(one["uid"]) for one in events]
    assert int(moved[0]["sequence"]) > int(events[0]["sequence"])


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_a_roster_is_written_beside_its_plan(
    tmp_path: Path,
    ending: str,
    week: Callable[..., pd.DataFrame],
    agents: Callable[..., pd.DataFrame],
    oslo: Callable[..., Settings],
) -> None:
    made = roster(week({"phone": 1}), agents(2, ["phone"]), oslo())
    paths = write_roster(made.shifts, made.people, tmp_path / f"plan.{ending}", "Europe/Oslo", NOW)
    assert [path.name for path in paths] == [f"plan-shifts.{ending}", "plan-shifts.ics"]
    read = {"csv": pd.read_csv, "xlsx": pd.read_excel, "parquet": pd.read_parquet}[ending]
    kwargs = {"engine": "calamine"} if ending == "xlsx" else {}
    assert len(read(paths[0], **kwargs)) == len(made.shifts)
    with pytest.raises(UsageError, match=r"plan\.pdf"):
        write_roster(made.shifts, made.people, tmp_path / "plan.pdf", "UTC", NOW)
