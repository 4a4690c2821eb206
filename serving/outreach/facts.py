"""What an action's text is about: the customer's late order, product or article, as then known.

A new promise is not invented. By the date that we name, ``SHARE`` of the orders of the last half
year had arrived that were at least as late as this one; with fewer than ``LEAST`` such orders there
is no date, and the text is refused for the variable that it lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Bools
from data.errors import DataError
from data.settings import Settings
from data.tables import Tables
from features.asof import as_of_view
from serving.of_customers import OfCustomers
from serving.outreach.actions import FACTS
from serving.outreach.texts import Message, render

SHARE = 0.8
LEAST = 20
LATE_SINCE = timedelta(days=182)
DAY = pd.Timedelta(days=1)


def messages(
    tables: Tables, settings: Settings, rows: Sequence[Mapping[str, Any]], as_of: datetime
) -> tuple[list[Message | None], list[str]]:
    """The text of each decision (``customer_id, action, channel, topic``), None where a variable of
    it is not known, and why: one line each."""
    ids = frozenset(str(row["customer_id"]) for row in rows)
    own = OfCustomers(tables, ids)
    people = as_of_view(own, "customers", as_of, ["customer_id", "name", "language"])
    known = people.set_index("customer_id")
    orders = _orders(own, tables, as_of)
    articles = _articles(tables, as_of)
    texts: list[Message | None] = []
    missing = []
    for row in rows:
        customer = str(row["customer_id"])
        person = (
            known.loc[customer] if customer in known.index else {"name": None, "language": None}
        )
        language = None if pd.isna(person["language"]) else str(person["language"])
        values = {
            "name": None if pd.isna(person["name"]) else str(person["name"]),
            **orders.get(customer, {}),
            "article": articles.get(str(row.get("topic"))),
            "credit": settings.outreach.credit,
        }
        try:
            texts.append(
                render(row["action"], row["channel"], language, values, settings.company.currency)
            )
        except DataError as error:
            texts.append(None)
            missing.append(f"{customer}: {error}")
    return texts, missing


def known_facts(
    tables: Tables, ids: Sequence[str], topics: Sequence[Any], as_of: datetime
) -> dict[str, Bools]:
    """By name of ``FACTS`` whether it is so of each customer (n,).

    Where the tables cannot tell (no orders, no articles) it is taken to be so: whoever carries the
    contact out looks.
    """
    facts = {name: np.ones(len(ids), dtype=bool) for name in FACTS}
    people = pd.Index(ids, dtype=object)
    if tables.has("orders"):
        columns = ["customer_id", "promised_at", "delivered_at", "cancelled_at", "product_category"]
        orders = as_of_view(tables, "orders", as_of, columns)
        if orders["promised_at"].notna().any():
            facts["late_order"] = people.isin(orders.loc[_late(orders, as_of), "customer_id"])
        if orders["product_category"].notna().any():
            has = orders["product_category"].notna()
            facts["product"] = people.isin(orders.loc[has, "customer_id"])
    if tables.has("articles"):
        known = list(_articles(tables, as_of))
        facts["article"] = pd.Index(topics, dtype=object).isin(known)
    return facts


def _late(orders: pd.DataFrame, as_of: datetime) -> pd.Series:
    return (
        orders["delivered_at"].isna()
        & orders["cancelled_at"].isna()
        & (orders["promised_at"] < as_of).fillna(False)
    )


def _orders(own: Tables, tables: Tables, as_of: datetime) -> dict[str, dict[str, Any]]:
    """Per customer the order that is most overdue, its days, a new date; the newest product."""
    columns = ["order_id", "customer_id", "ordered_at", "promised_at", "delivered_at",
               "cancelled_at", "product_category"]  # fmt: skip
    if not own.has("orders"):
        return {}
    orders = as_of_view(own, "orders", as_of, columns)
    facts: dict[str, dict[str, Any]] = {}
    newest = orders[orders["product_category"].notna()].sort_values("ordered_at", kind="stable")
    for row in newest.drop_duplicates("customer_id", keep="last").itertuples():
        facts.setdefault(row.customer_id, {})["product"] = str(row.product_category)
    late = orders[_late(orders, as_of)].sort_values(["promised_at", "order_id"], kind="stable")
    if late.empty:
        return facts
    past = as_of_view(tables, "orders", as_of, ["promised_at", "delivered_at", "ordered_at"])
    past = past[past["ordered_at"] >= as_of - LATE_SINCE]
    lateness = ((past["delivered_at"] - past["promised_at"]) / DAY).dropna().to_numpy(np.float64)
    for row in late.drop_duplicates("customer_id").itertuples():
        days = (pd.Timestamp(as_of) - row.promised_at) / DAY
        own_facts = facts.setdefault(row.customer_id, {})
        own_facts |= {"order": str(row.order_id), "days_late": max(1, int(days))}
        as_late = lateness[lateness >= days]
        if len(as_late) >= LEAST:
            ahead = float(np.quantile(as_late, SHARE)) - days
            own_facts["new_date"] = (as_of + timedelta(days=int(np.ceil(max(ahead, 1.0))))).date()
    return facts


def _articles(tables: Tables, as_of: datetime) -> dict[str, str]:
    """The title of each topic's newest article that stands."""
    if not tables.has("articles"):
        return {}
    view = as_of_view(tables, "articles", as_of, ["topic", "title", "published_at", "retired_at"])
    view = view[view["retired_at"].isna() & view["title"].notna()]
    view = view.sort_values("published_at", kind="stable").drop_duplicates("topic", keep="last")
    return dict(zip(view["topic"], view["title"], strict=True))
