"""What happened to others: often the best sign of what will happen to this one.

The same language keyed by region, product, category, platform or carrier, and looked up for the
group that the customer belongs to, or for the products that they have bought of late.

>>> from data.settings import Complaint
>>> from features.complaint import complaint_predicate
>>> names = [feature.name for feature in context_features(complaint_predicate(Complaint()))]
>>> "region_orders_overdue_share_now" in names
True
"""

from __future__ import annotations

from features.language import (
    count,
    customer,
    distinct,
    last,
    mean,
    now,
    of,
    of_all,
    of_each,
    rate,
    shrunk_rate,
    total,
    trend,
)
from features.orders import ENDS, LATE
from features.predicate import Predicate
from features.sources import CUSTOMERS, ITEMS, ORDERS, TICKETS, TICKETS_OF_ORDERS, USAGE, Source
from features.spec import Feature
from features.tickets import FIRST_RESPONSE
from features.usage import PAYMENT_FAILED

ORDERS_OF_CUSTOMERS = ORDERS.with_customer()
USAGE_OF_CUSTOMERS = USAGE.with_customer()
TICKETS_OF_CUSTOMERS = TICKETS.with_customer()


def _deliveries(source: Source, by: str, link: Feature, prefix: str) -> tuple[Feature, ...]:
    """How the deliveries of a region or a carrier stand."""
    late = count(source, where=LATE, since="delivered_at", days=7, by=by)
    all_lately = count(source, since="delivered_at", days=7, by=by)
    usual_late = count(source, where=LATE, since="delivered_at", days=90, by=by)
    usual = count(source, since="delivered_at", days=90, by=by)
    overdue = now(source, since="promised_at", until=ENDS, label="overdue", by=by)
    still_open = now(source, until=ENDS, label="open", by=by)
    return (
        of(rate(overdue, still_open, f"{prefix}_orders_overdue_share_now"), link),
        of(rate(late, all_lately, f"{prefix}_orders_late_share_7d"), link),
        of(rate(usual_late, usual, f"{prefix}_orders_late_share_90d"), link),
    )


def _trend(source: Source, by: str, link: Feature, complaint: Predicate, prefix: str) -> Feature:
    """A group's complaints against what is usual for it."""
    recent = count(source, where=complaint, days=7, by=by)
    usual = count(source, where=complaint, days=90, by=by)
    return of(trend(recent, usual).named(f"{prefix}_tickets_complaint_trend_7d"), link)


def _per_customer(by: str, link: Feature, complaint: Predicate) -> tuple[Feature, ...]:
    """Complaints per customer of a group: a rate, since mere counts would tell the date."""
    month = count(TICKETS_OF_CUSTOMERS, where=complaint, days=28, by=by)
    name = f"{by}_tickets_complaint_per_customer_28d"
    return (
        of(rate(month, count(CUSTOMERS, by=by), name), link),
        _trend(TICKETS_OF_CUSTOMERS, by, link, complaint, by),
    )


def _complaints_per_item(complaint: Predicate, items: Source, days: int) -> Feature:
    """A product's complaints per item sold, drawn to that of all products."""
    return shrunk_rate(
        count(TICKETS, where=complaint, days=days, by="product_id"),
        count(items, days=days, by="product_id"),
        of_all(
            rate(
                count(TICKETS, where=complaint, days=days, by=""),
                count(items, days=days, by=""),
                "complaints_per_item",
            )
        ),
        20.0,
        f"product_complaints_per_item_{days}d",
    )


def _queue(link: Feature, prefix: str) -> tuple[Feature, ...]:
    """How long a channel takes to answer, against what it usually takes, and its backlog."""
    ends = ("first_response_at", "resolved_at")
    waiting = now(TICKETS, until=ends, label="unanswered", by="channel")
    week = count(TICKETS, days=7, by="channel")
    answer, usual = (
        mean(TICKETS, FIRST_RESPONSE, since="first_response_at", days=days, by="channel")
        for days in (7, 56)
    )
    return (
        of(rate(waiting, week, f"{prefix}_tickets_unanswered_per_ticket_now"), link),
        of(rate(answer, usual, f"{prefix}_first_response_over_usual_7d"), link),
    )


def _late_share(by: str, days: int) -> Feature:
    """How often a group's deliveries were late."""
    late = count(ORDERS, where=LATE, since="delivered_at", days=days, by=by)
    deliveries = count(ORDERS, since="delivered_at", days=days, by=by)
    group = by.removesuffix("_id").removeprefix("product_")
    return rate(late, deliveries, f"{group}_orders_late_share_{days}d")


