"""What happened to others: often the best sign of what will happen to this one.

The same language keyed by region, product, category, platform or carrier, and looked up for the
group that the customer belongs to, or for the products that he has bought of late.

>>> from data.settings import Complaint
>>> from features.complaint import complaint_predicate
>>> names = [feature.name for feature in context_features(complaint_predicate(Complaint()))]
>>> "region_orders_overdue_share_now" in names
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.expression import Joint, Period
from features.language import (
    count,
    customer,
    distinct,
    elevated,
    last,
    mean,
    now,
    of,
    of_all,
    of_each,
    plus,
    rate,
    shrunk_rate,
    times,
    total,
    total_age,
    trend,
)
from features.orders import ENDS, LATE
from features.predicate import Compare, In, Predicate
from features.sources import CUSTOMERS, ITEMS, ORDERS, TICKETS, TICKETS_OF_ORDERS, USAGE, Source
from features.spec import Feature
from features.tickets import FIRST_RESPONSE
from features.usage import PAYMENT_FAILED

ORDERS_OF_CUSTOMERS = ORDERS.with_customer()
USAGE_OF_CUSTOMERS = USAGE.with_customer()
TICKETS_OF_CUSTOMERS = TICKETS.with_customer()
LOT = "half_month"
"""A product that was shipped in one of these is taken to be of one lot."""
BAD_LOTS = 0.02
"""The share of lots that give trouble, before anything is seen of one."""
HELD = 21
"""Days for which an item is new to who holds it: most of what is wrong with it shows then."""


def _deliveries(source: Source, by: str, link: Feature, prefix: str) -> tuple[Feature, ...]:
    """How the deliveries of a region or a carrier stand."""
    late = count(source, where=LATE, since="delivered_at", days=7, by=by)
    done = count(source, since="delivered_at", days=7, by=by)
    usual_late = count(source, where=LATE, since="delivered_at", days=90, by=by)
    usual = count(source, since="delivered_at", days=90, by=by)
    overdue = now(source, since="promised_at", until=ENDS, label="overdue", by=by)
    still_open = now(source, until=ENDS, label="open", by=by)
    return (
        of(rate(overdue, still_open, f"{prefix}_orders_overdue_share_now"), link),
        of(rate(late, done, f"{prefix}_orders_late_share_7d"), link),
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


def _complaints_per_order(complaint: Predicate, days: int, label: str) -> Feature:
    """A product's complaints per order, drawn to that of all products."""
    return shrunk_rate(
        count(TICKETS, where=complaint, days=days, by="product_id"),
        count(ITEMS, days=days, by="product_id"),
        of_all(
            rate(
                count(TICKETS, where=complaint, days=days, by=""),
                count(ITEMS, days=days, by=""),
                "complaints_per_item",
            )
        ),
        20.0,
        label,
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
    done = count(ORDERS, since="delivered_at", days=days, by=by)
    group = by.removesuffix("_id").removeprefix("product_")
    return rate(late, done, f"{group}_orders_late_share_{days}d")


def _lots(complaint: Predicate, goods: Sequence[str], time_zone: str) -> tuple[Feature, ...]:
    """Whether what he holds, or is about to get, is of a lot that gives others trouble."""
    shipped, ordered = (
        Joint((ORDERS["product_id"], Period(ORDERS[time], LOT, time_zone)), "lot")
        for time in ("shipped_at", "ordered_at")
    )
    about: Predicate = Compare(">", TICKETS["opened_at"], ORDERS["delivered_at"])
    if goods:
        about = about & In(TICKETS["topic"], tuple(goods))
    else:  # a complaint about what came late is about that
        about = about & Compare("<=", ORDERS["delivered_at"], ORDERS["promised_at"])
    about = (complaint & about).named("about_goods")

    def returns(by: Joint | str) -> Feature:
        return count(ORDERS, since="returned_at", by=by)

    def complainers(by: Joint | str) -> Feature:
        return distinct(TICKETS_OF_ORDERS, "customer_id", where=about, by=by)

    def evidence(
        of: Callable[[Joint | str], Feature], raised: float
    ) -> tuple[Feature, Feature, Feature, float]:
        """Of trouble above the usual, over the days for which items were held."""
        held, every = (
            total_age(ORDERS, since="delivered_at", label="held", at_most=HELD, by=by)
            for by in (shipped, "")
        )
        return of(shipped), held, of_all(rate(of(""), every, "usual")), raised

    kinds = (evidence(returns, 15.0), evidence(complainers, 30.0))
    trouble = elevated(kinds, BAD_LOTS, "lot_trouble").named(
        "lot_trouble", "chance of a bad lot, by returns and complaints of all who hold it"
    )
    found = []
    for days in (7, 14, HELD):
        his = distinct(
            ORDERS, shipped, since="delivered_at", days=days, until=("returned_at", "refunded_at")
        )
        found.append(of_each(trouble, his, "sum", f"held_{days}d_"))
    under_way = distinct(ORDERS, shipped, since="shipped_at", until=ENDS)
    # what has not been shipped will be of the lot that is shipped now
    unshipped = distinct(ORDERS, ordered, until=("shipped_at", *ENDS))
    return (
        *found,
        of_each(trouble, under_way, "sum", "under_way_"),
        of_each(trouble, unshipped, "sum", "unshipped_"),
        of_each(trouble, distinct(ORDERS, shipped, since="delivered_at"), "sum", "ever_"),
    )


def _routes() -> tuple[Feature, ...]:
    """Whether orders still arrive where his must pass, carrier and region: of those that were
    under way in the last days, the share that still is, added up over his."""
    route = Joint((ORDERS["carrier"], CUSTOMERS["region"]), "route")
    source = ORDERS_OF_CUSTOMERS
    waiting = now(source, since="shipped_at", until=ENDS, label="under_way", by=route)
    arrived = count(source, since="delivered_at", days=2, by=route)
    share = rate(waiting, plus(arrived, waiting, "both"), "share").named(
        "route_under_way_share_2d", "share of a route's orders that did not arrive within 2 days"
    )
    stuck = times(share, times(share, share, "square"), "stuck").named(
        "route_stuck_2d", "how much a route stands still (share of orders not arrived, cubed)"
    )
    orders = {
        "open": distinct(source, route, until=ENDS),
        "overdue": distinct(source, route, since="promised_at", until=ENDS),
        **{
            f"due_{days}d": distinct(
                source, route, since="promised_at", until=ENDS, ahead_days=days
            )
            for days in (3, 7)
        },
    }
    late = total_age(ORDERS, since="promised_at", until=ENDS, label="overdue", at_most=7)
    return (
        of_each(share, orders["open"], "largest", "open_"),
        times(late, of_each(stuck, orders["overdue"], "mean"), "stuck").named(
            "orders_overdue_age_stuck_days", "days by which orders are overdue on routes that stand"
        ),
        *(
            of_each(of, his, "sum", f"{which}_")
            for which, his in orders.items()
            for of in (share, stuck)
        ),
    )


def context_features(
    complaint: Predicate, time_zone: str = "UTC", goods: Sequence[str] = ()
) -> tuple[Feature, ...]:
    """The features of groups, given which tickets are complaints and which topics are about the
    goods (features/goods.py); days are of ``time_zone``."""
    region = customer(CUSTOMERS["region"])
    platform = customer(CUSTOMERS["platform"])
    plan = customer(CUSTOMERS["plan"])
    carrier = last(ORDERS, "carrier")
    category = last(ORDERS, "product_category")
    product = last(ORDERS, "product_id")
    bought = distinct(ITEMS, "product_id", days=28)
    carriers = distinct(ORDERS, "carrier", until=ENDS)
    awaited = distinct(ORDERS, "product_id", until=ENDS)
    orders_in_category = count(ORDERS, days=28, by="product_category")
    complaints_in_category = count(
        TICKETS_OF_ORDERS, where=complaint, days=28, by="product_category"
    )
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
        of_each(_complaints_per_order(complaint, 28, "product_complaints_per_item_28d"), bought),
        of_each(
            _complaints_per_order(complaint, 28, "product_complaints_per_item_28d"),
            bought,
            "largest",
        ),
        of_each(_complaints_per_order(complaint, 180, "product_complaints_per_item_180d"), bought),
        of_each(
            _complaints_per_order(complaint, 28, "product_complaints_per_item_28d"),
            distinct(ITEMS, "product_id", days=60),
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
        # what he is waiting for
        of_each(_late_share("carrier", 7), carriers, "largest", "open_"),
        of_each(_late_share("product_id", 28), awaited, "largest", "open_"),
        of_each(
            _complaints_per_order(complaint, 28, "product_complaints_per_item_28d"),
            awaited,
            "largest",
            "open_",
        ),
        *_lots(complaint, goods, time_zone),
        *_routes(),
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
        # errors that he is to meet if he goes on as usual
        *(
            times(
                count(USAGE, days=28),
                of(
                    rate(
                        total(USAGE_OF_CUSTOMERS, "errors", days=days, by="platform"),
                        count(USAGE_OF_CUSTOMERS, days=days, by="platform"),
                        "errors_per_use",
                    ),
                    platform,
                ),
                f"usage_errors_expected_28d_as_in_{days}d",
            )
            for days in (1, 3)
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
