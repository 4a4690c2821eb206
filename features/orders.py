"""What orders tell: how often and how much, and how the promises about them were kept.

>>> from features.orders import ORDER_FEATURES
>>> "orders_overdue_now" in [feature.name for feature in ORDER_FEATURES]
True
"""

from __future__ import annotations

from features.expression import Minus
from features.language import (
    age,
    count,
    distinct,
    due,
    gap,
    largest,
    last,
    mean,
    now,
    overdue_ratio,
    rate,
    share,
    since_first,
    since_last,
    total,
    total_age,
    trend,
    until_next,
    worth,
)
from features.predicate import Compare, Past
from features.sources import ITEMS, ORDERS

CANCELLED = Past(ORDERS["cancelled_at"])
RETURNED = Past(ORDERS["returned_at"])
LATE = Compare(">", ORDERS["delivered_at"], ORDERS["promised_at"]).named("late")
ENDS = ("delivered_at", "cancelled_at", "returned_at", "refunded_at")
UNSHIPPED = ("shipped_at", *ENDS)
LATENESS = Minus(ORDERS["delivered_at"], ORDERS["promised_at"], "lateness")
DELIVERY = Minus(ORDERS["delivered_at"], ORDERS["ordered_at"], "delivery_time")

OPEN = now(ORDERS, until=ENDS, label="open")
OVERDUE = now(ORDERS, since="promised_at", until=ENDS, label="overdue")
OPEN_AGE = age(ORDERS, until=ENDS, label="open")
USUAL_DELIVERY = mean(ORDERS, DELIVERY, since="delivered_at", days=180)

ORDER_FEATURES = (
    *(count(ORDERS, days=days) for days in (1, 3, 7, 14, 28, 56, 90, 180, 365)),
    count(ORDERS),
    since_last(ORDERS),
    since_first(ORDERS),
    gap(ORDERS),
    overdue_ratio(ORDERS),
    trend(count(ORDERS, days=28), count(ORDERS, days=180)),
    *(total(ORDERS, "amount", days=days) for days in (7, 28, 90, 365)),
    mean(ORDERS, "amount", days=365),
    last(ORDERS, "amount"),
    largest(ORDERS, "amount", days=14),
    largest(ORDERS, "amount", days=28),
    rate(last(ORDERS, "amount"), mean(ORDERS, "amount", days=365), "orders_amount_last_over_mean"),
    total(ORDERS, "quantity", days=28),
    mean(ORDERS, "quantity", days=365),
    last(ORDERS, "quantity"),
    distinct(ORDERS, "product_category", days=90),
    last(ORDERS, "product_category"),
    last(ORDERS, "carrier"),
    # promises
    OPEN,
    OPEN_AGE,
    USUAL_DELIVERY,
    rate(OPEN_AGE, USUAL_DELIVERY, "orders_open_age_over_usual"),
    OVERDUE,
    rate(OVERDUE, OPEN, "orders_overdue_share_now"),
    age(ORDERS, since="promised_at", until=ENDS, label="overdue"),
    total_age(ORDERS, since="promised_at", until=ENDS, label="overdue", at_most=7),
    total_age(ORDERS, since="promised_at", until=ENDS, label="overdue_a_day", at_most=1),
    worth(ORDERS, "amount", since="promised_at", until=ENDS, label="overdue"),
    until_next(ORDERS, at="promised_at", until=ENDS, days=90),
    now(ORDERS, until=UNSHIPPED, label="unshipped", where=Past(ORDERS["promised_at"])),
    *(
        due(ORDERS, at="promised_at", until=ENDS, days=days, label="due")
        for days in (1, 2, 3, 5, 7)
    ),
    now(ORDERS, until=UNSHIPPED, label="not_shipped"),
    *(
        due(ORDERS, at="promised_at", until=UNSHIPPED, days=days, label="unshipped_due")
        for days in (2, 4)
    ),
    *(count(ORDERS, where=LATE, since="delivered_at", days=days) for days in (3, 5, 7, 28, 90)),
    share(ORDERS, of=LATE, since="delivered_at", days=180),
    mean(ORDERS, LATENESS, since="delivered_at", days=90),
    largest(ORDERS, LATENESS, since="delivered_at", days=90),
    last(ORDERS, LATENESS),
    since_last(ORDERS, since="delivered_at"),
    total(ORDERS, LATENESS, where=LATE, since="delivered_at"),
    *(count(ORDERS, since="delivered_at", days=days) for days in (3, 7, 14, 21, 30)),
    *(count(ORDERS, where=CANCELLED, days=days) for days in (28, 90, 365)),
    share(ORDERS, of=CANCELLED, days=365),
    *(count(ORDERS, where=RETURNED, days=days) for days in (28, 90, 365)),
    since_last(ORDERS, since="returned_at"),
    since_last(ORDERS, since="refunded_at"),
    total(ORDERS, "refund_amount", since="last_refund_at", days=90),
    now(ORDERS, since="returned_at", until="refunded_at", label="awaiting_refund"),
    age(ORDERS, since="returned_at", until="refunded_at", label="awaiting_refund"),
)

ITEM_FEATURES = (
    count(ITEMS, days=28),
    count(ITEMS, days=365),
    distinct(ITEMS, "product_id", days=28),
    distinct(ITEMS, "product_id", days=90),
    distinct(ITEMS, "product_id", days=365),
    largest(ITEMS, "quantity", days=28),
    largest(ITEMS, "amount", days=28),
    mean(ITEMS, "quantity", days=90),
    mean(ITEMS, "amount", days=90),
)
