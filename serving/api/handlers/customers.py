"""GET /v1/customers/{id}: all that is known of one customer, in one answer."""

from __future__ import annotations

from typing import Any

import pandas as pd

from data.errors import NotEnoughHistory
from data.tables import Tables
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.customer_view import customer_view, is_known
from serving.desk import Desk
from serving.published import earlier


def known_tables(desk: Desk, customer_id: str) -> Tables:
    """The customer's rows, posted ones too; 404 where there is no such customer."""
    tables = desk.live.rows_of([customer_id])
    if not is_known(tables, customer_id, desk.now()):
        told = f"there is no customer {customer_id!r}; post them to /v1/events first"
        raise Problem(404, "no-such-customer", told)
    return tables


def see_customer(desk: Desk, call: Call) -> Answer:
    """Attributes, orders, usage, tickets, consent, prediction, risk over time, outreach."""
    customer_id = call.parameters["id"]
    tables = known_tables(desk, customer_id)
    settings = desk.workspace.settings
    view = customer_view(tables, desk.store, settings, customer_id, desk.now())
    view["prediction"] = _prediction(desk, customer_id)
    view["risk_over_time"] = _past_risks(desk, customer_id)
    return Answer(view)


def _prediction(desk: Desk, customer_id: str) -> dict[str, Any] | None:
    """The prediction as of now; None where there is no model yet, and for a closed account."""
    try:
        (item,) = desk.live.predict([customer_id])
    except NotEnoughHistory:
        return None
    return item if item["status"] == "scored" else None


def _past_risks(desk: Desk, customer_id: str) -> list[dict[str, Any]]:
    """The customer's risk in each of the scores still kept, the oldest first."""
    told = []
    for frame in earlier(desk.workspace.state_dir, "scores", "customer_id", customer_id):
        row = frame.iloc[0]
        risks = {c[5:-1]: float(row[c]) for c in frame.columns if c.startswith("risk_")}
        as_of = pd.Timestamp(row["as_of"]).isoformat() + "Z"
        told.append({"as_of": as_of, "risk": risks, "model_version": str(row["model_version"])})
    return told
