"""The logistic regression that stands in for a refused model is a model like any other."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughHistory
from data.settings import Settings
from data.tables import MemoryTables
from features.compute import compute
from features.spine import customers_at
from models.metrics import average_precision
from models.risk.fallback import Fallback, fall_back
from models.risk.model import load_risk
from models.risk.standin import COLUMNS

START = datetime(2026, 1, 1)
DAYS = 150
NOW = START + timedelta(days=DAYS)
REFUSED = NotEnoughHistory("the model was refused")


def world(customers: int = 250) -> MemoryTables:
    """Who waits for an overdue order complains; nobody else does much."""
    rng = np.random.default_rng(1)
    count = customers * DAYS // 15
    orders = pd.DataFrame({"order_id": np.arange(count).astype(str)})
    orders["customer_id"] = [f"c{at}" for at in rng.integers(0, customers, count)]
    days = rng.uniform(0, DAYS, count)
    taken = np.where(rng.random(count) < 0.15, rng.uniform(8, 25, count), 3.0)

    def at(day: np.ndarray) -> pd.Series:
        return pd.Series(pd.Timestamp(START) + pd.to_timedelta(day, unit="D"))

    orders = orders.assign(
        ordered_at=at(days), promised_at=at(days + 5), delivered_at=at(days + taken)
    )
    complain = np.flatnonzero((taken > 5) & (rng.random(count) < 0.6))
    asked = rng.integers(0, customers, count // 5)
    tickets = pd.DataFrame(
        {
            "customer_id": [*orders["customer_id"].iloc[complain], *(f"c{x}" for x in asked)],
            "opened_at": [
                *at(days[complain] + rng.uniform(5, taken[complain])),
                *at(rng.uniform(0, DAYS, len(asked))),
            ],
            "is_complaint": [True] * len(complain) + [False] * len(asked),
        }
    )
    tickets = tickets[tickets["opened_at"] < NOW].assign(channel="email", topic="delivery")
    tickets["ticket_id"] = np.arange(len(tickets)).astype(str)
    everybody = pd.DataFrame(
        {"customer_id": [f"c{x}" for x in range(customers)], "signed_up_at": START}
    )
    orders = orders[orders["ordered_at"] < NOW]
    return MemoryTables({"customers": everybody, "orders": orders, "tickets": tickets})


@pytest.fixture(scope="module")
def found() -> Fallback:
    return fall_back(
        world(), NOW, (7, 14), Settings(), REFUSED, why="it stands in", kind="logistic"
    )


def test_it_ranks_by_what_is_overdue_and_says_so(found: Fallback, tmp_path: Path) -> None:
    model = found.learn()
    assert model.rule_because == "it stands in" and "logistic" in found.called
    features = compute(found.view, customers_at(world(), [NOW]), world())
    told = model.predict(features)
    risk = told["risk_7d"].to_numpy()
    overdue = features["orders_overdue_now"].to_numpy() > 0
    assert risk[overdue].mean() > 3 * risk[~overdue].mean() > 0
    assert (told["risk_14d"] >= told["risk_7d"]).all() and (told["topic"] == "delivery").all()
    assert (told["expected_tickets_30d"] >= told["risk_14d"]).all()
    riskiest = model.reasons(features.iloc[[int(risk.argmax())]], horizon=7)[0]
    assert riskiest[0]["feature"].startswith(("orders_open", "orders_overdue"))
    assert "order" in riskiest[0]["text"]
    amounts, base = model.explain(features, 7)
    np.testing.assert_allclose(base + amounts.sum(axis=1), np.log(risk / (1 - risk)))

    model.save(tmp_path / "bundle")
    again = load_risk(tmp_path / "bundle").predict(features)
    pd.testing.assert_frame_equal(again, told, check_exact=True)


def test_it_ranks_better_than_the_rule_where_orders_are_the_cause(found: Fallback) -> None:
    from dataclasses import replace

    logistic, rule = (replace(found, kind=kind).learn() for kind in ("logistic", "rule"))
    features, labels = found.rows.features, found.rows.labels
    known = labels["label_7d"].notna().to_numpy()
    y = labels["label_7d"].to_numpy()[known]
    own, other = (
        average_precision(y, model.predict(features[known])["risk_7d"])
        for model in (logistic, rule)
    )
    assert own > 1.5 * other


def test_its_view_has_what_the_tables_can_tell_and_needs_no_model_view(found: Fallback) -> None:
    names = set(found.view.names)
    assert {"orders_open_now", "orders_overdue_age_days", "orders_late_delivered_count_28d"} < names
    assert not {"usage_count_7d", "orders_amount_sum_90d"} & names  # no such table, no such column
    assert names <= {*COLUMNS, "tickets_open_now", "tickets_resolved_since_last_days",
                     "tickets_topic_last", "tickets_channel_last"}  # fmt: skip


def test_too_few_complaints_are_refused() -> None:
    few = fall_back(
        world(6), NOW, (7, 14), Settings(), REFUSED, why="it stands in", kind="logistic"
    )
    with pytest.raises(NotEnoughHistory, match="customers are needed"):
        few.learn()
