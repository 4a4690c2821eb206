"""The plan stands on what planners changed, and says so; the forecast's own number stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from data.clock import SYSTEM
from data.errors import DataError, UsageError
from data.store import open_store, save_override
from data.workspace import Workspace, init
from models.outreach_line import Change, Contacted, with_line
from pipelines.console import silent
from pipelines.run import open_run
from pipelines.steps.staffing import staff_channels
from serving.published import newest, publish

AS_OF = datetime(2024, 6, 3)


@pytest.fixture()
def workspace(tmp_path: Path) -> Path:
    """A phone with ten contacts an hour to come, half of them about bills."""
    init(tmp_path)
    opened = pd.date_range("2024-05-01", AS_OF, freq="h", inclusive="left")
    tickets = {"ticket_id": [f"t{i}" for i in range(len(opened))], "opened_at": opened}
    tables = tmp_path / "tables"
    tables.mkdir(exist_ok=True)
    told = pd.DataFrame(tickets).assign(channel="phone", topic="bill")
    told.to_parquet(tables / "tickets.parquet")
    ds = pd.date_range(AS_OF, periods=24, freq="h")
    names = ["total", "channel=phone", "channel=phone/topic=bill", "channel=phone/topic=lost"]
    levels = dict(zip(names, [10.0, 10.0, 5.0, 5.0], strict=True))
    parts = [
        pd.DataFrame({"unique_id": n, "ds": ds, "presage": v, "presage-lo-80": v - 4,
                      "presage-hi-80": v + 4})
        for n, v in levels.items()
    ]  # fmt: skip
    state = Workspace.open(tmp_path).state_dir
    frame = pd.concat(parts, ignore_index=True)
    publish(state, "forecast", frame, as_of=AS_OF, now=SYSTEM.now(), model_version="v1")
    return tmp_path


def override(workspace: Path, *, expires_at: datetime | None = None) -> None:
    with open_store(Workspace.open(workspace)) as store:
        save_override(
            store,
            unique_id="channel=phone/topic=bill",
            starts_at=AS_OF + timedelta(hours=8),
            ends_at=AS_OF + timedelta(hours=12),
            factor=3.0,
            value=None,
            author="Ada",
            reason="the bills go out",
            now=SYSTEM.now() - timedelta(hours=2),
            expires_at=expires_at,
        )


def staffed(workspace: Path, out: Path | None = None) -> tuple[pd.DataFrame, list[str]]:
    state = Workspace.open(workspace).state_dir
    forecast = newest(state, "forecast")
    assert forecast is not None
    told = staff_channels(open_run(workspace, AS_OF, silent), forecast.frame, "v1", out)
    found = newest(state, "staffing")
    assert found is not None
    return found.frame.set_index("starts_at"), told.lines


def test_staff_are_planned_for_what_planners_expect(workspace: Path, tmp_path: Path):
    before, lines = staffed(workspace)
    assert (before["volume"] == before["volume_forecast"]).all()
    assert not any("override" in line for line in lines)
    override(workspace)
    after, lines = staffed(workspace, tmp_path / "plan.csv")
    hour = AS_OF + timedelta(hours=9)
    # three times five about bills, and five others, in two halves of an hour
    assert after.loc[hour, "volume"] == pytest.approx(10.0)
    assert after.loc[hour, "volume_forecast"] == pytest.approx(5.0)
    assert after.loc[hour, "agents_net"] > before.loc[hour, "agents_net"]
    # ten in the half hour, and as noisy as counts of ten are
    assert 13 <= after.loc[hour, "volume_hi_80"] <= 16
    other = AS_OF + timedelta(hours=14)
    for name in ("volume", "volume_hi_80"):
        assert after.loc[other, name] == before.loc[other, name]
    # the whole channel is played again, and may be raised a little
    assert abs(after.loc[other, "agents_net"] - before.loc[other, "agents_net"]) <= 1
    assert any("Ada: the bills go out" in line for line in lines)
    written = pd.read_csv(tmp_path / "plan.csv")
    assert written["volume"].sum() == pytest.approx(written["volume_forecast"].sum() + 4 * 10)


def test_an_override_that_has_expired_moves_nobody(workspace: Path):
    override(workspace, expires_at=SYSTEM.now() - timedelta(hours=1))
    after, lines = staffed(workspace)
    assert (after["volume"] == after["volume_forecast"]).all()
    assert not any("override" in line for line in lines)


def test_outreach_is_a_line_of_what_is_planned_for(workspace: Path):
    before, lines = staffed(workspace)
    assert not any("outreach" in line for line in lines)
    state = Workspace.open(workspace).state_dir
    bare = newest(state, "forecast")
    assert bare is not None
    begun = Contacted((0.0,) * 60 + (40.0,) * 28)
    frame = with_line(bare.frame, begun, Change(-0.3, -0.5, -0.1, 0.4, 0.1, 900))
    publish(state, "forecast", frame, as_of=AS_OF, now=SYSTEM.now(), model_version="v1")
    after, lines = staffed(workspace)
    moved = frame.loc[frame["unique_id"] == "channel=phone", ["outreach", "outreach-held"]].sum()
    assert after["volume"].sum() - before["volume"].sum() == pytest.approx(
        moved["outreach"] - moved["outreach-held"]
    )
    (line,) = [line for line in lines if line.startswith("of them by outreach")]
    assert "averted" in line and "induced" in line and "95 % interval" in line


def test_hours_of_a_channel_that_there_is_not_are_named(workspace: Path):
    with (workspace / "presage.toml").open("a") as file:
        file.write('\n[opening_hours.fone]\nmon = "08:00-18:00"\n')
        file.write('\n[opening_hours.chat]\nmon = "08:00-18:00"\n')
    told = [line for line in staffed(workspace)[1] if "opening_hours" in line]
    assert len(told) == 1 and "'fone'" in told[0] and 'Did you mean "phone"?' in told[0]


def test_a_moment_beyond_the_tables_is_said(workspace: Path, capsys: pytest.CaptureFixture[str]):
    open_run(workspace, AS_OF + timedelta(hours=5), silent)
    assert "nothing came" not in capsys.readouterr().err, "a day that is nearly over"
    open_run(workspace, AS_OF + timedelta(days=30), silent)
    said = capsys.readouterr().err
    assert "within a day of 2024-06-02 00:00 UTC, 31 days before" in said
    with pytest.raises(UsageError, match="lies in the future"):
        open_run(workspace, SYSTEM.now() + timedelta(days=1), silent)


def test_agents_are_rostered_beside_the_plan(workspace: Path, tmp_path: Path):
    state = Workspace.open(workspace).state_dir
    bare = newest(state, "forecast")
    assert bare is not None
    run = open_run(workspace, AS_OF, silent)
    with pytest.raises(DataError, match=r"the plan is made.*there is no agents table"):
        staff_channels(run, bare.frame, "v1", None, shifts=True)
    assert newest(state, "staffing") is not None
    rows = {"agent_id": ["x", "y"], "hired_at": [datetime(2024, 1, 1)] * 2}
    agents = pd.DataFrame(rows).assign(skills=[["phone"], ["phone"]])
    agents.to_parquet(workspace / "tables" / "agents.parquet")
    run = open_run(workspace, AS_OF, silent)
    told = staff_channels(run, bare.frame, "v1", tmp_path / "plan.csv", shifts=True)
    found = newest(state, "roster")
    assert found is not None and len(found.frame) == told.data["shifts"]["shifts"] > 0
    assert told.data["shifts"]["weeks"][0]["gap"] <= 0.03
    assert (tmp_path / "plan-shifts.ics").read_bytes().startswith(b"BEGIN:VCALENDAR")
    assert any("have no hourly_cost" in line for line in told.lines)
