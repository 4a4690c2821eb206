"""A reason names the rows behind it: those of the customer, as known at the time, newest first."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from data.tables import MemoryTables
from models.risk.evidence import rows_behind, with_rows

ORDERS = pd.DataFrame(
    {
        "order_id": ["late", "later", "done", "soon", "other"],
        "customer_id": ["a", "a", "a", "a", "b"],
        "ordered_at": ["2026-01-01", "2026-01-02", "2026-01-01", "2026-01-06", "2026-01-01"],
        "promised_at": ["2026-01-03", "2026-01-07", "2026-01-03", "2026-01-20", "2026-01-04"],
        "delivered_at": [None, None, "2026-01-09", None, None],
    }
)
TICKETS = pd.DataFrame(
    {
        "ticket_id": ["t1", "t2"],
        "customer_id": ["a", "a"],
        "opened_at": ["2026-01-04", "2026-01-12"],
        "channel": ["email", "email"],
        "resolved_at": ["2026-01-30", None],
    }
)
TABLES = MemoryTables({"orders": ORDERS, "tickets": TICKETS})


def test_overdue_orders_are_named_with_their_days() -> None:
    found = rows_behind(TABLES, datetime(2026, 1, 10), ["a"])
    assert found[("a", "orders_overdue")] == ["later: 3 days late", "late: 7 days late"]
    assert found[("a", "orders_open")] == ["soon", "later", "late"]
    assert found[("a", "orders_late_delivered")] == ["done"]
    assert ("b", "orders_overdue") not in found
    today = rows_behind(TABLES, datetime(2026, 1, 7, 12), ["a"])
    assert today[("a", "orders_overdue")][0] == "later: due today"


def test_what_was_not_known_at_the_time_is_not_told() -> None:
    found = rows_behind(TABLES, datetime(2026, 1, 8), ["a", "b"])
    assert ("a", "orders_late_delivered") not in found  # delivered the day after
    assert found[("a", "orders_overdue")][-1] == "done: 5 days late"
    assert found[("a", "tickets_open")] == ["t1"]  # t2 is of later; t1 not yet resolved


def test_only_the_text_of_a_reason_changes_and_in_its_language() -> None:
    behind = rows_behind(TABLES, datetime(2026, 1, 10), ["a"], "no")
    reasons = [
        {"feature": "orders_overdue_now", "value": 2.0, "text": "2 ordrer", "contribution": 1.0},
        {"feature": "usage_count_7d", "value": 2.0, "text": "2 bruk", "contribution": 0.5},
    ]
    first, second = with_rows(reasons, "a", behind)
    assert first["text"] == "2 ordrer (later: 3 dager forsinket, late: 7 dager forsinket)"
    assert {**first, "text": ""} == {**reasons[0], "text": ""}
    assert second == reasons[1]
