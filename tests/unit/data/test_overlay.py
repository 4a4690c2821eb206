"""A snapshot with posted rows reads as the snapshot that the next night takes."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from data.errors import DataError
from data.money import Money
from data.overlay import WithEvents
from data.tables import MemoryTables
from features.asof import as_of_view

VIEWS = pd.DataFrame(
    {
        "viewed_at": ["2026-01-01", "2026-01-02"],
        "article_id": ["x", "x"],
        "customer_id": ["a", None],
        "recorded_at": ["2026-01-01", "2026-01-03"],
    }
)
CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["a", "b"],
        "signed_up_at": ["2025-01-01", "2025-01-01"],
        "score": [1.0, 2.0],
        "gold": [True, False],
    }
)


def test_a_row_without_a_key_that_the_base_has_counts_once() -> None:
    base = MemoryTables({"article_events": VIEWS})
    new = VIEWS.assign(recorded_at=["2026-01-04", "2026-01-04"])
    posted = pd.concat([VIEWS, new], ignore_index=True)
    both = WithEvents(base, {"article_events": posted})
    # the two that are there already, and the two that were posted since
    assert len(both.frame("article_events")) == 4
    assert both.frame("article_events")["_row"].is_unique


def test_a_version_that_the_base_has_changes_nothing() -> None:
    order = pd.DataFrame(
        {
            "order_id": ["1"],
            "customer_id": ["a"],
            "ordered_at": ["2026-01-01"],
            "amount": [5],
            "recorded_at": ["2026-01-02"],
        }
    )
    both = WithEvents(MemoryTables({"orders": order}), {"orders": order})
    view = as_of_view(both, "orders", datetime(2026, 1, 3))
    assert view["amount"].tolist() == [5.0]


def test_an_item_that_was_there_before_its_order_is_known_as_at_night() -> None:
    items = pd.DataFrame({"order_id": ["1", "2", "3"], "line": ["1"] * 3, "amount": [5, 6, 7]})
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "2"],
            "customer_id": ["a"] * 3,
            "ordered_at": ["2026-01-01", "2026-01-04", "2026-01-02"],
            "recorded_at": ["2026-01-01", "2026-01-05", "2026-01-06"],
        }
    )
    base = MemoryTables({"orders": orders[:1], "order_items": items})
    both = WithEvents(base, {"orders": orders[1:]})
    at_night = MemoryTables({"orders": orders, "order_items": items})
    pd.testing.assert_frame_equal(both.frame("order_items"), at_night.frame("order_items"))
    wanted = ["amount", "recorded_at"]
    told = both.frame("order_items", wanted)
    pd.testing.assert_frame_equal(told, at_night.frame("order_items", wanted))
    assert told["recorded_at"].isna().tolist() == [False, False, True]
    assert base.frame("order_items")["recorded_at"].isna().sum() == 2  # as it was
    shown = as_of_view(both, "order_items", datetime(2026, 1, 7))
    assert shown["amount"].tolist() == [5.0, 6.0]


def test_an_item_that_was_there_before_its_order_is_in_the_orders_currency() -> None:
    class InKroner(MemoryTables):
        money = Money("NOK", {"EUR": 10.0})

    items = pd.DataFrame({"order_id": ["1", "2"], "line": ["1"] * 2, "amount": [5, 6]})
    order = pd.DataFrame(
        {
            "order_id": ["2"],
            "customer_id": ["a"],
            "ordered_at": ["2026-01-04"],
            "currency": ["EUR"],
            "recorded_at": ["2026-01-05"],
        }
    )
    both = WithEvents(InKroner({"order_items": items}), {"orders": order})
    assert both.frame("order_items", ["amount"])["amount"].tolist() == [5.0, 60.0]


def test_attributes_posted_as_text_take_the_types_of_the_base() -> None:
    base = MemoryTables({"customers": CUSTOMERS}, ["score", "gold"])
    posted = pd.DataFrame(
        {
            "customer_id": ["c"],
            "signed_up_at": ["2026-01-01"],
            "score": ["3.5"],
            "gold": ["true"],
            "recorded_at": ["2026-01-01"],
        }
    )
    frame = WithEvents(base, {"customers": posted}).frame("customers")
    assert frame["score"].tolist() == [1.0, 2.0, 3.5]
    assert frame["gold"].tolist() == [True, False, True]
    assert frame.dtypes.equals(base.frame("customers").dtypes)
    without = WithEvents(base, {"customers": posted.drop(columns=["score", "gold"])})
    assert without.frame("customers")["score"].isna().tolist() == [False, False, True]
    with pytest.raises(DataError, match="score is no number"):
        WithEvents(base, {"customers": posted.assign(score="high")})
