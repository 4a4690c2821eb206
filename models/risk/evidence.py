"""The rows behind a reason: which order is late, which ticket is open, as known at the time.

A model sees counts; an agent wants to open the order. For subjects that are about single rows, the
rows of the customer that fit, newest first, are named in the reason's text, as known at T and by
the rules that the features count by.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["o-1"], "customer_id": ["a"], "ordered_at": ["2026-01-01"],
...                        "promised_at": ["2026-01-05"]})
>>> found = rows_behind(MemoryTables({"orders": orders}), datetime(2026, 1, 8), ["a"])
>>> found[("a", "orders_overdue")]
['o-1: 3 days late']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from data.tables import Tables
from features.asof import as_of_view
from features.orders import ENDS
from models.risk.lexicon import FORMS
from models.risk.words import subject

MOST = 3
"""Rows that a reason names at most."""

Fits = Callable[[pd.DataFrame, pd.Timestamp], pd.Series]


def _still(frame: pd.DataFrame, *ends: str) -> pd.Series:
    return frame[list(ends)].isna().all(axis=1)


BEHIND: Mapping[str, tuple[str, Fits]] = {
    "orders_overdue": (
        "orders",
        lambda rows, t: (rows["promised_at"] < t) & _still(rows, *ENDS),
    ),
    "orders_open": ("orders", lambda rows, t: _still(rows, *ENDS)),
    "orders_unshipped": (
        "orders",
        lambda rows, t: (rows["promised_at"] < t) & _still(rows, "shipped_at", *ENDS),
    ),
    "orders_late_delivered": ("orders", lambda rows, t: rows["delivered_at"] > rows["promised_at"]),
    "orders_returned": ("orders", lambda rows, t: rows["returned_at"].notna()),
    "tickets_open": ("tickets", lambda rows, t: _still(rows, "resolved_at")),
    "tickets_unanswered": (
        "tickets",
        lambda rows, t: _still(rows, "first_response_at", "resolved_at"),
    ),
    "tickets_reopened": ("tickets", lambda rows, t: rows["reopened_at"].notna()),
}
"""Subject → the table, and which of its rows (as known at T) the subject is about."""

COLUMNS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "orders": ("order_id", "ordered_at", ("promised_at", "shipped_at", *ENDS)),
    "tickets": ("ticket_id", "opened_at", ("first_response_at", "resolved_at", "reopened_at")),
}
"""Table → its key, its birth, and the times that decide."""


def rows_behind(
    tables: Tables, as_of: datetime, customers: Sequence[str], language: str = "en"
) -> dict[tuple[str, str], list[str]]:
    """Per customer and subject the rows, newest first, ``MOST`` at most; none, no entry.

    An overdue order says how many whole days it is late.
    """
    found: dict[tuple[str, str], list[str]] = {}
    moment = pd.Timestamp(as_of)
    for name, (key, birth, times) in COLUMNS.items():
        if not tables.has(name):
            continue
        rows = as_of_view(tables, name, as_of, [key, "customer_id", birth, *times])
        rows = rows[rows["customer_id"].isin(list(customers))]
        rows = rows.sort_values([birth, key], ascending=False, kind="stable")
        for of, (table, fits) in BEHIND.items():
            if table != name:
                continue
            few = rows[fits(rows, moment)].groupby("customer_id").head(MOST)
            for row in few.to_dict("records"):
                told = str(row[key])
                if of == "orders_overdue":
                    days = (moment - row["promised_at"]).days
                    late = FORMS[language]["late" if days else "today"].format(days)
                    told = f"{told}: {late}"
                found.setdefault((str(row["customer_id"]), of), []).append(told)
    return found


def with_rows(
    reasons: Sequence[dict[str, Any]],
    customer: str,
    behind: Mapping[tuple[str, str], Sequence[str]],
) -> list[dict[str, Any]]:
    """The reasons with the rows behind each at the end of its text; all else as it was."""
    out = []
    for reason in reasons:
        rows = behind.get((customer, subject(str(reason["feature"]))))
        text = f"{reason['text']} ({', '.join(rows)})" if rows else reason["text"]
        out.append({**reason, "text": text})
    return out
