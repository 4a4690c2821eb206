"""What one can act on comes first, named by its rows; that little is known only for want of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.languages.catalogue import languages
from data.settings import Settings
from data.tables import MemoryTables
from features.compute import compute
from features.views import default_view
from models.risk.evidence import evidence, read
from models.risk.reasons import AGE, TENURE, reasons
from models.risk.reasons import concern_of as concern_by
from models.risk.words import phrase, sentence, untested

T = datetime(2026, 8, 7)
TABLES = MemoryTables(
    {
        "customers": pd.DataFrame(
            {
                "customer_id": ["waits", "met errors", "pays", "asked", "new"],
                "signed_up_at": ["2026-07-08", *["2024-01-01"] * 3, "2026-08-05"],
                "region": ["north", "south", "south", "south", "mars"],
            }
        ),
        "orders": pd.DataFrame(
            {
                "order_id": ["A17", "A18", "A19"],
                "customer_id": ["waits", "met errors", "asked"],
                "ordered_at": ["2026-07-08", "2026-05-01", "2026-05-01"],
                "promised_at": ["2026-07-20", "2026-05-20", "2026-05-20"],
                "delivered_at": [None, "2026-05-10", "2026-05-11"],
            }
        ),
        "usage": pd.DataFrame(
            {
                "event_id": ["1", "2"],
                "customer_id": ["met errors", "pays"],
                "used_at": ["2026-08-05", "2026-08-06"],
                "feature": ["checkout", "payment_failed"],
                "errors": [3, 0],
            }
        ),
        "tickets": pd.DataFrame(
            {
                "ticket_id": ["T8", "T9"],
                "customer_id": ["pays", "asked"],
                "opened_at": ["2024-05-01", "2026-08-03"],
                "channel": ["email", "email"],
                "is_complaint": [True, False],
                "first_response_at": ["2024-05-02", None],
                "resolved_at": ["2024-05-02", None],
            }
        ),
    }
)
WHO = ["waits", "met errors", "pays", "asked", "new"]
VIEW = default_view(TABLES, Settings())
SPINE = pd.DataFrame({"customer_id": WHO, "as_of": [T] * len(WHO)})
FEATURES = compute(VIEW, SPINE, TABLES)
COLUMNS = list(VIEW.names)
CARDS = {str(card["name"]): card for card in VIEW.cards()}


def concern_of(name: str) -> str:
    return concern_by(name, CARDS)


def reasons_if(
    raised: dict[str, float], top: int | None = 3, language: str = "en", **options: Any
) -> dict[str, list[dict[str, Any]]]:
    """The reasons of everybody where these concerns' columns contribute so much in all."""
    names = [concern_of(name) for name in COLUMNS]
    each = [raised.get(name, 0.0) / max(1, names.count(name)) for name in names]
    amounts = np.tile(np.array(each), (len(WHO), 1))
    behind = evidence(VIEW, FEATURES, read(VIEW, TABLES), language)
    found = reasons(
        COLUMNS, CARDS, FEATURES, amounts, top, language, behind=behind, **options
    )  # fmt: skip
    return dict(zip(WHO, found, strict=True))


EVERYTHING = {concern_of(name): 0.2 for name in COLUMNS} | {TENURE: 2.0, "buying": 1.5}


@pytest.mark.parametrize(
    ("language", "late", "errors", "failed", "waiting"),
    [
        (
            "en",
            "Order A17 of 8 July has not arrived; it was due on 20 July (18 days late)",
            "3 errors on 5 August while using checkout",
            "1 failed payment on 6 August",
            "Ticket T9 of 3 August waits for an answer (4 days)",
        ),
        (
            "es",
            "El pedido A17 del 8 de julio no ha llegado; debía llegar el 20 de julio "
            "(18 días de retraso)",
            "3 errores el 5 de agosto al usar checkout",
            "1 pago fallido el 6 de agosto",
            "La consulta T9 del 3 de agosto espera respuesta (4 días)",
        ),
        (
            "no",
            "Ordre A17 av 8. juli er ikke kommet fram; den skulle komme 20. juli "
            "(18 dager forsinket)",
            "3 feil 5. august ved bruk av checkout",
            "1 mislykket betaling 6. august",
            "Henvendelse T9 av 3. august venter på svar (4 dager)",
        ),
    ],
)
def test_the_first_reason_names_what_one_can_act_on(
    language: str, late: str, errors: str, failed: str, waiting: str
) -> None:
    found = reasons_if(EVERYTHING, language=language)
    first = {who: said[0]["text"] for who, said in found.items()}
    assert first["waits"] == late
    assert first["met errors"] == errors
    assert first["pays"] == failed
    assert first["asked"] == waiting
    assert set(found["waits"][0]) == {"feature", "value", "text", "contribution"}
    assert concern_of(found["waits"][0]["feature"]) == "open_orders" and found["waits"][0]["value"]