def context_features(
    complaint: Predicate, items: Source = ITEMS, tickets: Source = TICKETS_OF_ORDERS
) -> tuple[Feature, ...]:
    """The features of groups, given which tickets are complaints, which rows tell what was
    bought (``items``, or orders where these name their one product), and ``tickets`` beside the
    order that they are about."""
    region = customer(CUSTOMERS["region"])
    platform = customer(CUSTOMERS["platform"])
    plan = customer(CUSTOMERS["plan"])
    carrier = last(ORDERS, "carrier")
    category = last(ORDERS, "product_category")
    product = last(ORDERS, "product_id")
    bought = distinct(items, "product_id", days=28)
    carriers = distinct(ORDERS, "carrier", until=ENDS)
    awaited = distinct(ORDERS, "product_id", until=ENDS)
    orders_in_category = count(ORDERS, days=28, by="product_category")
    complaints_in_category = count(tickets, where=complaint, days=28, by=ORDERS["product_category"])
    errors = total(USAGE_OF_CUSTOMERS, "errors", days=3, by="platform")
    return (
        *_deliveries(ORDERS_OF_CUSTOMERS, "region", region, "region"),
        *_deliveries(ORDERS, "carrier", carrier, "carrier"),
        *_per_customer("region", region, complaint),
        *_per_customer("platform", platform, complaint),
        *_per_customer("plan", plan, complaint),
        _trend(TICKETS, "product_id", product, complaint, "product"),
        _trend(TICKETS, "product_id", last(TICKETS, "product_id"), complaint, "ticket_product"),
        _trend(TICKETS, "topic", last(TICKETS, "topic"), complaint, "ticket_topic"),
        of_each(_complaints_per_item(complaint, items, 28), bought),
        of_each(
            _complaints_per_item(complaint, items, 28),
            bought,
            "largest",
        ),
        of_each(_complaints_per_item(complaint, items, 180), bought),
        of_each(
            _complaints_per_item(complaint, items, 28),
            distinct(items, "product_id", days=60),
            "largest",
            "lately_",
        ),
        of(
            rate(
                count(ORDERS, since="returned_at", days=60, by="product_id"),
                count(ORDERS, days=60, by="product_id"),
                "product_orders_returned_share_60d",
            ),
            product,
        ),
        of(
            rate(
                count(ORDERS, since="returned_at", days=60, by="product_category"),
                count(ORDERS, days=60, by="product_category"),
                "category_orders_returned_share_60d",
            ),
            category,
        ),
        # what they are waiting for
        of_each(_late_share("carrier", 7), carriers, "largest", "open_"),
        of_each(_late_share("product_id", 28), awaited, "largest", "open_"),
        of_each(
            _complaints_per_item(complaint, items, 28),
            awaited,
            "largest",
            "open_",
        ),
        of(_late_share("product_category", 28), category),
        of(
            rate(complaints_in_category, orders_in_category, "category_complaints_per_order_28d"),
            category,
        ),
        *_queue(last(TICKETS, "channel"), "channel"),
        *_queue(customer(CUSTOMERS["preferred_channel"]), "preferred_channel"),
        of(
            rate(
                errors,
                count(USAGE_OF_CUSTOMERS, days=3, by="platform"),
                "platform_errors_per_use_3d",
            ),
            platform,
        ),
        of(
            trend(errors, total(USAGE_OF_CUSTOMERS, "errors", days=28, by="platform")).named(
                "platform_errors_trend_3d"
            ),
            platform,
        ),
        of_all(
            trend(
                count(TICKETS, where=complaint, days=1, by=""),
                count(TICKETS, where=complaint, days=28, by=""),
            ).named("all_complaint_trend_1d")
        ),
        of_all(
            trend(
                count(TICKETS, where=complaint, days=7, by=""),
                count(TICKETS, where=complaint, days=56, by=""),
            ).named("all_complaint_trend_7d")
        ),
        of_all(
            trend(count(ORDERS, days=7, by=""), count(ORDERS, days=56, by="")).named(
                "all_orders_trend_7d"
            )
        ),
        of_all(
            trend(
                count(USAGE, where=PAYMENT_FAILED, days=3, by=""),
                count(USAGE, where=PAYMENT_FAILED, days=28, by=""),
            ).named("all_payment_failed_trend_3d")
        ),
    )
