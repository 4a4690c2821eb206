"""The verbs as a user types them: what they print, write, refuse, and how they exit."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import PRESAGE

pytestmark = [pytest.mark.system]

FORECAST = ["unique_id", "ds", "presage", "presage-median"]
INTERVALS = ["presage-lo-80", "presage-hi-80", "presage-lo-95", "presage-hi-95"]


@pytest.fixture
def workspace(trained_workspace: Path, tmp_path: Path) -> Path:
    """A copy of the trained company that a test may change."""
    return Path(shutil.copytree(trained_workspace, tmp_path / "company"))


def test_help_answers_at_once() -> None:
    """Under 0.3 s on a quiet machine; judged by CPU time, since the tests share theirs."""
    command = [*PRESAGE, "--help"]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, timeout=300, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3, spent


@pytest.mark.parametrize("arguments", [["frob"], ["train"], ["score", "x", "--horizons", "soon"]])
def test_wrong_usage_exits_2(run_presage, arguments) -> None:
    run_presage(*arguments, code=2)


def test_init_is_kind_and_a_folder_that_is_no_workspace_is_not(run_presage, tmp_path) -> None:
    run_presage("init", tmp_path / "new")
    text = (tmp_path / "new" / "presage.toml").read_text()
    assert "[service_levels" in text and "#" in text
    (tmp_path / "other").mkdir()
    refused = run_presage("score", tmp_path / "other", code=2)
    assert "presage init" in refused.stderr and "Traceback" not in refused.stderr


def test_score_writes_one_row_a_customer(run_presage, workspace, tmp_path) -> None:
    out = tmp_path / "scores.csv"
    told = json.loads(run_presage("score", workspace, "--out", out, "--json").stdout)
    frame = pd.read_csv(out, parse_dates=["as_of"])
    assert list(frame.columns) == [
        "customer_id", "as_of", "risk_7d", "risk_14d", "risk_30d", "expected_tickets_30d",
        "contact_30d", "topic", "channel", "topics", "channels", "reasons", "model_version",
        "repeat_contact_14d",
    ]  # fmt: skip
    assert 0 < frame["repeat_contact_14d"].notna().sum() < len(frame)
    assert frame["repeat_contact_14d"].dropna().between(0, 1, inclusive="neither").all()
    assert told["customers"] == len(frame) == frame["customer_id"].nunique()
    risks = frame[["risk_7d", "risk_14d", "risk_30d"]].to_numpy()
    assert ((risks > 0) & (risks < 1)).all() and (np.diff(risks, axis=1) >= 0).all()
    customers = pd.read_parquet(workspace / "tables" / "customers.parquet")
    assert set(frame["customer_id"]) <= set(customers["customer_id"])
    reasons = frame["reasons"].map(json.loads)
    assert (reasons.map(len) > 0).mean() > 0.9
    assert {"feature", "value", "text", "contribution"} == set(reasons[0][0])


def test_score_is_repeatable_to_the_bit(run_presage, workspace, tmp_path) -> None:
    for name in ("a", "b"):
        run_presage("score", workspace, "--out", tmp_path / f"{name}.parquet")
    one, two = (pd.read_parquet(tmp_path / f"{n}.parquet") for n in ("a", "b"))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_forecast_adds_up_and_keeps_its_order(run_presage, workspace, tmp_path) -> None:
    out = tmp_path / "forecast.parquet"
    run_presage("forecast", workspace, "--horizon", "7d", "--out", out)
    frame = pd.read_parquet(out)
    assert list(frame.columns) == FORECAST + INTERVALS
    wide = frame.pivot_table(index="ds", columns="unique_id", values="presage")
    channels = [c for c in wide if c.startswith("channel=") and "/" not in c]
    pairs = [c for c in wide if "/" in c]
    assert len(wide) == 7 * 24
    np.testing.assert_allclose(wide[channels].sum(axis=1), wide["total"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(wide[pairs].sum(axis=1), wide["total"], rtol=1e-6, atol=1e-9)
    for low, high in (("presage-lo-80", "presage-hi-80"), ("presage-lo-95", "presage-lo-80")):
        assert (frame[low] <= frame[high] + 1e-12).all() or low == "presage-lo-95"
    assert (frame["presage-lo-95"] <= frame["presage-lo-80"] + 1e-12).all()
    assert (frame["presage-lo-80"] >= 0).all()


def test_a_backtest_of_volume_writes_what_the_contract_says(
    run_presage, workspace, tmp_path
) -> None:
    out = tmp_path / "volume.csv"
    cutoff = "2024-09-19T22:00:00"
    run_presage("backtest", "volume", workspace, "--cutoffs", cutoff, "--horizon", 7,
                "--freq", "D", "--out", out)  # fmt: skip
    volume = pd.read_csv(out, parse_dates=["ds", "cutoff"])
    assert {*FORECAST, *INTERVALS, "cutoff", "y"} <= set(volume)
    assert (volume.groupby("unique_id").size() == 7).all()
    assert (volume["ds"] > volume["cutoff"]).all()


def test_settings_features_models_and_check_tell_what_there_is(run_presage, workspace) -> None:
    settings = json.loads(run_presage("settings", workspace, "--json").stdout)["settings"]
    assert {"name": "risk.as_ofs", "value": 18, "source": "presage.toml"} in settings
    cards = json.loads(run_presage("features", workspace, "--json").stdout)["features"]
    assert len(cards) > 50 and all(card["formula"] and card["source"] for card in cards)
    shown = run_presage("models", workspace, "show").stdout
    assert "champion" in shown
    assert json.loads(run_presage("check", workspace, "--json").stdout)["ok"]


def test_shifts_are_written_as_a_table_and_a_calendar(run_presage, workspace, tmp_path) -> None:
    shown = run_presage("staff", workspace, "--shifts", "--out", tmp_path / "plan.csv").stdout
    assert "gap" in shown and "shifts" in shown
    assert "BEGIN:VCALENDAR" in (tmp_path / "plan-shifts.ics").read_text()
    assert len(pd.read_csv(tmp_path / "plan-shifts.csv")) > 8


def test_the_monitor_tells_and_publishes_and_a_dry_run_erases_nobody(
    run_presage, workspace, tmp_path
) -> None:
    command = [*PRESAGE, "monitor", workspace, "--json", "--out", tmp_path / "findings.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["alarms"] else 0), done.stderr
    areas = set(pd.read_csv(tmp_path / "findings.csv")["area"])
    known = {"sources", "inputs", "predictions", "forecasts", "service", "issues", "nights"}
    assert areas == known
    assert (workspace / ".presage/published/kpis.json").exists()
    customer = pd.read_parquet(workspace / "tables/customers.parquet")["customer_id"].iloc[0]
    told = run_presage("erase", workspace, customer)
    assert "--commit" in told.stdout + told.stderr
    tables = pd.read_parquet(workspace / "tables/customers.parquet")
    assert customer in set(tables["customer_id"])


def test_outreach_asks_decides_and_writes_once(run_presage, workspace, tmp_path) -> None:
    run_presage("outreach", workspace, "--commit", code=2)
    dry = json.loads(run_presage("outreach", workspace, "--json").stdout)
    assert not dry["committed"]
    first, again = tmp_path / "first.csv", tmp_path / "again.csv"
    run_presage("outreach", workspace, "--commit", "--yes", "--out", first)
    told = json.loads(
        run_presage("outreach", workspace, "--commit", "--yes", "--json", "--out", again).stdout
    )
    assert told["already_written"]
    pd.testing.assert_frame_equal(pd.read_csv(first), pd.read_csv(again))
    assert "intact" in run_presage("verify-log", workspace).stdout
