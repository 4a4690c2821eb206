"""What runs by the clock, on workspaces that have only a part of the tables."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, NotEnoughHistory
from data.store import open_store
from data.workspace import Workspace, init, set_setting, write_tables
from models.champion import champion
from pipelines import schedules
from pipelines.console import Result, silent
from pipelines.flows import run_plainly
from pipelines.services import publish_missing, watchdog
from serving.published import newest, pointer
from serving.runs import RunRecord, runs_in

STEPS = {"D": 70, "W-MON": 60, "h": 24 * 21}


def counts(folder: Path, freq: str, ids: tuple[str, ...] = ("channel=phone",)) -> Path:
    """A workspace with a ``volumes`` table and nothing else."""
    init(folder)
    rng = np.random.default_rng(0)
    ds = pd.date_range("2025-01-06", periods=STEPS[freq], freq=freq)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": ds, "y": rng.poisson(30, len(ds))}) for name in ids
    ]
    write_tables(folder, {"volumes": pd.concat(parts, ignore_index=True)})
    return folder


@pytest.mark.parametrize(
    ("freq", "done"),
    [("D", ["forecast"]), ("W-MON", ["forecast"]), ("h", ["forecast", "staff"])],
)
def test_a_night_does_what_counts_allow(
    freq: str, done: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = counts(tmp_path, freq)
    assert schedules.publish_all(folder, run_plainly) == done
    state = Workspace.open(folder).state_dir
    forecast = newest(state, "forecast")
    assert forecast is not None and set(forecast.frame["unique_id"]) == {"channel=phone"}
    assert (pointer(state, "staffing") is not None) == ("staff" in done)
    said = capsys.readouterr().err
    assert "presage score:" in said
    assert ("counts by the hour or finer" in said) == ("staff" not in done)


def test_a_night_removes_what_is_kept_too_long(tmp_path: Path) -> None:
    init(tmp_path)
    logs = tmp_path / ".presage" / "logs"
    logs.mkdir()
    for name in ("old.log", "new.log"):
        (logs / name).write_text("a line")
    os.utime(logs / "old.log", (0, 0))
    assert schedules.forget_expired(tmp_path) == 0  # 0 days: as long as it is of use
    set_setting(tmp_path, "retention.logs_days", 30)
    assert schedules.forget_expired(tmp_path) == 1
    assert [path.name for path in logs.iterdir()] == ["new.log"]


def test_a_night_ends_with_the_error_that_somebody_can_mend(tmp_path: Path) -> None:
    folder = counts(tmp_path, "h", ("channel=fax",))
    with pytest.raises(DataError, match="no service level"):
        schedules.publish_all(folder, run_plainly)
    assert pointer(Workspace.open(folder).state_dir, "forecast") is not None


def test_a_night_in_which_nothing_can_be_had_is_no_success(tmp_path: Path) -> None:
    init(tmp_path)
    customers = pd.DataFrame({"customer_id": ["a"], "signed_up_at": ["2025-01-01"]})
    orders = pd.DataFrame({"order_id": ["1"], "ordered_at": ["2025-02-01"], "customer_id": ["a"]})
    write_tables(tmp_path, {"customers": customers, "orders": orders})
    with pytest.raises(NotEnoughHistory, match="neither a tickets nor a volumes table"):
        schedules.publish_all(tmp_path, run_plainly)


def test_both_flows_hand_their_work_to_prefect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bodies as Prefect calls them, without its server: the same flows, run plainly."""
    folder = counts(tmp_path, "D")
    ran: list[str] = []

    def recorded(name: str, report: Any, parameters: dict[str, Any]) -> Result:
        ran.append(name)
        return run_plainly(name, report, parameters)

    monkeypatch.setattr(schedules, "run_in_prefect", recorded)
    schedules.weekly.fn(str(folder))
    state = Workspace.open(folder).state_dir
    at_work = champion(state, "volume")
    assert at_work is not None
    schedules.nightly.fn(str(folder))
    about = pointer(state, "forecast")
    assert about is not None and about["model_version"] == at_work.model_version
    assert ran == ["train", "score", "forecast", "staff", "monitor"]
    assert pointer(state, "monitor") is not None
    done = {runs.past[-1].verb: runs.past[-1] for runs in runs_in(state)}
    assert set(done) >= {"train", "score", "forecast", "staff", "monitor", "night"}
    assert [step.name for step in done["forecast"].steps][:2] == ["open-run", "forecast-volume"]
    assert done["score"].error == "NotEnoughHistory" and not done["night"].error


def test_up_says_once_what_hangs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = init(tmp_path)
    with open_store(workspace):
        pass
    begun = datetime(2026, 1, 1)
    with RunRecord(workspace.state_dir, "night", "none", 0, "the night", lambda: begun):
        look = watchdog(workspace)
        look()
        look()
    assert capsys.readouterr().err.count("ALARM nights: the night runs for") == 1


@pytest.mark.parametrize("freq", ["D", "W-MON"])
def test_what_is_served_of_counts_is_their_forecast(
    freq: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = counts(tmp_path, freq)
    publish_missing(Workspace.open(folder), None, silent)
    state = Workspace.open(folder).state_dir
    assert pointer(state, "forecast") is not None
    assert pointer(state, "scores") is None and pointer(state, "staffing") is None
    said = capsys.readouterr().err
    assert "no scores to serve yet: no risk model has been promoted" in said
    assert "no staffing to serve yet: the contacts are counted in steps of" in said
