"""Planted faults are found and named; quiet sources stay quiet."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from data.store import open_store, save_forecast
from data.tables import MemoryTables
from data.workspace import Workspace, init
from serving.monitoring.finding import Finding, frame_of
from serving.monitoring.forecasts import forecast_findings, issued_errors
from serving.monitoring.live import judged, live_findings
from serving.monitoring.predictions import _distance, expected_findings
from serving.monitoring.sources import source_findings
from serving.monitoring.watermarks import stopped_facts, watermarks

AS_OF = datetime(2026, 6, 1)
DAYS = 120


def orders(rate: float = 20.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    count = int(rng.poisson(rate * DAYS))
    at = pd.Timestamp(AS_OF) - pd.to_timedelta(np.sort(rng.uniform(0, DAYS, count))[::-1], unit="D")
    return pd.DataFrame(
        {
            "order_id": [f"o{n}" for n in range(count)],
            "customer_id": [f"c{n}" for n in rng.integers(0, 300, count)],
            "ordered_at": at.floor("us"),
            "carrier": rng.choice(["north", "south"], count),
        }
    )


def customers() -> pd.DataFrame:
    ids = [f"c{n}" for n in range(300)]
    return pd.DataFrame({"customer_id": ids, "signed_up_at": datetime(2025, 1, 1)})


def alarms(frame: pd.DataFrame) -> dict[str, Finding]:
    tables = MemoryTables({"orders": frame, "customers": customers()})
    return {f.what: f for f in source_findings(tables, AS_OF) if f.status == "alarm"}


def recent(frame: pd.DataFrame, days: float = 7) -> pd.Series:
    return frame["ordered_at"] >= pd.Timestamp(AS_OF) - pd.Timedelta(days=days)


def test_a_quiet_source_raises_no_alarm() -> None:
    assert not any(alarms(orders(rate, seed)) for rate in (1.0, 6.0, 60.0) for seed in range(8))


def test_a_source_that_stopped_is_named_with_its_last_moment() -> None:
    frame = orders()
    found = alarms(frame[~recent(frame, 3)])["orders"]
    assert found.since is not None
    assert timedelta(days=3) <= AS_OF - found.since < timedelta(days=4)
    assert "nothing for 3." in found.text
    assert found.act


def test_a_tail_that_dries_up_and_one_that_came_twice() -> None:
    frame, rng = orders(), np.random.default_rng(1)
    thin = frame[~(recent(frame) & (rng.random(len(frame)) < 0.6))]
    assert set(alarms(thin)) == {"orders level"}
    again = pd.concat([frame, frame[recent(frame)].assign(order_id=lambda f: f["order_id"] + "x")])
    assert "twice" in alarms(again)["orders level"].act


def test_a_column_that_fell_silent_and_ids_that_no_longer_meet() -> None:
    frame = orders()
    frame.loc[recent(frame), "carrier"] = None
    assert set(alarms(frame)) == {"orders.carrier"}
    frame = orders()
    frame.loc[recent(frame), "customer_id"] = "0" + frame["customer_id"]
    assert set(alarms(frame)) == {"orders without customers"}


def delivered(rate: float = 20.0, seed: int = 0) -> pd.DataFrame:
    frame = orders(rate, seed)
    days = np.random.default_rng(seed).gamma(2.0, 1.5, len(frame))
    frame["delivered_at"] = (frame["ordered_at"] + pd.to_timedelta(days, unit="D")).dt.floor("us")
    return frame


def test_deliveries_that_are_no_longer_told_while_orders_come() -> None:
    assert not any(alarms(delivered(rate, seed)) for rate in (1.0, 6.0, 60.0) for seed in range(8))
    frame = delivered()
    late = frame["delivered_at"] >= pd.Timestamp(AS_OF) - pd.Timedelta(days=4)
    gone = frame.assign(delivered_at=frame["delivered_at"].mask(late))
    (found,) = alarms(gone).values()
    assert found.what == "orders.delivered_at" and found.broken and "nothing for 4" in found.text
    tables = MemoryTables({"orders": gone, "customers": customers()})
    stopped = stopped_facts(tables, AS_OF, watermarks(tables, AS_OF))
    assert [mark.source for mark in stopped] == ["orders.delivered_at"]
    week = frame["delivered_at"] >= pd.Timestamp(AS_OF) - pd.Timedelta(days=7)
    some = frame.assign(delivered_at=frame["delivered_at"].mask(week & (frame.index % 4 > 0)))
    (found,) = alarms(some).values()
    assert found.what == "orders.delivered_at level" and found.broken
    # orders that stopped take their deliveries along: one alarm, of the orders
    assert set(alarms(frame[~recent(frame, 7)])) == {"orders"}


def test_features_are_compared_by_distribution_and_by_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    then = rng.normal(size=2000)
    assert _distance(then, rng.normal(size=2000)) < 0.1
    assert _distance(then, rng.normal(1.5, size=2000)) > 0.45
    gone = np.where(rng.random(2000) < 0.6, np.nan, then)
    assert 0.5 < _distance(then, gone) < 0.7
    assert _distance(then, np.full(2000, np.nan)) == 1.0


def test_a_calibrated_model_is_left_alone_and_an_inflated_one_is_not() -> None:
    rng = np.random.default_rng(3)
    groups = np.arange(6000) % 1500
    truth = rng.beta(1, 15, 1500)[groups]
    y = (rng.random(6000) < truth).astype(float)
    fine = judged(14, y, truth, groups, AS_OF)
    assert fine.status == "ok"
    assert fine.low < 1 < fine.high
    high = judged(14, y, np.minimum(truth * 1.8, 1), groups, AS_OF)
    assert high.status == "alarm"
    assert "observed over predicted 0.5" in high.text
    assert "base rate" in high.text
    assert judged(14, np.zeros(100), np.full(100, 0.1), groups[:100], AS_OF).status == "too early"


def test_before_labels_mature_the_monitor_says_when_it_will_know() -> None:
    predictor = SimpleNamespace(model=SimpleNamespace(horizons=(7, 14)), model_version="risk-1")
    from data.settings import Settings

    found = live_findings(
        predictor,  # type: ignore[arg-type]
        AS_OF - timedelta(days=1),
        [],
        MemoryTables({}),
        Settings(),
        AS_OF,
    )
    assert [f.status for f in found] == ["too early", "too early"]
    assert "07 June 2026" in found[0].text


def test_the_expected_ranking_is_that_of_labels_drawn_from_the_scores() -> None:
    rng = np.random.default_rng(5)
    p = rng.beta(1, 20, 40_000)
    (found,) = expected_findings(pd.DataFrame({"risk_7d": p}))
    from models.metrics import roc_auc

    assert found.value == pytest.approx(
        roc_auc((rng.random(40_000) < p).astype(float), p), abs=0.01
    )


def test_forecasts_are_judged_as_they_were_issued(tmp_path: Path) -> None:
    init(tmp_path / "w")
    rng = np.random.default_rng(2)
    hours = pd.date_range(AS_OF - timedelta(days=28), periods=28 * 24, freq="h").astype(
        "datetime64[us]"
    )
    counts = pd.DataFrame(
        {"unique_id": "total", "ds": hours, "y": rng.poisson(5.0, len(hours)) * 1.0}
    )
    with open_store(Workspace.open(tmp_path / "w")) as store:
        for back in range(4, 0, -1):
            begin = AS_OF - timedelta(weeks=back)
            ahead = pd.DataFrame({"unique_id": "total", "ds": hours[hours >= begin]})
            ahead = ahead.assign(**{"presage": 3.5, "presage-lo-80": 2.0, "presage-hi-80": 8.0})
            save_forecast(store, ahead, as_of=begin, issued_at=begin, model_version="volume-1")
        errors = issued_errors(store, counts, AS_OF, "Europe/Oslo")
    assert errors["steps"].sum() == 28 * 24
    (found,) = forecast_findings(errors)
    assert found.status == "alarm"
    assert found.value == pytest.approx(5 / 3.5 - 1, abs=0.06)
    assert "tracking signal +" in found.text
    honest = errors.assign(forecast=5.0 * errors["steps"])
    assert forecast_findings(honest)[0].status == "ok"
    assert forecast_findings(pd.DataFrame())[0].status == "too early"


def test_alarms_come_first_in_the_table() -> None:
    frame = frame_of(
        [Finding("a", "x", "ok", "fine"), Finding("b", "y", "alarm", "bad", "mend it", since=AS_OF)]
    )
    assert frame["status"].tolist() == ["alarm", "ok"]
    assert frame["since"].isna().tolist() == [False, True]
