"""Lots, routes and what is added up: each word on a history that can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.errors import DefinitionError
from data.tables import MemoryTables
from features.ahead import ahead_features
from features.compute import compute
from features.expression import Joint, Period
from features.goods import goods_topics
from features.language import (
    count,
    decayed,
    distinct,
    elevated,
    last,
    now,
    of,
    of_all,
    of_each,
    plus,
    rate,
    still_active,
    times,
    total,
    total_age,
)
from features.sources import ORDERS, TICKETS, TICKETS_AFTER_ORDERS, USAGE
from features.spec import Feature, FeatureView

LOT = Joint((ORDERS["product_id"], Period(ORDERS["shipped_at"], "half_month")), "lot")


def at(day: str) -> pd.Timestamp:
    return pd.Timestamp(f"2026-{day}")


@pytest.fixture
def tables() -> MemoryTables:
    """Three lots: p shipped in early and in late May, q in early May; one order not shipped."""
    orders = pd.DataFrame(
        [
            ("1", "a", "p", "05-01", "05-15", "05-17", "05-20"),
            ("2", "b", "p", "05-01", "05-16", "05-18", None),
            ("3", "b", "p", "05-02", "05-14", "05-16", None),
            ("4", "c", "q", "05-02", "05-14", None, None),
            ("5", "c", "p", "05-20", None, None, None),
        ],
        columns=["order_id", "customer_id", "product_id", "ordered_at", "shipped_at",
                 "delivered_at", "returned_at"],
    )  # fmt: skip
    for column in ("ordered_at", "shipped_at", "delivered_at", "returned_at"):
        orders[column] = pd.to_datetime("2026-" + orders[column].astype("str").where(
            orders[column].notna()), errors="coerce")  # fmt: skip
    usage = pd.DataFrame(
        {"event_id": ["1", "2"], "customer_id": ["a", "a"], "feature": ["f", "f"],
         "used_at": [at("05-20 12:00"), at("05-10")], "errors": [2.0, 8.0]}
    )  # fmt: skip
    return MemoryTables({"orders": orders, "usage": usage})


def values(tables: MemoryTables, feature: Feature, day: str) -> list[float]:
    spine = pd.DataFrame({"customer_id": ["a", "b", "c"], "as_of": at(day)})
    frame = compute(FeatureView((feature.named("f"),)), spine, tables)
    return frame["f"].tolist()


def held(**more: object) -> Feature:
    return distinct(ORDERS, LOT, since="delivered_at", **more)  # type: ignore[arg-type]


def test_a_lot_is_the_product_and_the_half_month(tables: MemoryTables) -> None:
    shipped = count(ORDERS, by=LOT)
    # a's order 1 and b's order 3 are of one lot, b's order 2 of another
    assert values(tables, of_each(shipped, held(), "largest"), "06-01")[:2] == [2.0, 2.0]
    assert values(tables, of_each(shipped, held(), "sum"), "06-01") == [2.0, 3.0, 0.0]
    assert values(tables, held(), "06-01") == [1.0, 2.0, 0.0]


def test_a_row_counts_in_a_group_once_its_group_is_known(tables: MemoryTables) -> None:
    everywhere = of_each(count(ORDERS, by=LOT), distinct(ORDERS, LOT), "sum")
    assert values(tables, everywhere, "05-14") == [0.0, 0.0, 0.0]  # nothing was shipped
    assert values(tables, everywhere, "05-15") == [0.0, 1.0, 1.0]
    # order 1 was shipped on the 15th at midnight: known after it
    assert values(tables, everywhere, "05-15 00:00:01") == [2.0, 2.0, 1.0]


def test_ages_are_added_up_to_their_limit(tables: MemoryTables) -> None:
    waiting = total_age(
        ORDERS, since="shipped_at", until="delivered_at", label="under_way", at_most=10
    )
    assert values(tables, waiting, "05-17") == [2.0, 1.0, 3.0]
    assert values(tables, waiting, "05-30") == [0.0, 0.0, 10.0]
    every = total_age(ORDERS, label="old", at_most=10)
    assert values(tables, every, "05-06") == [5.0, 9.0, 4.0]


def test_a_decayed_sum_halves(tables: MemoryTables) -> None:
    soon, later = (
        values(tables, decayed(total(USAGE, "errors"), 2), day)[0] for day in ("05-21", "05-23")
    )
    assert 1.5 < soon < 2.0 and later == pytest.approx(soon / 2, rel=0.2)
    assert values(tables, decayed(total(USAGE, "errors"), 2), "06-20")[0] == 0.0


def test_trouble_raises_the_chance_of_a_bad_lot(tables: MemoryTables) -> None:
    returns: Callable[..., Feature] = lambda by: count(ORDERS, since="returned_at", by=by)  # noqa: E731
    days = [
        total_age(ORDERS, since="delivered_at", label="held", at_most=21, by=by) for by in (LOT, "")
    ]
    usual = of_all(rate(returns(""), days[1], "usual"))
    bad = elevated([(returns(LOT), days[0], usual, 3.0)], 0.02, "bad")
    a, b, c = values(tables, of_each(bad, held(), "largest"), "05-21")
    # a's lot was held for 4 + 5 days and has the one return of 12 days, b's other one for 3 days
    prior = np.log(0.02 / 0.98)
    odds = [prior + np.log(3) - 2 * 9 / 12, prior - 2 * 3 / 12]
    chances = [1 / (1 + np.exp(-value)) for value in odds]
    assert a == pytest.approx(chances[0], rel=1e-5)
    assert b == pytest.approx(max(chances), rel=1e-5)
    assert np.isnan(c)
    assert values(tables, of_each(bad, held(), "sum"), "05-21")[1] == pytest.approx(sum(chances))


def test_what_does_not_come_raises_the_chance_that_a_route_stands(tables: MemoryTables) -> None:
    came = count(ORDERS, since="delivered_at", days=4, by="product_id")
    waited = total_age(
        ORDERS,
        since="shipped_at",
        until="delivered_at",
        label="on",
        at_most=4,
        by="product_id",
    )
    usual = of_all(rate(count(ORDERS, by=""), count(ORDERS, by=""), "one"))
    standing = elevated([(came, plus(waited, came, "e"), usual, 0.1)], 0.02, "standing")
    a, b, c = values(tables, of_each(standing, distinct(ORDERS, "product_id"), "largest"), "05-19")
    prior = np.log(0.02 / 0.98)
    moving, still = prior + 3 * np.log(0.1) + 0.9 * 3, prior + 0.9 * 4
    assert [a, b] == pytest.approx([1 / (1 + np.exp(-moving))] * 2, rel=1e-5)  # p: three came
    assert c == pytest.approx(1 / (1 + np.exp(-still)), rel=1e-5)  # q: one waits since the 14th


def test_who_is_silent_for_longer_than_his_pace_is_probably_gone() -> None:
    days = pd.date_range("2026-03-01", "2026-04-29", freq="D")
    often = pd.DataFrame({"customer_id": "a", "used_at": days})
    seldom = pd.DataFrame({"customer_id": "b", "used_at": days[[0, 20, 40, 59]]})
    usage = pd.concat([often, seldom], ignore_index=True)
    usage = usage.assign(event_id=usage.index.astype("str"), feature="f")
    customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "signed_up_at": at("03-01")})
    both = MemoryTables({"customers": customers, "usage": usage})
    active = still_active(USAGE, days=90)
    a, b, c = values(both, active, "05-10")
    assert a < 0.05 and b > 0.7 and np.isnan(c)
    odds = np.log(0.93 / 0.07) - 11 * (4 + 14 * 0.1) / (70 + 14)
    assert b == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-5)
    assert values(both, active, "04-30")[0] > a  # not silent yet


def test_an_announced_release_meets_who_uses_the_platform() -> None:
    customers = pd.DataFrame(
        {"customer_id": ["a", "b", "c"], "signed_up_at": at("03-01"),
         "platform": ["ios", "web", "ios"]}
    )  # fmt: skip
    usage = pd.DataFrame(
        {"event_id": ["1", "2", "3"], "customer_id": ["a", "a", "b"], "feature": "f",
         "used_at": [at("05-06"), at("05-09"), at("05-09")]}
    )  # fmt: skip
    calendar = pd.DataFrame(
        {"event_id": ["r", "s"], "name": ["5.0", "sale"], "kind": ["release", "campaign"],
         "announced_at": [at("05-04")] * 2, "starts_at": [at("05-14")] * 2,
         "ends_at": [at("05-14")] * 2, "platform": ["ios", "web"]}
    )  # fmt: skip
    tables = MemoryTables({"customers": customers, "usage": usage, "calendar": calendar})
    [release] = [f for f in ahead_features() if f.name == "usage_release_next_7d"]
    [active] = [f for f in ahead_features() if f.name == "usage_still_active_90d"]
    a, b, c = values(tables, release, "05-10")
    assert a == pytest.approx(2 * values(tables, active, "05-10")[0], rel=1e-6)
    assert not b and not c > 0  # a campaign on the web; nobody who uses nothing meets a release
    assert values(tables, release, "05-06 12:00")[0] == 0.0  # more than 7 days ahead


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Joint((ORDERS["product_id"],), "lot"), "takes two or more"),
        (lambda: Joint((ORDERS["product_id"], ORDERS["amount"]), "x"), "takes texts and periods"),
        (lambda: Joint((ORDERS["customer_id"], ORDERS["carrier"]), "x"), "a key by themselves"),
        (lambda: Period(ORDERS["shipped_at"], "fortnight"), "no period"),
        (lambda: Period(ORDERS["carrier"], "week"), "is a text"),
        (lambda: last(ORDERS, LOT), "joints are keys and links"),  # type: ignore[arg-type]
        (lambda: decayed(total(USAGE, "errors", days=7), 2), "without a window"),
        (lambda: elevated([], 0.02, "bad"), "kinds of events"),
        (lambda: elevated([(count(USAGE),) * 3 + (1.0,)], 0.02, "bad"), "no other rate"),
        (lambda: of_each(count(ORDERS, by=LOT), held(), "median"), "mean or largest or sum"),
        (lambda: count(TICKETS, by=LOT), "it reads tickets"),
        (lambda: times(count(USAGE), last(ORDERS, "carrier"), "x"), "joins"),
        (lambda: plus(now(ORDERS, until="delivered_at", label="o"), last(ORDERS, "carrier"), "x"),
         "joins"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


def test_topics_about_goods_come_after_delivery(tables: MemoryTables) -> None:
    orders = tables.frame("orders")
    tickets = pd.DataFrame(
        {"ticket_id": [str(n) for n in range(75)], "channel": "email", "order_id": "1",
         "topic": ["broken", "where", "few"] * 24 + ["broken"] * 3,
         "opened_at": [at("05-25"), at("05-16"), at("05-25")] * 24 + [at("05-16")] * 3}
    )  # fmt: skip
    rare = tickets["topic"].eq("few") & (tickets.index > 40)
    both = MemoryTables({"orders": orders, "tickets": tickets[~rare]})
    assert goods_topics(both) == ("broken",)
    assert goods_topics(both, at("05-24").to_pydatetime()) == ()  # no such ticket then
    assert goods_topics(MemoryTables({"orders": orders})) == ()


def test_topics_about_goods_come_in_the_week_after_a_delivery(tables: MemoryTables) -> None:
    """Where tickets name no order: 24 wrote about what broke in the days after, others any day."""
    orders = tables.frame("orders").drop(columns="product_id")
    days = ["05-18", "05-19", "05-22"]
    tickets = pd.DataFrame(
        {"ticket_id": [str(n) for n in range(96)], "channel": "email", "customer_id": "a",
         "topic": ["broken"] * 24 + ["where"] * 72,
         "opened_at": [at(d) for d in days] * 8 + [at("05-05")] * 48 + [at("05-19")] * 24}
    )  # fmt: skip
    both = MemoryTables({"orders": orders, "tickets": tickets})
    assert goods_topics(both) == ("broken",)
    assert goods_topics(both, at("05-18").to_pydatetime()) == ()


def test_a_ticket_that_names_no_order_stands_beside_the_last_delivered(
    tables: MemoryTables,
) -> None:
    tickets = pd.DataFrame(
        {"ticket_id": ["1", "2", "3"], "channel": "email", "customer_id": ["a", "b", "c"],
         "opened_at": [at("05-21"), at("05-17"), at("05-22")]}
    )  # fmt: skip
    both = MemoryTables({"orders": tables.frame("orders"), "tickets": tickets})
    beside = count(TICKETS_AFTER_ORDERS, by=ORDERS["product_id"])
    mine = last(ORDERS, "product_id")
    # a's and b's tickets follow deliveries of p; nothing was ever delivered to c
    assert values(both, of(beside, mine), "06-01")[0] == 2.0
    assert values(both, of(beside, mine), "05-18")[0] == 1.0
