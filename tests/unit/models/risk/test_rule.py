"""Where there is too little to learn from, the shrunk rule answers soundly, and says what it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from data.errors import DataError, NotEnoughHistory
from data.settings import Complaint, Risk, Settings
from data.tables import MemoryTables
from features.compute import compute
from features.spine import customers_at
from models.risk.backtest import backtest_risk
from models.risk.enough import days_until_enough
from models.risk.fallback import Fallback, fall_back
from models.risk.model import RiskModel, load_risk
from models.risk.rule import shrunk
from models.risk.settings import RiskSettings

START = datetime(2026, 1, 1)
HORIZONS = (7, 14, 30)
FEW = NotEnoughHistory("7-day risk: 9 rows are missing")


def company(
    customers: int = 30, days: int = 60, of: str = "tickets", complain: bool = True
) -> MemoryTables:
    """Customer i writes every ``5 + i`` days; every second ticket of the first third complains."""
    rows = [
        {
            "ticket_id": f"{i}-{day}",
            "customer_id": f"c{i}",
            "opened_at": START + timedelta(days=day, hours=9),
            "channel": "email" if i % 2 else "chat",
            "topic": "billing" if i % 3 else "delivery",
            "is_complaint": complain and i < customers / 3 + 1 and (day // (5 + i)) % 2 == 0,
        }
        for i in range(customers)
        for day in range(i % 5, days, 5 + i)
    ]
    frames = {"tickets": pd.DataFrame(rows)}
    frames["customers"] = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(customers)], "signed_up_at": START}
    )
    other = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(customers)] * 2,
            "at": [START] * customers + [START + timedelta(days=days // 2)] * customers,
        }
    )
    other["id"] = [str(at) for at in range(len(other))]
    if of == "orders":
        frames["orders"] = other.rename(columns={"at": "ordered_at", "id": "order_id"})
    elif of == "usage":
        frames["usage"] = other.rename(columns={"at": "used_at", "id": "event_id"}).assign(
            feature="search"
        )
    return MemoryTables(frames)


def rule_of(tables: MemoryTables, as_of: datetime) -> tuple[Fallback, RiskModel]:
    found = fall_back(tables, as_of, HORIZONS, Settings(), FEW)
    return found, found.learn()


def told(found: Fallback, model: RiskModel, tables: MemoryTables) -> pd.DataFrame:
    now = compute(found.view, customers_at(tables, [found.rows.known_as_of]), tables)
    return pd.concat([now, model.predict(now)], axis=1)


@pytest.mark.parametrize("of", ["tickets", "orders", "usage"])
@pytest.mark.parametrize(("customers", "days"), [(3, 60), (30, 60), (30, 12), (30, 5), (1, 40)])
def test_it_answers_everybody_soundly(of: str, customers: int, days: int) -> None:
    tables = company(customers, days, of)
    found, model = rule_of(tables, START + timedelta(days=days))
    rows = told(found, model, tables)
    risk = rows[["risk_7d", "risk_14d", "risk_30d"]].to_numpy()
    assert len(rows) == customers
    assert ((risk > 0) & (risk < 1)).all() and (np.diff(risk, axis=1) >= 0).all()
    assert (rows["expected_tickets_30d"] >= rows["risk_30d"]).all()
    assert (rows["contact_30d"] >= rows["risk_30d"]).all() and (rows["contact_30d"] <= 1).all()
    assert rows["topic"].isin(["billing", "delivery"]).all()
    assert rows["channel"].isin(["email", "chat"]).all()


def test_reasons_add_up_to_the_log_odds() -> None:
    tables = company()
    found, model = rule_of(tables, START + timedelta(days=60))
    rows = told(found, model, tables)
    for horizon in HORIZONS:
        _, base = model.explain(rows, horizon)
        said = model.reasons(rows, None, horizon=horizon)
        totals = [sum(reason["contribution"] for reason in reasons) for reasons in said]
        assert base + totals == pytest.approx(logit(rows[f"risk_{horizon}d"]), abs=1e-9)
        assert any(reasons for reasons in said)


def test_who_complained_lately_and_often_is_riskier() -> None:
    tables = company(customers=60, days=90)
    found, model = rule_of(tables, START + timedelta(days=90))
    rows = told(found, model, tables)
    never = rows["tickets_complaint_since_last_days"].isna()
    assert rows.loc[~never, "risk_14d"].mean() > 1.5 * rows.loc[never, "risk_14d"].mean()


def test_topics_are_those_of_complaints_shrunk_to_all_contacts() -> None:
    tables = company()
    _, model = rule_of(tables, START + timedelta(days=60))
    tickets = tables.frame("tickets")
    of_all = (tickets["topic"] == "billing").mean()
    complaints = tickets[tickets["is_complaint"].astype(bool)]
    expected = ((complaints["topic"] == "billing").sum() + 20 * of_all) / (len(complaints) + 20)
    assert model.topic is not None
    assert dict(zip(model.topic.values, model.topic.shares, strict=True))["billing"] == (
        pytest.approx(expected)
    )


def test_saved_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    tables = company()
    found, model = rule_of(tables, START + timedelta(days=60))
    model.save(tmp_path / "rule")
    loaded = load_risk(tmp_path / "rule")
    pd.testing.assert_frame_equal(
        told(found, loaded, tables), told(found, model, tables), check_exact=True
    )
    assert loaded.rule_because == found.why and "9 rows are missing" in found.why


def test_no_rate_is_made_up() -> None:
    tables = company(customers=3, complain=False)
    with pytest.raises(NotEnoughHistory, match="one class only"):
        rule_of(tables, START + timedelta(days=60))
    everybody = company(customers=3).frame("tickets").assign(is_complaint=True)
    days = [START + timedelta(days=at, hours=1) for at in range(60)]
    everybody = pd.DataFrame({"opened_at": days}).assign(
        ticket_id=[str(at) for at in range(60)], customer_id="c0", channel="email",
        is_complaint=True,
    )  # fmt: skip
    with pytest.raises(DataError, match="nobody to tell complainers from"):
        rule_of(MemoryTables({"tickets": everybody}), START + timedelta(days=59))
    orders = company(of="orders").frame("orders")
    with pytest.raises(NotEnoughHistory, match="9 rows are missing"):
        rule_of(MemoryTables({"orders": orders}), START + timedelta(days=60))


def test_few_rows_say_little_and_many_say_what_they_are() -> None:
    recency = np.array([1.0, np.nan, np.nan, np.nan])
    frequency = np.array([1.0, 0.0, 0.0, 0.0])
    y = np.array([1.0, 0.0, 0.0, 0.0])
    few = shrunk(recency, frequency, y)
    assert few.base == pytest.approx(1.5 / 5)
    assert few.base < few.cells[0, 1] < 0.5
    many = shrunk(np.tile(recency, 1000), np.tile(frequency, 1000), np.tile(y, 1000))
    assert many.cells[0, 1] > 0.95 and many.cells[-1, 0] < 0.01


def test_it_says_by_when_there_will_be_enough_and_then_there_is() -> None:
    """At the pace so far; customers who wait for nothing are told so."""
    labels = pd.DataFrame(
        {
            "customer_id": [f"c{at}" for at in range(100)] * 2,
            "as_of": [START] * 100 + [START + timedelta(days=7)] * 100,
            "label_7d": [1.0] * 5 + [0.0] * 95 + [0.0] * 5 + [1.0] * 5 + [0.0] * 90,
        }
    )
    days = days_until_enough(labels, 28.0, 7, RiskSettings())
    # 40 complaints at 5 a week are 8 times; a week to the last label, a week that judges, and a
    # quarter of it all to look back on
    assert days == pytest.approx((7 * 7 + 14) / 0.75 - 28)
    assert days_until_enough(labels.assign(label_7d=0.0), 28.0, 7, RiskSettings()) is None
    assert days_until_enough(labels[labels["customer_id"] < "c10"], 28, 7, RiskSettings()) is None


def test_a_cutoff_with_too_little_history_uses_the_rule_and_says_so() -> None:
    tables, warned = company(customers=40, days=90), []
    cutoffs = [START + timedelta(days=20), START + timedelta(days=60)]
    frame = backtest_risk(tables, cutoffs, HORIZONS, Settings(risk=Risk()), warn=warned.append)
    assert (frame["model"] == "rule").all() and set(frame["cutoff"]) == set(cutoffs)
    assert [line.partition(": ")[0] for line in warned] == [f"cutoff {at}" for at in cutoffs]
    assert "too little history" in warned[0]
    numbers = frame[[c for c in frame if c.startswith(("risk_", "rule_", "logistic_"))]]
    assert np.isfinite(numbers.to_numpy()).all()
    with pytest.raises(NotEnoughHistory, match="cutoff 2026-01-02"):
        backtest_risk(tables, [datetime(2026, 1, 2)], HORIZONS, Settings())


def test_the_rule_of_complaints_decides_for_it_too() -> None:
    unstated = company().frame("tickets").assign(is_complaint=None)
    tables = MemoryTables({"tickets": unstated})
    case = Settings(complaint=Complaint(topics=("delivery",)))
    found = fall_back(tables, START + timedelta(days=60), HORIZONS, case, FEW)
    delivery = set(unstated.loc[unstated["topic"] == "delivery", "customer_id"])
    features = found.rows.features
    complained = features[features["tickets_complaint_count"] > 0]
    assert len(complained) and set(complained["customer_id"]) <= delivery
    topic = found.learn().topic
    assert topic is not None and topic.values[0] == "delivery"
