"""The features that any company has first: recency, frequency, the state of orders and tickets.

A regression on these few has little to see, so little to get wrong: where complaints are few it is
the best part of a model (models/risk/fit.py), and where none passes the gate it stands in
(models/risk/standin.py).

>>> COLUMNS[:2]
('tickets_complaint_since_last_days', 'tickets_complaint_count')
"""

from __future__ import annotations

WINDOWS = {
    "tickets_complaint": (7, 28, 90, 365),
    "tickets": (7, 28, 90, 365),
    "orders": (7, 28, 90, 365),
    "usage": (7, 28, 90),
}
COLUMNS = (
    "tickets_complaint_since_last_days",
    "tickets_complaint_count",
    "customers_since_first_days",
    *(f"{of}_since_last_days" for of in WINDOWS if of != "tickets_complaint"),
    *(f"{of}_count_{days}d" for of, windows in WINDOWS.items() for days in windows),
    "tickets_open_now",
    "tickets_open_age_days",
    "tickets_unanswered_now",
    "tickets_unanswered_age_days",
    "orders_open_now",
    "orders_open_age_days",
    "orders_overdue_now",
    "orders_overdue_age_days",
    "orders_delivered_count_7d",
    "orders_late_delivered_count_28d",
    "orders_late_delivered_count_90d",
    "orders_amount_sum_90d",
    "usage_errors_sum_7d",
    "usage_errors_sum_28d",
    "usage_payment_failed_count_28d",
)
"""Features by name, the rule's two first."""
