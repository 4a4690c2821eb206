"""A missing column costs only what that column knows."""

from __future__ import annotations

import pandas as pd
import pytest

from data.settings import Settings
from data.tables import MemoryTables
from features.compute import compute
from features.reduced import reads_of
from features.spec import FeatureView
from features.views import absent_columns, default_view, what_is_missing, without
from pipelines.reports import features_line

AT = pd.Timestamp("2026-03-01")
OPTIONAL_ENDS = ("cancelled_at", "returned_at", "refunded_at", "shipped_at")


def company(**gone: tuple[str, ...]) -> MemoryTables:
    """Two customers with an overdue order each, one cancelled; ``gone``: columns left out."""
    day = pd.Timedelta(days=1)
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "3", "4"],
            "customer_id": ["a", "b", "b", "a"],
            "ordered_at": [AT - 20 * day, AT - 19 * day, AT - 30 * day, AT - 3 * day],
            "promised_at": [AT - 10 * day, AT - 9 * day, AT - 25 * day, AT + 2 * day],
            "delivered_at": [pd.NaT, pd.NaT, AT - 26 * day, pd.NaT],
            "cancelled_at": [pd.NaT, AT - 12 * day, pd.NaT, pd.NaT],
            "returned_at": [pd.NaT, pd.NaT, AT - 5 * day, pd.NaT],
            "refunded_at": [pd.NaT, pd.NaT, AT - 4 * day, pd.NaT],
            "last_refund_at": [pd.NaT, pd.NaT, AT - 4 * day, pd.NaT],
            "refund_amount": [None, None, 2.0, None],
            "shipped_at": [AT - 18 * day, pd.NaT, AT - 28 * day, pd.NaT],
            "product_id": ["p", "q", "p", "q"],
            "product_category": ["x", "y", "x", "y"],
            "carrier": ["post", "van", "post", "van"],
            "amount": [1.0, 2.0, 3.0, 4.0],
        }
    )
    customers = pd.DataFrame(
        {"customer_id": ["a", "b"], "signed_up_at": [AT - 90 * day] * 2, "region": ["n", "s"]}
    )
    tickets = pd.DataFrame(
        {"ticket_id": ["1", "2"], "customer_id": ["a", "b"], "channel": ["email", "phone"],
         "opened_at": [AT - 6 * day, AT - 2 * day], "resolved_at": [AT - 5 * day, pd.NaT],
         "first_response_at": [AT - 6 * day, AT - day], "topic": ["late", "late"],
         "is_complaint": [True, False], "order_id": ["1", "3"]}
    )  # fmt: skip
    frames = {"orders": orders, "customers": customers, "tickets": tickets}
    return MemoryTables(
        {name: frame.drop(columns=list(gone.get(name, ()))) for name, frame in frames.items()}
    )


def view_of(tables: MemoryTables) -> FeatureView:
    return default_view(tables, Settings(), AT.to_pydatetime())


def values(tables: MemoryTables, *names: str) -> list[list[float]]:
    spine = pd.DataFrame({"customer_id": ["a", "b"], "as_of": AT})
    frame = compute(view_of(tables).select(list(names)), spine, tables)
    return [frame[name].tolist() for name in names]


def test_orders_that_lack_optional_ends_are_overdue_as_before() -> None:
    """Ends that only finished orders have change nothing of what is overdue when they are gone."""
    ended = company()
    orders = ended.frame("orders")
    orders.loc[orders["delivered_at"].isna(), list(OPTIONAL_ENDS)] = pd.NaT
    orders.loc[orders["delivered_at"].notna(), "cancelled_at"] = AT - pd.Timedelta(days=5)
    assert orders[list(OPTIONAL_ENDS)].notna().any().all()
    whole = MemoryTables({n: ended.frame(n) for n in ("customers", "tickets")} | {"orders": orders})
    few = company(orders=OPTIONAL_ENDS)
    names = ("orders_overdue_now", "orders_open_now", "orders_overdue_age_days")
    assert set(names) <= set(view_of(few).names)
    assert values(few, *names) == values(whole, *names)
    assert values(few, *names[:2]) == [[1.0, 1.0], [2.0, 1.0]]


