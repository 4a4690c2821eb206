"""A reason names the rows behind it: those of the customer, as known at T, in their local days."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from data.settings import Settings
from data.tables import MemoryTables
from features.spec import FeatureView
from features.views import default_view
from models.risk.evidence import evidence, read

CUSTOMERS = {"customer_id": ["a", "b"], "signed_up_at": ["2026-01-01", "2026-01-01"]}
ORDERS = {
    "order_id": ["A17", "A18", "A19", "A20", "other"],
    "customer_id": ["a", "a", "a", "a", "b"],
    "ordered_at": ["2026-07-08", "2026-07-25", "2026-06-01", "2026-08-01", "2026-07-30"],
    "promised_at": ["2026-07-20", "2026-08-07T20:00", "2026-06-20", "2026-08-20", None],
    "delivered_at": [None, None, "2026-07-23", None, None],
    "returned_at": [None, None, "2026-07-30", None, None],
    "refunded_at": [None, None, "2026-08-09", None, None],
}
TICKETS = {
    "ticket_id": ["T7", "T8", "T9", "T10"],
    "customer_id": ["a", "a", "a", "b"],
    "opened_at": ["2026-05-01", "2026-08-01", "2026-08-03", "2026-08-05T09:00"],
    "channel": ["email", "email", "email", "email"],
    "topic": [None, "billing", None, None],
    "is_complaint": [False, True, False, True],
    "first_response_at": ["2026-05-02", "2026-08-02", None, "2026-08-08"],
    "resolved_at": ["2026-05-03", None, None, None],
}
USAGE = {
    "event_id": ["1", "2", "3", "4", "5"],
    "customer_id": ["a"] * 5,
    "used_at": ["2026-08-05T01:00", "2026-08-05T11:00", "2026-08-04", "2026-08-06", "2026-08-06"],
    "feature": ["checkout", "checkout", "search", "payment_failed", "payment_failed"],
    "errors": [2, 1, 0, 0, 0],
}
T = datetime(2026, 8, 7, 12)


def company(**changes: Any) -> MemoryTables:
    frames = {"customers": CUSTOMERS, "orders": ORDERS, "tickets": TICKETS, "usage": USAGE}
    return MemoryTables({name: pd.DataFrame(rows) for name, rows in (frames | changes).items()})


def said(
    customer: str = "a",
    as_of: datetime = T,
    language: str = "en",
    time_zone: str = "UTC",
    tables: MemoryTables | None = None,
    view: FeatureView | None = None,
) -> dict[str, str]:
    tables = tables or company()
    view = view or default_view(tables, Settings())
    spine = pd.DataFrame({"customer_id": [customer], "as_of": [as_of]})
    features = spine.assign(held_21d_lot_trouble_sum=0.7, under_way_lot_trouble_sum=0.1)
    [found] = evidence(view, features, read(view, tables), language, time_zone)
    return found


TOLD = {
    "en": {
        "open_orders": "Order A18 of 25 July has not arrived; it is due today. Order A17 of 8 July "
        "has not arrived; it was due on 20 July (18 days late). Order A20 of 1 August has not "
        "arrived; it is due on 20 August",
        "late_orders": "Order A19 of 1 June came 33 days late, on 23 July",
        "refunds": "Order A19 of 1 June was returned on 30 July and is not refunded yet",
        "errors": "3 errors on 5 August while using checkout",
        "payments": "2 failed payments on 6 August",
        "open_tickets": "Ticket T9 of 3 August waits for an answer (4 days). Ticket T8 of 1 August "
        "is not resolved yet (6 days)",
        "complaints": "Complaint T8 of 1 August about billing",
    },
    "es": {
        "late_orders": "El pedido A19 del 1 de junio llegó con 33 días de retraso, el 23 de julio",
        "errors": "3 errores el 5 de agosto al usar checkout",
        "payments": "2 pagos fallidos el 6 de agosto",
        "complaints": "Queja T8 del 1 de agosto sobre billing",
    },
    "no": {
        "late_orders": "Ordre A19 av 1. juni kom 33 dager for sent, 23. juli",
        "errors": "3 feil 5. august ved bruk av checkout",
        "payments": "2 mislykkede betalinger 6. august",
        "complaints": "Klage T8 av 1. august om billing",
    },
}


@pytest.mark.parametrize("language", TOLD)
def test_rows_are_named_with_their_dates_in_the_agents_language(language: str) -> None:
    found = said(language=language)
    assert set(found) == set(TOLD["en"])
    assert {concern: found[concern] for concern in TOLD[language]} == TOLD[language]


def test_what_was_not_known_at_the_time_is_not_told() -> None:
    found = said(as_of=datetime(2026, 7, 22))
    assert found["open_orders"].startswith(
        "Order A17 of 8 July has not arrived; it was due on 20 July (2 days late). Order A19"
    )
    assert set(found) == {"open_orders"}  # A19 arrived the day after, the rest is of later
    answered = said("b", datetime(2026, 8, 9))["open_tickets"]
    assert answered == "Ticket T10 of 5 August is not resolved yet (4 days)"
    assert said("b")["open_tickets"] == "Ticket T10 of 5 August waits for an answer (2 days)"


def test_an_order_without_a_promise_says_how_long_it_is_out_and_a_year_that_is_another() -> None:
    assert said("b")["open_orders"] == "Order other of 30 July has not arrived (8 days)"
    found = said("b", datetime(2027, 1, 2))["open_orders"]
    assert found == "Order other of 30 July 2026 has not arrived (156 days)"


def test_days_are_those_of_the_company() -> None:
    # 01:00 UTC on the 5th is the evening of the 4th in São Paulo
    found = said(time_zone="America/Sao_Paulo")
    assert found["errors"] == (
        "1 error on 5 August while using checkout. 2 errors on 4 August while using checkout"
    )
    # what is given as a date stays that date
    assert "it was due on 20 July (18 days late)" in found["open_orders"]
    early = datetime(2026, 8, 5, 10)  # the same day there, an hour after the ticket
    assert said("b", early)["open_tickets"] == "Ticket T10 of 5 August waits for an answer"


def test_what_nobody_records_is_not_told() -> None:
    tables = company(tickets={**TICKETS, "first_response_at": [None] * 4})
    found = said(tables=tables)["open_tickets"]
    assert "waits for an answer" not in found and "T9" in found and "T8" in found
    tables = company(orders={**ORDERS, "delivered_at": [None] * 5})
    assert "open_orders" not in said(tables=tables)


def test_more_rows_than_a_reason_holds_are_counted() -> None:
    many = {
        "order_id": [f"o{at}" for at in range(6)],
        "customer_id": ["a"] * 6,
        "ordered_at": [f"2026-07-0{at + 1}" for at in range(6)],
        "delivered_at": [None, None, None, None, None, "2026-07-20"],
    }
    found = said(tables=company(orders=many))["open_orders"]
    assert found.endswith("Order o2 of 3 July has not arrived (35 days). 2 more like these")


def test_goods_are_named_where_their_lot_is_probably_bad() -> None:
    products = {**ORDERS, "product_id": ["p"] * 5, "shipped_at": ORDERS["ordered_at"]}
    products["delivered_at"] = [None, None, "2026-07-23", None, "2026-08-02"]
    products["returned_at"] = [None, None, None, None, "2026-08-05"]
    found = said(tables=company(orders=products), as_of=datetime(2026, 8, 7))
    assert found["lots"] == (
        "Order A19 of 1 June may be of a bad lot: others return it or complain"
    )
