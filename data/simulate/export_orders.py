"""Orders, their lines, and the reviews that follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data.simulate import rates as names
from data.simulate.columns import concat, customers_of, ids, table, times, words
from data.simulate.timeline import NEVER

if TYPE_CHECKING:
    from data.simulate.running import RunningCompany

DAY = 86_400_000_000
CURRENCY = "EUR"
SECOND_LINE = 0.15
CORRECTED = 0.005


def _log(company: RunningCompany) -> dict[str, np.ndarray]:
    assert company.record is not None
    return company.record.orders.columns()


def orders(company: RunningCompany, end: int) -> pa.Table:
    """Orders; the amount of a few was wrong first and is corrected by a later version."""
    log, draws = _log(company), company.archive
    key, product, spoken = log["key"], log["product"], company.world.words
    columns = {
        "order_id": ids("o", key),
        "ordered_at": times(log["ordered_at"], end),
        "customer_id": customers_of(log["customer"]),
        "product_id": ids("p", product, 3),
        "product_category": words(spoken.categories, company.world.catalogue.category[product]),
        "quantity": log["quantity"].astype(np.float64),
        "amount": log["amount"],
        "currency": pa.array([CURRENCY] * len(key), pa.string()),
        "carrier": words(spoken.carriers, log["carrier"]),
        "promised_at": times(log["promised_at"], NEVER),
    }
    facts = ("shipped_at", "delivered_at", "cancelled_at", "returned_at", "refunded_at")
    columns |= {name: times(log[name], end) for name in facts}
    columns["recorded_at"] = times(log["ordered_at"], NEVER)
    fixed = log["ordered_at"] + (DAY * (0.5 + draws.uniform("amount fixed", 0, key))).astype(
        np.int64
    )
    wrong = (draws.uniform("amount wrong", 0, key) < CORRECTED) & (fixed < end)
    right = table(columns, wrong)
    columns["amount"] = np.where(wrong, np.round(log["amount"] * 1.1, 2), log["amount"])
    right = right.set_column(
        right.schema.get_field_index("recorded_at"), "recorded_at", times(fixed[wrong], NEVER)
    )
    return concat([table(columns), right])


def order_items(company: RunningCompany, end: int) -> pa.Table:
    """One line an order, for some a second with a fifth of the amount."""
    log, draws = _log(company), company.archive
    key, products = log["key"], company.world.catalogue.size
    two = draws.uniform("second line", 0, key) < SECOND_LINE
    second = np.round(np.where(two, 0.2 * log["amount"], 0.0), 2)
    other = (draws.uniform("second product", 0, key) * products).astype(np.int64)

    def line(number: int, product: np.ndarray, amount: np.ndarray, keep: np.ndarray) -> pa.Table:
        return table(
            {
                "order_id": ids("o", key),
                "line": pa.array([str(number)] * len(key), pa.string()),
                "product_id": ids("p", product, 3),
                "product_category": words(
                    company.world.words.categories, company.world.catalogue.category[product]
                ),
                "quantity": log["quantity"].astype(np.float64) if number == 1 else 1.0 + 0 * amount,
                "amount": amount,
            },
            keep,
        )

    first = line(1, log["product"], np.round(log["amount"] - second, 2), second >= 0)
    return concat([first, line(2, other, second, two)])


def feedback(company: RunningCompany, end: int) -> pa.Table:
    """Reviews of delivered items: worse if late, much worse if defective; some recorded late."""
    log, draws = _log(company), company.archive
    key, delivered = log["key"], log["delivered_at"]
    u = draws.uniform("review", 0, key)
    share = np.where(log["defective"], 0.16, 0.06)
    writes = (delivered < end) & (u < share)
    key, delivered = key[writes], delivered[writes]
    wait = 1 + 11 * draws.uniform("review at", 0, key)
    written_at = delivered + (DAY * wait).astype(np.int64)
    late = delivered > log["promised_at"][writes]
    mood = 4.4 - 1.3 * late - 2.2 * log["defective"][writes]
    mood = mood + 0.8 * draws.normal("review mood", 0, key)
    rating = np.clip(np.rint(mood), 1, 5)
    slow = draws.uniform("review late", 0, key) < 0.05
    recorded = written_at + np.where(slow, DAY, 0)
    who = log["customer"][writes]
    from data.simulate.texts import PER_CELL, pool, text_number

    topic = np.where(log["defective"][writes], 1, np.where(late, 0, 6))
    variant = (draws.uniform("review text", 0, key) * PER_CELL).astype(np.int64)
    language = company.world.people.language[who]
    bad = (rating <= 3).astype(np.int64)
    number = text_number(topic, bad, language, variant)
    return table(
        {
            "feedback_id": ids("f", key),
            "given_at": times(written_at, end),
            "customer_id": customers_of(who),
            "kind": words(("survey", "review"), draws.uniform("review kind", 0, key) < 0.7),
            "rating": rating,
            "text": words(pool(), np.where(bad == 1, number, -1)),
            "language": words(names.LANGUAGES, language),
            "public": draws.uniform("review kind", 0, key) < 0.7,
            "product_id": ids("p", log["product"][writes], 3),
            "recorded_at": times(recorded, NEVER),
        },
        (written_at < end) & (recorded < end),
    )