@pytest.mark.parametrize("column", OPTIONAL_ENDS)
def test_one_missing_end_leaves_the_others(column: str) -> None:
    few = company(orders=(column,))
    expected = [1.0, 1.0 if column == "cancelled_at" else 0.0]
    assert values(few, "orders_overdue_now") == [expected]


def test_without_its_usual_end_nobody_knows_what_is_open() -> None:
    names = view_of(company(orders=("delivered_at",))).names
    assert not [n for n in names if n.startswith("orders_") and ("open_" in n or "overdue" in n)]
    assert "orders_count_28d" in names and "orders_cancelled_count_28d" in names


def test_a_route_without_regions_is_its_carrier() -> None:
    tables = company(customers=("region",))
    formulas = {f.name: f.formula for f in view_of(tables).features}
    routes = [formula for name, formula in formulas.items() if "route_" in name]
    assert routes and not [formula for formula in routes if "region" in formula]


def test_two_that_come_to_the_same_are_one() -> None:
    names = view_of(company(orders=("shipped_at",))).names
    assert "orders_open_now" in names and "orders_not_shipped_now" not in names


def test_each_column_removed_takes_no_feature_that_does_not_read_it() -> None:
    whole = {feature.name: feature for feature in view_of(company()).features}
    fixed = {"order_id", "ticket_id", "customer_id", "ordered_at", "signed_up_at", "opened_at",
             "channel", "topic", "is_complaint", "recorded_at", "deleted", "_row"}  # fmt: skip
    tried = 0
    for table in ("orders", "customers", "tickets"):
        for column in _given(table) - fixed:
            left = set(view_of(company(**{table: (column,)})).names)
            tried += 1
            for name in set(whole) - left:
                terms = list(whole[name].node.terms())
                reads = {(c.table, c.name) for term in terms for c in term.columns}
                assert (table, column) in reads, f"{name} does not read {table}.{column}"
    assert tried >= 12


def _given(table: str) -> set[str]:
    frame = company().frame(table)
    return {str(name) for name in frame.columns if frame[name].notna().any()}


def test_nothing_is_left_of_what_reads_absent_columns_only() -> None:
    tables = company(orders=("amount", "refund_amount"))
    absent = absent_columns(tables, Settings().complaint)
    assert ("orders", "amount") in absent
    left = without(list(view_of(company()).features), absent)
    assert not [f.name for f in left if "amount" in f.name]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("orders", "delivered_at"),
        ("orders", "carrier"),
        ("orders", "product_id"),
        ("tickets", "customer_id"),
        ("tickets", "order_id"),
        ("customers", "region"),
    ],
)
def test_a_column_that_a_view_reads_is_missed_and_one_it_never_had_is_not(
    table: str, column: str
) -> None:
    lacking = company(**{table: (column,)})
    absent = absent_columns(lacking, Settings().complaint)
    missed = dict(reads_of(view_of(company()).features, absent))
    assert list(missed) == [f"{table}.{column}"] and missed[f"{table}.{column}"] > 0
    assert not reads_of(view_of(lacking).features, absent)


def test_what_is_missing_is_named_with_what_it_would_bring() -> None:
    tables = company(orders=("carrier",))
    missing = dict(what_is_missing(tables, Settings(), AT.to_pydatetime()))
    back = len(view_of(company()).names) - len(view_of(tables).names)
    assert missing["orders.carrier"] > 0 and back > 0
    assert missing["usage"] > 20  # the whole table, not each of its columns
    assert not [name for name in missing if name.startswith("usage.")]
    assert "orders.amount" not in missing
    line = features_line(7, sorted(missing.items(), key=lambda one: -one[1]))
    assert line.startswith("7 features from these tables; there would be ")
    assert "more with usage" in line
