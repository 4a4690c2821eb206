"""Everything known of one customer: what happened, how they were served, what we foretold and did.

The tables are read as of now, so nothing shows that was not known; beside them stands what the
store holds: consent, past forecasts of their risk, outreach and what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data.contract import table
from data.settings import ServiceLevel, Settings
from data.store import Store, actions_of, messages_of, outcomes_of
from data.tables import Tables
from features.asof import as_of_view
from features.opening import hours_of, open_seconds
from serving.outreach.consent import WORDS, consent_now
from serving.records import records

MOST_ROWS = 200
SIGHTED_IN = ("orders", "usage", "tickets")


def is_known(own: Tables, now: datetime) -> bool:
    """Whether there is (or was) the customer whose rows these are; without a customers table: seen
    anywhere."""
    places = ("customers",) if own.has("customers") else SIGHTED_IN
    return any(len(as_of_view(own, n, now, ["customer_id"])) for n in places if own.has(n))


def customer_view(
    own: Tables, store: Store, settings: Settings, customer_id: str, now: datetime
) -> dict[str, Any]:
    """The view of a known customer, whose rows ``own`` are: JSON-able, without prediction and risk
    over time."""
    attributes: dict[str, Any] = {}
    if own.has("customers"):
        row = records(as_of_view(own, "customers", now))
        hidden = {"customer_id", "recorded_at", *WORDS}
        attributes = {k: v for k, v in row[0].items() if k not in hidden}
    actions = actions_of(store, customer_id=customer_id)
    ids = [action["decision_id"] for action in actions]
    outcomes = outcomes_of(store, ids)
    states = {m.decision_id: m.status for m in messages_of(store, decision_ids=ids)} if ids else {}
    return {
        "customer_id": customer_id,
        "as_of": now.isoformat() + "Z",
        "attributes": attributes,
        "consent": consent_state(own, store, customer_id, now),
        "orders": _orders(own, now),
        "usage": _usage(own, now),
        "tickets": _tickets(own, settings, now),
        "outreach": [
            {
                **told_action(action),
                "state": states.get(action["decision_id"]),
                "outcomes": [
                    {"outcome": word, "at": at.isoformat() + "Z"}
                    for word, at in outcomes[action["decision_id"]]
                ],
            }
            for action in actions
        ],
    }


def consent_state(
    tables: Tables, store: Store, customer_id: str, now: datetime
) -> dict[str, str | bool | None]:
    """The consent that holds: the newest word said to us, else what the customers table says."""
    known = consent_now(tables, store, [customer_id], now).iloc[0]
    answers = {name: None if pd.isna(known[name]) else bool(known[name]) for name in WORDS}
    return {"customer_id": customer_id, **answers}


def told_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """A logged decision to act as the API tells it."""
    names = ("customer_id", "arm", "propensity", "action", "channel", "risk", "uplift", "value")
    return {
        "outreach_id": action["decision_id"],
        "as_of": f"{action['as_of']}Z",
        **{name: action[name] for name in names},
        "reason": action["reason"],
        "message": action.get("message"),
    }


def _newest(own: Tables, name: str, now: datetime) -> pd.DataFrame:
    birth = table(name).birth
    assert birth is not None
    view = as_of_view(own, name, now).drop(columns=["customer_id", "recorded_at"])
    return view.sort_values(birth, ascending=False, kind="stable").head(MOST_ROWS)


def _orders(own: Tables, now: datetime) -> list[dict[str, Any]]:
    if not own.has("orders"):
        return []
    orders = records(_newest(own, "orders", now))
    if own.has("order_items"):
        items = as_of_view(own, "order_items", now).drop(columns="recorded_at")
        by_order: dict[str, list[dict[str, Any]]] = {}
        for item in records(items):
            by_order.setdefault(item.pop("order_id"), []).append(item)
        for order in orders:
            order["items"] = by_order.get(order["order_id"], [])
    return orders


def _usage(own: Tables, now: datetime) -> list[dict[str, Any]]:
    if not own.has("usage"):
        return []
    rows = as_of_view(own, "usage", now, ["feature", "used_at", "quantity", "errors"])
    rows = rows.assign(uses=rows["quantity"].fillna(1.0), errors=rows["errors"].fillna(0.0))
    recent = rows["used_at"] >= now - pd.Timedelta(days=28)
    rows["uses_28d"] = rows["uses"].where(recent, 0.0)
    summary = rows.groupby("feature").agg(
        uses=("uses", "sum"),
        errors=("errors", "sum"),
        uses_28d=("uses_28d", "sum"),
        last_at=("used_at", "max"),
    )
    return records(summary.sort_values("uses", ascending=False).reset_index())


def _tickets(own: Tables, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    if not own.has("tickets"):
        return []
    view = _newest(own, "tickets", now)
    items = records(view)
    for ticket, row in zip(items, view.itertuples(), strict=True):
        level = settings.service_levels.get(row.channel)
        answered = row.first_response_at if pd.notna(row.first_response_at) else row.resolved_at
        ticket["waited_seconds"] = ticket["response_state"] = ticket["resolution_state"] = None
        if level is not None:
            waited = _elapsed(row.opened_at, answered, row.channel, level, settings, now)
            solving = _elapsed(row.opened_at, row.resolved_at, row.channel, level, settings, now)
            ticket["waited_seconds"] = waited
            ticket["response_state"] = _state(waited, level.target_seconds, pd.notna(answered))
            ticket["resolution_state"] = _state(
                solving, level.resolution_seconds, pd.notna(row.resolved_at)
            )
    return items


def _elapsed(
    start: pd.Timestamp,
    end: pd.Timestamp | None,
    channel: str,
    level: ServiceLevel,
    settings: Settings,
    now: datetime,
) -> float:
    """Seconds from ``start`` to ``end`` (or now), those that the level's clock counts."""
    until = pd.Timestamp(now) if pd.isna(end) else end
    seconds = max((until - start).total_seconds(), 0.0)
    begin = np.array([start, until], "datetime64[us]")
    hours = hours_of(settings, channel, begin)
    if level.clock == "calendar" or hours is None or seconds == 0:
        return seconds
    return float(open_seconds(begin[:1], seconds, hours, settings.company.time_zone)[0])


def _state(seconds: float, allowed: float | None, over: bool) -> str | None:
    if allowed is None:
        return None
    in_time = seconds <= allowed
    if over:
        return "met" if in_time else "missed"
    return "open" if in_time else "late"
