"""A customer's own rows give the features that all rows give, to the last bit."""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from data.contract import table
from data.overlay import WithEvents
from data.store import text_frame
from data.tables import MemoryTables
from features.compute import compute
from features.language import count, total
from features.sources import ITEMS, ORDERS, TICKETS, TICKETS_AFTER_ORDERS, TICKETS_OF_ORDERS, USAGE
from features.spec import FeatureView
from serving.own_rows import OwnRows
from serving.predictor import now_spine

START = datetime(2026, 1, 1)
PEOPLE = ("a", "b", "c", "d")
VIEW = FeatureView(
    (
        count(ORDERS, days=30),
        total(ORDERS, "amount", days=30),
        count(ITEMS, days=30),
        total(ITEMS, "amount", days=60),
        count(TICKETS, days=14),
        count(TICKETS_OF_ORDERS, days=31),
        count(TICKETS_AFTER_ORDERS, days=29),
        count(USAGE, days=7),
    )
)


def moment(draw: random.Random) -> datetime:
    return START + timedelta(hours=draw.randrange(24 * 40))


def row(draw: random.Random, name: str) -> dict[str, Any]:
    """A row of few keys, so that many are versions of one another and change hands."""
    born, who = moment(draw), draw.choice(PEOPLE)
    number = str(draw.randrange(8))
    if name == "orders":
        later = born + timedelta(days=draw.randrange(5))
        return {"order_id": number, "ordered_at": born.isoformat(), "customer_id": who,
                "amount": draw.choice([1.5, 20.25, 7]), "delivered_at": later.isoformat(),
                "deleted": draw.random() < 0.1}  # fmt: skip
    if name == "order_items":
        return {"order_id": number, "line": draw.choice("12"), "amount": draw.choice([0.5, 3.25])}
    if name == "tickets":
        named = str(draw.randrange(8))
        return {"ticket_id": number, "opened_at": born.isoformat(), "channel": "email",
                "customer_id": draw.choice([who, None]), "order_id": named}  # fmt: skip
    return {"event_id": number, "used_at": born.isoformat(), "customer_id": who, "feature": "x"}


def posted(draw: random.Random, name: str, rows: int, after: int) -> list[dict[str, Any]]:
    """Rows, each known an hour after the one before."""
    return [
        {
            **row(draw, name),
            "recorded_at": (START + timedelta(days=40, hours=after + at)).isoformat(),
        }
        for at in range(rows)
    ]


@pytest.mark.parametrize("seed", range(12 if os.environ.get("PRESAGE_FULL") == "1" else 3))
def test_own_rows_give_the_features_of_all_rows(seed: int) -> None:
    draw = random.Random(seed)
    names = ("orders", "order_items", "tickets", "usage")
    base = MemoryTables({n: pd.DataFrame([row(draw, n) for _ in range(12)]) for n in names})
    rows = OwnRows(base)
    events: dict[str, list[dict[str, Any]]] = {}
    for batch in range(3):
        for name in draw.sample(names, 2):
            more = posted(draw, name, 4, batch * 10)
            for one in more:
                key = one[table(name).key[0]]
                touched = rows.owners(name, {key})[key]
                events.setdefault(name, []).append(one)
                text = text_frame(table(name), [one]).to_dict("records")
                rows.extend({name: [{k: v for k, v in r.items() if v is not None} for r in text]})
                if name != "order_items" and one.get("customer_id"):
                    assert rows.owners(name, {key})[key] == touched | {one["customer_id"]}
        frames = {name: text_frame(table(name), found) for name, found in events.items()}
        whole = WithEvents(base, frames)
        for hours in (20, 40 * 24, 43 * 24):
            spine = now_spine(list(PEOPLE), START + timedelta(hours=hours))
            wanted = compute(VIEW, spine, whole)
            for at, who in enumerate(PEOPLE):
                own = compute(VIEW, spine.iloc[[at]].reset_index(drop=True), rows.of({who}))
                pd.testing.assert_frame_equal(
                    own, wanted.iloc[[at]].reset_index(drop=True), check_exact=True
                )
            pd.testing.assert_frame_equal(
                compute(VIEW, spine, rows.of(PEOPLE)), wanted, check_exact=True
            )
