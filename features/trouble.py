"""Whether what a customer holds, or waits for, is in trouble: bad lots, routes that stand still.

Nobody says so. Returns and complaints of all who hold a lot do, days before this holder's own; so
do the orders of a route (carrier and region) that should have arrived by now, days before promises
break. Each is a chance by Bayes' rule, added up over what the customer has.

>>> from data.settings import Complaint
>>> from features.complaint import complaint_predicate
>>> names = [feature.name for feature in trouble_features(complaint_predicate(Complaint()))]
>>> "held_21d_lot_trouble_sum" in names, "overdue_route_trouble_4d_sum" in names
(True, True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.context import ORDERS_OF_CUSTOMERS
from features.expression import Joint, Key, Minus, Period
from features.language import (
    count,
    distinct,
    elevated,
    now,
    of_all,
    of_each,
    plus,
    rate,
    shrunk_rate,
    times,
    total,
    total_age,
)
from features.lengths import DAY
from features.orders import ENDS, UNSHIPPED
from features.predicate import Compare, In, Predicate
from features.sources import CUSTOMERS, ORDERS, TICKETS, TICKETS_OF_ORDERS, Source
from features.spec import Feature

LOT = "half_month"
"""A product that was shipped in one of these is taken to be of one lot."""
PERIODS_OF_GOODS = ("week", "half_month")
"""Goods of one kind ordered in one of these share their faults."""
BAD_LOTS = 0.02
"""The share of lots that give trouble, before anything is seen of one."""
HELD = 21
"""Days for which an item is new to who holds it: most of what is wrong with it shows then."""
BAD_ROUTES = 0.02
"""The share of routes that stand still, before anything is seen of one."""
STANDING = 0.05
"""Deliveries of a route that stands still, as a share of the usual."""
SEEN_DAYS = 4
"""A route is judged by so many days: fewer say too little, more hide that it has just begun."""
TRANSIT = Minus(ORDERS["delivered_at"], ORDERS["shipped_at"], "transit")


def trouble_features(
    complaint: Predicate,
    time_zone: str = "UTC",
    goods: Sequence[str] = (),
    tickets: Source = TICKETS_OF_ORDERS,
) -> tuple[Feature, ...]:
    """The features of goods, lots and routes, given which tickets are complaints, which topics are
    about the goods (features/goods.py), and ``tickets`` beside the order that they are about; days
    are of ``time_zone``."""
    return (
        *_goods(complaint, goods, time_zone, tickets),
        *_lots(complaint, goods, time_zone, tickets),
        *_routes(),
    )


def _goods(
    complaint: Predicate, goods: Sequence[str], time_zone: str, tickets: Source
) -> tuple[Feature, ...]:
    """What others complain of who were delivered goods of the same product or category: of late,
    and ordered in the same week or half month, since what is bad is bad for a while."""
    if goods:
        about: Predicate = complaint & In(TICKETS["topic"], tuple(goods))
    else:
        held = Minus(TICKETS["opened_at"], ORDERS["delivered_at"], "held")
        about = complaint & Compare("<=", held, float(7 * DAY)) & Compare(">", held, 0.0)
    about = about.named("about_goods")

    def per_delivery(by: Key, name: str, days: int | None = None) -> Feature:
        """Complaints per delivery, drawn to those of all goods."""

        def both(by: Key | str, days: int | None) -> tuple[Feature, Feature]:
            return (
                count(tickets, where=about, days=days, by=by),
                count(ORDERS, since="delivered_at", days=days, by=by),
            )

        usual = of_all(rate(*both("", days or 90), "usual"))
        return shrunk_rate(*both(by, days), usual, 5.0, f"{name}_goods_complaints_per_delivery")

    features = []
    for key in ("product_id", "product_category"):
        group = key.removesuffix("_id").removeprefix("product_")
        for length in PERIODS_OF_GOODS:
            lot = Joint((ORDERS[key], Period(ORDERS["ordered_at"], length, time_zone)), "lot")
            of_lot = per_delivery(lot, f"{group}_of_{length}")
            for days in (3, 7, 14):
                rows = distinct(ORDERS, lot, since="delivered_at", days=days)
                features.append(of_each(of_lot, rows, "sum", f"held_{days}d_"))
            features.append(of_each(of_lot, distinct(ORDERS, lot, until=ENDS), "sum", "open_"))
        lately = per_delivery(ORDERS[key], f"{group}_28d", 28)
        for days in (7, 14):
            rows = distinct(ORDERS, key, since="delivered_at", days=days)
            features.append(of_each(lately, rows, "sum", f"held_{days}d_"))
        features.append(of_each(lately, distinct(ORDERS, key, until=ENDS), "sum", "open_"))
    return tuple(features)


def _lots(
    complaint: Predicate, goods: Sequence[str], time_zone: str, tickets: Source
) -> tuple[Feature, ...]:
    """Whether what a customer holds, or is about to get, is of a lot that gives others trouble."""
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
        return distinct(tickets, "customer_id", where=about, by=by)

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
    features = []
    for days in (7, 14, HELD):
        lots_held = distinct(
            ORDERS, shipped, since="delivered_at", days=days, until=("returned_at", "refunded_at")
        )
        features.append(of_each(trouble, lots_held, "sum", f"held_{days}d_"))
    under_way = distinct(ORDERS, shipped, since="shipped_at", until=ENDS)
    # what has not been shipped will be of the lot that is shipped now
    unshipped = distinct(ORDERS, ordered, until=UNSHIPPED)
    return (
        *features,
        of_each(trouble, under_way, "sum", "under_way_"),
        of_each(trouble, unshipped, "sum", "unshipped_"),
        of_each(trouble, distinct(ORDERS, shipped, since="delivered_at"), "sum", "ever_"),
    )


def _routes() -> tuple[Feature, ...]:
    """Whether orders still arrive where theirs must pass."""
    route = Joint((ORDERS["carrier"], CUSTOMERS["region"]), "route")
    source = ORDERS_OF_CUSTOMERS
    waiting = now(source, since="shipped_at", until=ENDS, label="under_way", by=route)
    arrived = count(source, since="delivered_at", days=2, by=route)
    share = rate(waiting, plus(arrived, waiting, "both"), "share").named(
        "route_under_way_share_2d", "share of a route's orders that did not arrive within 2 days"
    )
    trouble = _standing(route)
    of_customer = {
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
        of_each(share, of_customer["open"], "largest", "open_"),
        times(late, of_each(trouble, of_customer["overdue"], "mean"), "standing").named(
            "orders_overdue_age_standing_days",
            "days by which orders are overdue on routes that stand still",
        ),
        *(
            of_each(of, orders, "sum", f"{which}_")
            for which, orders in of_customer.items()
            for of in (share, trouble)
        ),
    )


def _standing(route: Joint) -> Feature:
    """The chance that a route stands still: orders under way that should have arrived."""
    source = ORDERS_OF_CUSTOMERS
    arrivals = count(source, since="delivered_at", days=SEEN_DAYS, by=route)
    waited = total_age(
        source, since="shipped_at", until=ENDS, label="under_way", at_most=SEEN_DAYS, by=route
    )

    def delivered(by: Joint | str) -> tuple[Feature, Feature]:
        """How many of late, and the days that they were under way."""
        deliveries = count(source, since="delivered_at", days=56, by=by)
        return deliveries, total(source, TRANSIT, since="delivered_at", days=56, by=by)

    of_everybody = of_all(rate(*delivered(""), "a_day"))
    usual = shrunk_rate(*delivered(route), of_everybody, 20.0, "usual")
    # the day of a delivery is a day on which it could come, too
    evidence = (arrivals, plus(waited, arrivals, "exposure"), usual, STANDING)
    return elevated((evidence,), BAD_ROUTES, "standing").named(
        f"route_trouble_{SEEN_DAYS}d",
        f"chance that a route stands still, by what arrived within {SEEN_DAYS} days "
        "and what should have",
    )