def test_tenure_is_told_only_where_nothing_else_can_be_acted_on() -> None:
    found = reasons_if(EVERYTHING, 99)
    little = {untested(age, "en") for age in (2.0, 30.0, 900.0)}
    for who in ("waits", "met errors", "pays", "asked"):
        assert not {reason["text"] for reason in found[who]} & little
        assert not [r for r in found[who] if r["feature"] == AGE]
    assert found["new"][0]["text"] == "customer for 2 days: little is known yet"
    assert reasons_if({TENURE: 2.0})["asked"][0]["text"] == "how long they have been a customer"


def test_what_is_not_there_is_one_reason() -> None:
    found = reasons_if({"errors": 0.3, "open_orders": 0.2, TENURE: 0.4})["new"]
    assert [(r["text"], round(r["contribution"], 9)) for r in found] == [
        ("customer for 2 days: little is known yet", 0.9)
    ]
    for language in languages():
        [quiet] = reasons_if({"errors": 0.3}, language=language)["asked"]
        assert quiet["text"] == untested(900.0, language)


def test_what_is_past_is_no_cause_to_act_but_is_told() -> None:
    found = reasons_if({"complaints": 0.5, "payments": 0.1})["pays"]
    assert [r["text"] for r in found] == ["1 failed payment on 6 August", "1 complaint so far"]


def test_all_that_is_known_of_orders_is_about_the_open_one_where_there_is_no_other() -> None:
    found = reasons_if({"open_orders": -0.5, "buying": 1.0, TENURE: 0.7, "region": 0.1})
    first = found["waits"][0]
    assert first["text"].startswith("Order A17") and first["contribution"] == pytest.approx(1.2)
    assert [concern_of(r["feature"]) for r in found["asked"]][:2] == ["buying", TENURE]
    # but what lowers the risk never hides an open order that raises it
    found = reasons_if({"open_orders": 0.5, "buying": -1.0})
    assert found["waits"][0]["contribution"] == pytest.approx(0.5)


def test_all_reasons_add_up_to_all_contributions() -> None:
    raised = {**EVERYTHING, "region": -0.7, "late_orders": -0.1}
    for said in reasons_if(raised, None).values():
        assert sum(r["contribution"] for r in said) == pytest.approx(sum(raised.values()))


def test_a_category_that_nothing_was_learned_of_is_said_to_be_new() -> None:
    seen = {"customer_region": ("north", "south")}
    for language in languages():
        found = reasons_if({"customer_region": 0.2}, language=language, categories=seen)
        mars, north = (sentence(CARDS["customer_region"], of, language) for of in ("mars", "north"))
        assert found["new"][0]["text"] == phrase("new", language).format(text=mars)
        assert found["waits"][0]["text"] == north


def test_without_rows_a_concern_is_true_where_a_feature_of_it_is_not_zero() -> None:
    columns = ["orders_overdue_now", AGE, "customer_region"]
    rows = pd.DataFrame({columns[0]: [2.0, 0.0], AGE: [9.0, 9.0], columns[2]: ["a", "b"]})
    amounts = np.array([[0.1, 0.9, 0.2], [0.1, 0.9, 0.2]])
    late, new = reasons(columns, CARDS, rows, amounts, 3)
    assert [r["text"] for r in late] == ["2 overdue orders now", "region: a"]
    assert new[0]["text"] == "customer for 9 days: little is known yet"
    assert new[0]["contribution"] == pytest.approx(1.0)
