"""A definition that is wrong is refused when it is written, and says what there is instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from data.errors import DefinitionError
from data.settings import Complaint
from features.complaint import complaint_predicate
from features.expression import Column, Day
from features.language import (
    active_days,
    change,
    count,
    count_since,
    customer,
    distinct,
    due,
    last,
    mean,
    now,
    of,
    of_all,
    rate,
    share,
    since_last,
    total,
    trend,
    until_next,
    worth,
)
from features.naming import term
from features.predicate import Compare, In, Is, Null, Past
from features.sources import (
    ARTICLE_EVENTS,
    BOT_SESSIONS,
    CUSTOMERS,
    FEEDBACK,
    ITEMS,
    ORDERS,
    TICKETS,
    USAGE,
    Source,
)
from features.spec import Combine, Feature, FeatureView
from features.views import all_features

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown column": (lambda: total(ORDERS, "amuont", days=7), 'mean "amount"'),
    "unknown table": (lambda: Source("order"), 'mean "orders"'),
    "unknown key": (lambda: count(ORDERS, days=7, by="regoin"), "orders has no column"),
    "negative window": (lambda: count(ORDERS, days=-7), "windows are above 0"),
    "empty window": (lambda: count(ORDERS, hours=0), "windows are above 0"),
    "two windows": (lambda: count(ORDERS, days=1, hours=1), "not both"),
    "a window that is no number": (lambda: count(ORDERS, days=float("nan")), "a finite number"),
    "an endless window": (lambda: count(ORDERS, hours=float("inf")), "a finite number"),
    "a window in words": (lambda: count(ORDERS, days="7"), "a finite number"),  # type: ignore[arg-type]
    "a window longer than sense": (lambda: count(ORDERS, days=36500), "leave out days="),
    "a negative look ahead": (
        lambda: due(ORDERS, at="promised_at", days=-1, label="due"), "windows are above 0",
    ),
    "an endless look ahead": (
        lambda: until_next(ORDERS, at="promised_at", days=float("inf")), "a finite number",
    ),
    "no source": (lambda: count("orders", days=7), 'mean "ORDERS"'),  # type: ignore[arg-type]
    "no source like it": (lambda: count(None), "There are CUSTOMERS, ORDERS,"),  # type: ignore[arg-type]
    "no table like it": (lambda: Column("zzz", "x"), "There are identities, customers, orders,"),
    "no column like it": (lambda: TICKETS["zzz"], "It has ticket_id, opened_at,"),
    "an unknown column in a state": (
        lambda: now(ORDERS, until="deliverd_at", label="x"), 'mean "delivered_at"',
    ),
    "a state that ends where it begins": (
        lambda: now(ORDERS, since="delivered_at", until="delivered_at", label="x"), "no row ever",
    ),
    "a state that ends with a number": (
        lambda: now(ORDERS, until="amount", label="x"), "is a number, not a time",
    ),
    "counted since a text": (lambda: count(ORDERS, since="carrier", days=7), "no time"),
    "a sum of texts": (lambda: total(ORDERS, "carrier", days=7), "a text"),
    "different numbers": (lambda: distinct(ORDERS, "amount", days=7), "a number"),
    "a filter of another table": (
        lambda: count(ORDERS, where=Is(TICKETS["is_machine"])),
        "orders has no tickets.is_machine",
    ),
    "looking ahead to what is not planned": (
        lambda: due(ORDERS, at="delivered_at", days=3, label="due"),
        "not known beforehand",
    ),
    "null before it can be known": (lambda: Null(ORDERS["delivered_at"]), "until=delivered_at"),
    "not yet past": (lambda: ~Past(ORDERS["delivered_at"]), "until=delivered_at"),
    "not yet past, under a name": (
        lambda: ~Past(ORDERS["delivered_at"]).named("done"), "until=delivered_at",
    ),
    "not yet past, among others": (
        lambda: ~(Past(ORDERS["delivered_at"]) & Compare(">", ORDERS["amount"], 1)),
        "until=delivered_at",
    ),
    "null before it can be known, of a link": (
        lambda: Null(BOT_SESSIONS["ticket_id"]), "until=handed_over_at",
    ),
    "a number that is none": (
        lambda: Compare(">", ORDERS["amount"], float("nan")), "which is no number",
    ),
    "texts that are letters": (lambda: In(ORDERS["carrier"], "dhl"), "a tuple of texts"),  # type: ignore[arg-type]
    "a text of none": (lambda: In(ORDERS["carrier"], ()), "a tuple of texts"),
    "a rate of a text": (
        lambda: rate(last(ORDERS, "carrier"), count(ORDERS), "x"), "ratio takes duration or number",
    ),
    "days since a count": (
        lambda: Combine("days_since", (count(ORDERS).node,)), "days_since takes time",
    ),
    "a moment as a feature": (
        lambda: Feature("x", term(ORDERS, "last_time")), "turn moments and durations into days",
    ),
    "a part too few": (lambda: Combine("ratio", (count(ORDERS).node,)), "takes 2 parts"),
    "a combination that there is not": (
        lambda: Combine("power", (count(ORDERS).node,)), "no combination",
    ),
    "days of an unknown place": (
        lambda: active_days(USAGE, days=7, time_zone="Europe/Olso"), 'mean "Europe/Oslo"',
    ),
    "days of a text": (lambda: Day(USAGE["feature"]), "is a text"),
    "windows out of order": (
        lambda: count_since(ARTICLE_EVENTS, last=TICKETS, days=(7, 1)), "rising",
    ),
    "a number against a time": (
        lambda: Compare(">", ORDERS["delivered_at"], ORDERS["amount"]), "compares",
    ),
    "an operator that is none": (lambda: Compare("=", ORDERS["amount"], 1), "no operator"),
    "a flag that is text": (lambda: Is(ORDERS["carrier"]), "no flag"),
    "texts of numbers": (lambda: In(ORDERS["amount"], ("1",)), "no text"),
    "never a feature": (lambda: customer(CUSTOMERS["vulnerable"]), "never a feature"),
    "an objection": (lambda: customer(CUSTOMERS["do_not_profile"]), "never a feature"),
    "items without orders": (lambda: Source("order_items"), "beside orders"),
    "a link that is none": (
        lambda: Source("orders", "", "tickets", "ticket_id"), "does not name a row of tickets",
    ),
    "a key that is known later": (
        lambda: count(Source("bot_sessions"), by="ticket_id"), "cannot be a key",
    ),
    "a group without a link": (lambda: of_all(count(ORDERS, by="carrier")), "linked by nothing"),
    "a link without a group": (
        lambda: of(count(ORDERS, by=""), last(ORDERS, "carrier")), "keyed by nothing",
    ),
    "a link by number": (
        lambda: of(count(ORDERS, by="carrier"), last(ORDERS, "amount")), "names no group",
    ),
    "a trend the wrong way": (
        lambda: trend(count(ORDERS, days=90), count(ORDERS, days=7)), "no shorter window",
    ),
    "a name twice": (
        lambda: FeatureView((count(ORDERS, days=7), count(ORDERS, days=7))), "orders_count_7d",
    ),
    "a name that is none": (lambda: Feature("a b", count(ORDERS).node), "no feature name"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_refused_when_written(what: str) -> None:
    write, says = WRONG[what]
    with pytest.raises(DefinitionError, match=says):
        write()


def test_names_are_derived_from_definitions() -> None:
    late = Compare(">", ORDERS["delivered_at"], ORDERS["promised_at"]).named("late")
    named = {
        "tickets_complaint_count_28d":
            count(TICKETS, days=28, where=complaint_predicate(Complaint())),
        "usage_count_6h": count(USAGE, hours=6),
        "orders_amount_sum_90d": total(ORDERS, "amount", days=90),
        "items_quantity_mean_7d": mean(ITEMS, "quantity", days=7),
        "orders_late_delivered_share_7d": share(ORDERS, of=late, since="delivered_at", days=7),
        "tickets_since_last_days": since_last(TICKETS),
        "category_orders_count_7d": count(ORDERS, days=7, by="product_category"),
        "all_orders_count_7d": count(ORDERS, days=7, by=""),
        "usage_count_7d_over_28d": trend(count(USAGE, days=7), count(USAGE, days=28)),
        "usage_active_days_28d": active_days(USAGE, days=28),
        "orders_overdue_amount_sum_now":
            worth(ORDERS, "amount", since="promised_at", until="delivered_at", label="overdue"),
        "orders_promised_until_next_days":
            until_next(ORDERS, at="promised_at", until="delivered_at", days=30),
        "articles_count_since_tickets_7d":
            count_since(ARTICLE_EVENTS, last=TICKETS, days=(1, 7)),
        "feedback_rating_mean_30d_minus_feedback_rating_mean_365d":
            change(mean(FEEDBACK, "rating", days=30), mean(FEEDBACK, "rating", days=365)),
    }  # fmt: skip
    assert {name: feature.name for name, feature in named.items()} == {n: n for n in named}


def test_a_view_survives_json_and_is_checked_again() -> None:
    rule = Complaint(topics=("billing",), csat_at_most=2)
    view = FeatureView(all_features(complaint_predicate(rule)))
    again = FeatureView.from_json(view.to_json())
    assert again.features == view.features
    assert again.fingerprint == view.fingerprint
    damaged = json.loads(view.to_json())
    damaged[0]["node"]["is"] = "Tern"
    with pytest.raises(DefinitionError, match="unknown part"):
        FeatureView.from_json(json.dumps(damaged))


def test_the_fingerprint_tells_every_change() -> None:
    def one(**changes: Any) -> str:
        return FeatureView((count(ORDERS, **{"days": 7, **changes}).named("x"),)).fingerprint

    assert len({one(), one(days=8), one(since="delivered_at"), one(by="carrier")}) == 4


def test_every_card_tells_what_a_reader_asks() -> None:
    view = FeatureView(all_features(complaint_predicate(Complaint())))
    for card in view.cards():
        assert card["formula"] and card["source"] and isinstance(card["cost"], int)
        note = str(card["note"])
        assert note and "_" not in note and len(note) < 400, card["name"]
    assert view["orders_count_7d"].card()["window"] == "7d"
    assert view["orders_due_next_3d"].card()["window"] == "next 3d"
    with pytest.raises(DefinitionError, match='mean "orders_count_7d"'):
        view["orders_cuont_7d"]


def test_notes_say_what_formulas_say() -> None:
    view = FeatureView(all_features(complaint_predicate(Complaint())))
    said = {
        "orders_overdue_now":
            "orders already due, not yet delivered, cancelled, returned or refunded",
        "tickets_complaint_count_28d": "complaints in the last 28 days",
        "tickets_unanswered_age_days":
            "days since the first ticket not yet answered or resolved was opened",
        "bot_not_contained_share_180d":
            "share of not contained bot sessions among bot sessions in the last 180 days",
        "articles_unhelpful_count_since_tickets_28d":
            "unhelpful views of help pages since the latest ticket, of the last 28 days",
        "carrier_orders_late_share_7d":
            "share of late orders among orders delivered in the last 7 days, for the carrier of "
            "the latest order",
    }  # fmt: skip
    assert {name: view[name].card()["note"] for name in said} == said
    own = count(ORDERS, days=7).named("x", "what they bought this week")
    assert own.card()["note"] == "what they bought this week"


def test_an_attribute_needs_its_kind() -> None:
    assert customer(Column("customers", "tier", "text")).categorical
    with pytest.raises(DefinitionError, match="no column 'tier'"):
        Column("customers", "tier")
