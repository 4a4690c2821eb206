"""GET /v1/customers: whom to look at first. GET /v1/customers/{id}: all that is known of one."""

from __future__ import annotations

from typing import Any, NoReturn

import pandas as pd

from data.errors import NotEnoughHistory, did_you_mean
from data.store import READ_TEXT
from data.tables import Tables
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import cursor_at, page_size, position, whole
from serving.customer_view import customer_view, is_known
from serving.desk import Desk
from serving.items import LIFETIME, item, utc
from serving.of_customers import ReadOnce
from serving.published import earlier
from serving.ranking import Order, Ranking, Wanted

ORDERS: tuple[Order, ...] = ("risk", "value")
PAGE, MOST = 100, 1000


def rank_customers(desk: Desk, call: Call) -> Answer:
    """The published scores in order, those that the parameters ask for."""
    ranking, night = desk.live.ranking()
    horizons = night.predictor.model.horizons
    published = [h for h in horizons if f"risk_{h}d" in ranking.frame]
    wanted = _wanted(call, published, ranking)
    start, size = (
        position(call.parameters.get("after"), night.published),
        page_size(call, PAGE, MOST),
    )
    places, follows = ranking.page(wanted, start, size)
    now, as_of = desk.now(), night.published.as_of
    risk = ranking.risk(wanted.horizon)
    items = []
    for rank, at in enumerate(places, start + 1):
        who, value = ranking.ids[at], _number(ranking.value[at])
        known = ranking.segment[at] >= 0
        items.append(
            {
                **item(who, night.rows[who], published, now, night.stopped),
                "rank": rank,
                "segment": str(ranking.segments[ranking.segment[at]]) if known else None,
                "value": value,
                "value_at_risk": None if value is None else value * float(risk[at]),
                "news": desk.live.has_news(who, as_of),
            }
        )
    return Answer(
        {
            "items": items,
            "as_of": utc(as_of),
            "expires_at": utc(as_of + LIFETIME),
            "stale": now > as_of + LIFETIME or bool(night.stopped),
            "stale_sources": list(night.stopped),
            "model_version": str(night.published.about["model_version"]),
            "horizon_days": wanted.horizon,
            "next": cursor_at(night.published, start + size) if follows else None,
        }
    )


def _wanted(call: Call, horizons: list[int], ranking: Ranking) -> Wanted:
    """What the parameters ask for; Problem for what there is not."""
    values = call.parameters
    order, text = values.get("order") or "risk", values.get("horizon")
    if order not in ORDERS:
        _refuse(f"order={order!r}: there are {', '.join(ORDERS)}.{did_you_mean(order, ORDERS)}")
    horizon = horizons[len(horizons) // 2] if not text else whole(text, 10_000)
    if horizon not in horizons:
        _refuse(f"horizon={text!r}: the published scores have {', '.join(map(str, horizons))} days")
    for name, known in (("segment", ranking.segments), ("topic", ranking.topics)):
        if (value := values.get(name)) and value not in known:
            hint = did_you_mean(value, [str(one) for one in known])
            raise Problem(404, f"no-such-{name}", f"nobody scored has {name} {value!r}.{hint}")
    least = values.get("min_probability")
    try:
        probability = float(least) if least else 0.0
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        _refuse(f"min_probability={least!r}: give a number from 0 to 1")
    return Wanted(
        int(horizon or 0), order, values.get("segment") or None, values.get("topic") or None,
        probability,
    )  # fmt: skip


def _refuse(detail: str) -> NoReturn:
    raise Problem(400, "parameter", detail)


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def known_tables(desk: Desk, customer_id: str) -> Tables:
    """The customer's rows, posted ones too; 404 where there is no such customer."""
    tables = ReadOnce(desk.live.rows_of([customer_id]), frozenset({customer_id}))
    if not is_known(tables, desk.now()):
        detail = "there is no such customer; post them to /v1/events first"
        raise Problem(404, "no-such-customer", detail)
    return tables


def see_customer(desk: Desk, call: Call) -> Answer:
    """Attributes, orders, usage, tickets, consent, prediction, risk over time, outreach."""
    customer_id = call.parameters["id"]
    tables = known_tables(desk, customer_id)
    settings = desk.workspace.settings
    view = customer_view(tables, desk.store, settings, customer_id, desk.now())
    view["prediction"] = _prediction(desk, customer_id)
    view["risk_over_time"] = _past_risks(desk, customer_id)
    if READ_TEXT not in call.scopes:
        for ticket in view["tickets"]:
            if "text" in ticket:
                ticket["text"] = None
    return Answer(view)


def this_customer(call: Call) -> list[str]:
    """Whom a call with their id in its path is about."""
    return [call.parameters["id"]]


def _prediction(desk: Desk, customer_id: str) -> dict[str, Any] | None:
    """The prediction as of now; None where there is no model yet, and for a closed account."""
    try:
        (item,) = desk.live.predict([customer_id])
    except NotEnoughHistory:
        return None
    return item if item["status"] == "scored" else None


def _past_risks(desk: Desk, customer_id: str) -> list[dict[str, Any]]:
    """The customer's risk in each of the scores still kept, the oldest first."""
    items = []
    state_dir = desk.workspace.state_dir
    for frame in earlier(state_dir, "scores", "customer_id", customer_id, _of_past):
        row = frame.iloc[0]
        risks = {c[5:-1]: float(row[c]) for c in frame.columns if c.startswith("risk_")}
        as_of = pd.Timestamp(row["as_of"]).isoformat() + "Z"
        items.append({"as_of": as_of, "risk": risks, "model_version": str(row["model_version"])})
    return items


def _of_past(column: str) -> bool:
    return column.startswith("risk_") or column in ("as_of", "model_version")
