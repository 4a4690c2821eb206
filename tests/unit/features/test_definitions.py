"""A definition that is wrong is refused when it is written, and says what there is instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from data.errors import DefinitionError
from data.settings import Complaint
from features.complaint import complaint_predicate
from features.expression import Column
from features.language import (
    count,
    customer,
    distinct,
    due,
    last,
    mean,
    of,
    of_all,
    share,
    since_last,
    total,
    trend,
)
from features.predicate import Compare, In, Is, Null, Past
from features.sources import CUSTOMERS, ITEMS, ORDERS, TICKETS, USAGE, Source
from features.spec import Feature, FeatureView
from features.views import all_features

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown column": (lambda: total(ORDERS, "amuont", days=7), 'mean "amount"'),
    "unknown table": (lambda: Source("order"), 'mean "orders"'),
    "unknown key": (lambda: count(ORDERS, days=7, by="regoin"), "orders has no column"),
    "negative window": (lambda: count(ORDERS, days=-7), "windows are above 0"),
    "empty window": (lambda: count(ORDERS, hours=0), "windows are above 0"),
    "two windows": (lambda: count(ORDERS, days=1, hours=1), "not both"),
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
    "a number against a time": (
        lambda: Compare(">", ORDERS["delivered_at"], ORDERS["amount"]), "compares",
    ),
    "an operator that is none": (lambda: Compare("=", ORDERS["amount"], 1), "no operator"),
    "a flag that is text": (lambda: Is(ORDERS["carrier"]), "no flag"),
    "texts of numbers": (lambda: In(ORDERS["amount"], ("1",)), "no text"),
    "never a feature": (lambda: customer(CUSTOMERS["vulnerable"]), "never a feature"),
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
    assert view["orders_count_7d"].card()["window"] == "7d"
    with pytest.raises(DefinitionError, match='mean "orders_count_7d"'):
        view["orders_cuont_7d"]


def test_an_attribute_needs_its_kind() -> None:
    assert customer(Column("customers", "tier", "text")).categorical
    with pytest.raises(DefinitionError, match="no column 'tier'"):
        Column("customers", "tier")
