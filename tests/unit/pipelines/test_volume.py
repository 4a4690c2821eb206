"""Volume steps as a planner starts them: settings count, awkward tables are answered and named."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from data.tables import MemoryTables
from data.workspace import init, write_tables
from pipelines.console import Result, silent
from pipelines.run import open_run
from pipelines.steps.forecast import forecast_volume
from pipelines.steps.inputs import take_snapshot
from pipelines.steps.volume import context_of, native_freq, refuse_finer
from pipelines.steps.volume_backtest import backtest_volume_model
from pipelines.steps.volume_training import _example

FIRST = pd.Timestamp("2024-01-01")


def with_tickets(folder: Path, settings: str, days: int = 60) -> Path:
    init(folder)
    (folder / "presage.toml").write_text(settings)
    rng = np.random.default_rng(0)
    opened = FIRST + pd.to_timedelta(np.sort(rng.integers(0, days * 1440, days * 20)), "min")
    n = len(opened)
    tickets = pd.DataFrame(
        {
            "ticket_id": np.arange(n).astype(str),
            "opened_at": opened,
            "channel": rng.choice(["phone", "email"], n),
            "priority": rng.choice(["high", "low"], n),
        }
    )
    write_tables(folder, {"tickets": tickets})
    return folder


def forecast_of(folder: Path, out: Path) -> tuple[Result, pd.DataFrame]:
    told = forecast_volume(open_run(folder, None, silent), None, None, out)
    return told, pd.read_csv(out, parse_dates=["ds"])


def test_steps_horizon_and_nodes_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = '[volume]\nfreq = "D"\nhorizon_days = 5\nsplit_by = ["priority"]\n'
    told, frame = forecast_of(with_tickets(tmp_path / "w", settings), tmp_path / "f.csv")
    total = frame[frame["unique_id"] == "total"]
    assert total["ds"].diff().dropna().unique().tolist() == [pd.Timedelta(days=1)]
    assert len(total) == told.data["steps"] == 5
    wide = frame.pivot_table(index="ds", columns="unique_id", values="presage")
    np.testing.assert_allclose(wide["priority=high"] + wide["priority=low"], wide["total"])
    parts = [name for name in wide if "channel=phone/" in name and "topic=/priority" in name]
    assert len(parts) == 2
    np.testing.assert_allclose(wide[parts].sum(axis=1), wide["channel=phone"])
    assert any("trials" in line for line in told.lines)
    (row,) = [one for one in told.data["accuracy"] if one["unique_id"] == "total"]
    assert 0.05 < row["presage"] < 0.5


def test_a_short_history_says_so(tmp_path: Path) -> None:
    told, _ = forecast_of(with_tickets(tmp_path / "w", "", days=5), tmp_path / "f.csv")
    assert any("no trial was possible" in line for line in told.lines)


def volumes(**series: list[float]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"unique_id": name, "ds": FIRST + pd.to_timedelta(np.arange(len(y)), "D"),
                      "y": y})
        for name, y in series.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def looked_back(folder: Path, table: pd.DataFrame, day: int, horizon: int = 9) -> Result:
    init(folder)
    (folder / "tables").mkdir(exist_ok=True)
    table.to_csv(folder / "tables" / "volumes.csv", index=False)
    snapshot = take_snapshot(folder, silent)
    cutoffs = [(FIRST + pd.Timedelta(days=day)).to_pydatetime()]
    out = folder / "out.csv"
    told = backtest_volume_model(folder, snapshot, cutoffs, horizon, "D", (80, 95), out, silent)
    made = pd.read_csv(out).filter(regex="presage")
    assert np.isfinite(made.to_numpy()).all() and (made.to_numpy() >= 0).all()
    return told


def test_a_backtest_tells_each_series_and_what_it_could_not_try(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    busy, rare = rng.poisson(90, 70), rng.poisson(9, 70)
    told = looked_back(tmp_path / "w", volumes(busy=busy, rare=rare, never=[0] * 70), 60)
    assert [one["unique_id"] for one in told.data["series"]] == ["busy", "rare"]
    assert told.data["series"][0]["presage"] < told.data["series"][1]["presage"]
    assert told.data["too_short"] == []
    short = looked_back(tmp_path / "short", volumes(busy=busy[:8]), 4)
    assert "too few for a trial" in short.lines[0]
    nothing = looked_back(tmp_path / "never", volumes(never=[0] * 70), 60)
    assert any("none of the 9 steps had a contact" in line for line in nothing.lines)


@pytest.mark.parametrize("y", [-3.0, np.nan, np.inf])
def test_a_count_that_cannot_be_is_quarantined_by_row_and_becomes_a_gap(
    y: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = volumes(calls=np.random.default_rng(0).poisson(50, 70).astype(float).tolist())
    gap = looked_back(tmp_path / "gap", table.drop(index=30), 60)
    capsys.readouterr()
    told = looked_back(tmp_path / "bad", table.assign(y=table["y"].where(table.index != 30, y)), 60)
    assert "volumes: 1 rows break the contract" in capsys.readouterr().err
    assert told.data["wape"] == gap.data["wape"]
    kept = pd.read_parquet(tmp_path / "bad" / ".presage" / "quarantine" / "volumes.parquet")
    (row,) = kept.to_dict("records")
    assert (row["file"], row["row"], row["column"]) == ("volumes.csv", 31, "y")


def test_rows_in_any_order_and_twice_the_same_change_nothing(tmp_path: Path) -> None:
    table = volumes(calls=np.random.default_rng(0).poisson(50, 70).tolist())
    plain = looked_back(tmp_path / "plain", table, 60)
    mixed = pd.concat([table, table.iloc[[30]]]).sample(frac=1, random_state=1)
    assert looked_back(tmp_path / "mixed", mixed, 60).data["wape"] == plain.data["wape"]


def test_steps_finer_than_the_counts_are_refused(tmp_path: Path) -> None:
    looked_back(tmp_path / "w", volumes(calls=[5, 6, 7, 8] * 10), 30)
    run = open_run(tmp_path / "w", datetime(2024, 2, 1), silent)
    with pytest.raises(UsageError, match="Give --freq D"):
        forecast_volume(run, "48h", "h", None)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/New_York"])
@pytest.mark.parametrize("freq", ["h", "D", "W", "MS", "QS"])
def test_the_step_of_a_table_is_named_through_clock_changes(zone: str, freq: str) -> None:
    ds = pd.date_range("2023-07-03", periods=12, freq=freq.replace("W", "W-MON"), tz=zone)
    rows = {"unique_id": "a", "ds": ds.tz_convert("UTC").tz_localize(None), "y": 1.0}
    tables = MemoryTables({"volumes": pd.DataFrame(rows)})
    assert native_freq(tables) == freq
    refuse_finer(tables, freq)
    finer = {"h": "30min", "D": "h", "W": "D", "MS": "W", "QS": "MS"}[freq]
    with pytest.raises(UsageError, match="Give --freq"):
        refuse_finer(tables, finer)


def test_intervals_in_whole_contacts_hold_no_less(tmp_path: Path) -> None:
    table = volumes(calls=np.random.default_rng(0).poisson(4, 70).tolist())
    looked_back(tmp_path / "w", table, 60)
    plain = pd.read_csv(tmp_path / "w" / "out.csv")
    snapshot = take_snapshot(tmp_path / "w", silent)
    cutoffs, out = [(FIRST + pd.Timedelta(days=60)).to_pydatetime()], tmp_path / "whole.csv"
    backtest_volume_model(
        tmp_path / "w", snapshot, cutoffs, 9, "D", (80, 95), out, silent, whole=True
    )
    whole = pd.read_csv(out)
    bounds = whole.filter(regex="presage-")
    assert (bounds == bounds.round()).all(axis=None)
    assert (whole["presage-lo-80"] <= plain["presage-lo-80"]).all()
    assert (whole["presage-hi-95"] >= plain["presage-hi-95"]).all()
    assert ((whole["presage-hi-95"] - plain["presage-hi-95"]) < 1).all()
    pd.testing.assert_series_equal(whole["presage"], plain["presage"])


def test_an_example_of_days_is_read_without_their_zone() -> None:
    """Its days begin at one hour of UTC, though clocks changed two weeks before; hours are kept."""
    days = pd.date_range("2024-05-01", "2024-11-10", freq="D", tz="Europe/Oslo")
    ds = days.tz_convert("UTC").tz_localize(None)
    example = _example(pd.DataFrame({"unique_id": "total", "ds": ds, "y": 1.0}))
    assert list(example["ds"]) == list(ds[-14:])
    hours = pd.date_range("2024-10-01", periods=600, freq="h")
    assert len(_example(pd.DataFrame({"unique_id": "total", "ds": hours, "y": 1.0}))) == 336


def test_a_planners_own_forecasts_stand_beside_ours_as_issued() -> None:
    from pipelines.steps.volume_backtest import with_yours

    day = pd.Timestamp("2026-03-02")
    frame = pd.DataFrame({"unique_id": "a", "ds": [day, day + pd.Timedelta("1D")], "y": [5.0, 6]})
    frame = frame.assign(cutoff=pd.Timestamp("2026-03-01"))
    own = pd.DataFrame(
        {
            "unique_id": "a",
            "ds": [day, day, day],
            "issued_at": pd.to_datetime(["2026-02-01", "2026-03-01", "2026-03-03"]),
            "y": [1.0, 2.0, 3.0],
        }
    )
    made = with_yours(
        frame,
        MemoryTables({"forecasts": own}).frame("forecasts"),
        {datetime(2026, 3, 1): datetime(2026, 3, 2)},
    )
    assert made["yours"].astype(object).where(made["yours"].notna(), None).tolist() == [2.0, None]


SITES = '[volume]\nsplit_by = ["site"]\n[sites.oslo]\ncountry = ["NO"]\n[sites.austin]\n'


def test_a_site_has_the_holidays_of_its_country(tmp_path: Path) -> None:
    settings = '[company]\ncountry = "US"\n' + SITES
    folder = with_tickets(tmp_path, settings)
    run = open_run(folder, None, silent)
    context = context_of(run.workspace, run.snapshot)
    assert context.country_of("channel=phone/site=oslo") == ("NO",)
    assert context.country_of("site=austin") == context.country_of("total") == ("US",)
    rows = {"unique_id": ["a", "b"], "ds": [FIRST, FIRST], "y": [1.0, 2.0], "site": ["oslo", None]}
    volumes = MemoryTables({"volumes": pd.DataFrame(rows)})
    context = context_of(run.workspace, volumes)
    assert [context.country_of(name) for name in "ab"] == [("NO",), ("US",)]
