"""Events in: all or none, wrong rows told by table, row and column, each taken once by key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from data.check import check
from data.snapshot import take
from data.store import event_frames
from serving.desk import Desk

from .conftest import NOW, Ask

TICKET = {
    "ticket_id": "t9",
    "opened_at": "2026-03-02T09:00:00Z",
    "channel": "chat",
    "customer_id": "a",
}
ORDER = {"order_id": "o9", "ordered_at": "2026-03-02T08:00:00+01:00", "customer_id": "a"}
ITEM = {"order_id": "o9", "line": 1, "amount": 3}


def test_rows_are_taken_once_and_told_by_table(ask: Ask) -> None:
    body = {"orders": [ORDER], "order_items": [ITEM, {**ITEM, "line": 2}]}
    first = ask("POST", "/v1/events", json=body)
    assert first.status_code == 200
    assert first.json()["accepted"] == {"orders": 1, "order_items": 2}
    assert first.json()["duplicates"] == {"orders": 0, "order_items": 0}
    assert first.json()["recorded_at"] >= NOW.isoformat()
    again = ask("POST", "/v1/events", json=body)
    assert again.json()["accepted"] == {"orders": 0, "order_items": 0}
    assert again.json()["duplicates"] == {"orders": 1, "order_items": 2}
    changed = ask("POST", "/v1/events", json={"orders": [{**ORDER, "amount": 5}]})
    assert changed.json()["accepted"] == {"orders": 1}


WRONG: list[tuple[dict[str, Any], str, int | None, str | None, str]] = [
    ({"tickts": [TICKET]}, "tickts", None, None, 'mean "tickets"'),
    ({"tickets": TICKET}, "tickets", None, None, "list"),
    ({"tickets": [TICKET, 3]}, "tickets", 2, None, "no object"),
    ({"tickets": [{**TICKET, "chanel": "x"}]}, "tickets", 1, "chanel", 'mean "channel"'),
    ({"tickets": [{**TICKET, "ticket_id": None}]}, "tickets", 1, "ticket_id", "missing"),
    ({"tickets": [{**TICKET, "channel": ""}]}, "tickets", 1, "channel", "missing"),
    ({"tickets": [{**TICKET, "channel": 1.5}]}, "tickets", 1, "channel", "text"),
    ({"tickets": [{**TICKET, "is_complaint": "yes"}]}, "tickets", 1, "is_complaint", "true"),
    ({"tickets": [{**TICKET, "csat": "5"}]}, "tickets", 1, "csat", "number"),
    ({"tickets": [{**TICKET, "csat": 9}]}, "tickets", 1, "csat", "at most 5"),
    ({"tickets": [{**TICKET, "opened_at": 1772000000}]}, "tickets", 1, "opened_at", "2026-"),
    ({"tickets": [{**TICKET, "opened_at": "soon"}]}, "tickets", 1, "opened_at", "2026-"),
    ({"tickets": [{**TICKET, "opened_at": "2026-03-02T11:00Z"}]}, "tickets", 1, "opened_at", "fut"),
    ({"orders": [ORDER, {**ORDER, "amount": True}]}, "orders", 2, "amount", "number"),
    ({"usage": [{"used_at": "2026-03-01", "customer_id": "a", "feature": "x"}]}, "usage", 1,
     "event_id", "missing"),
    ({"feedback": [{"feedback_id": "f", "given_at": "2026-03-01", "kind": "rumour"}]}, "feedback",
     1, "kind", "survey"),
    ({"agents": [{"agent_id": "x", "hired_at": "2026-01-01", "skills": "email"}]}, "agents", 1,
     "skills", "list"),
    ({"customers": [{"customer_id": "z", "signed_up_at": "2026-01-01", "score": "high"}]},
     "customers", 1, "score", "number"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "table", "row", "column", "told"), WRONG)
def test_a_wrong_row_is_told_by_name_and_nothing_is_kept(
    body: dict[str, Any],
    table: str,
    row: int | None,
    column: str | None,
    told: str,
    ask: Ask,
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    answer = ask("POST", "/v1/events", json={"orders": [{**ORDER, "order_id": "fine"}], **body})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["table"], error["row"], error["column"]) == (table, row, column)
    assert told in error["message"]
    assert not event_frames(desk_and_client[0].store)


@pytest.mark.parametrize("body", [{}, [], 3, "x"])
def test_a_body_without_tables_is_refused(body: Any, ask: Ask) -> None:
    assert ask("POST", "/v1/events", json=body).status_code == 422


def test_what_was_accepted_is_never_quarantined(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    body = {
        "tickets": [{**TICKET, "csat": 5, "is_complaint": True, "text": 'a "quoted", text\nhere'}],
        "orders": [ORDER],
        "order_items": [ITEM],
        "customers": [
            {"customer_id": "new", "signed_up_at": "2026-03-01", "score": 3, "mood": "new"}
        ],
        "agents": [{"agent_id": "x", "hired_at": "2026-01-01", "skills": ["email", "chat"]}],
        "article_events": [{"viewed_at": "2026-03-01", "article_id": "x", "helpful": False}],
        "volumes": [{"unique_id": "total", "ds": "2026-03-01T00:00:00Z", "y": 3}],
    }
    assert ask("POST", "/v1/events", json=body).status_code == 200
    workspace = desk_and_client[0].workspace
    snapshot = take(workspace)
    assert not snapshot.quarantined
    assert check(workspace).ok
    assert "t9" in set(snapshot.frame("tickets", ["ticket_id"])["ticket_id"])
    # and between nights they are read alike
    live = desk_and_client[0].live.tables()
    for name in body:
        night = snapshot.frame(name).drop(columns="_row")
        now = live.frame(name).drop(columns="_row")
        assert now.dtypes.tolist() == night.dtypes.tolist()
        assert now.astype("str").values.tolist() == night.astype("str").values.tolist()


def test_an_idempotency_key_does_a_request_once(ask: Ask) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = ask("POST", "/v1/events", json={"tickets": [TICKET]}, headers=headers)
    again = ask("POST", "/v1/events", json={"tickets": [TICKET]}, headers=headers)
    assert again.content == first.content
    assert again.headers["idempotent-replay"] == "true"
    other = ask("POST", "/v1/events", json={"orders": [ORDER]}, headers=headers)
    assert other.status_code == 409
    empty = ask("POST", "/v1/events", json={"orders": [ORDER]}, headers={"Idempotency-Key": ""})
    assert empty.status_code == 400


def test_many_at_once_are_each_taken_once(ask: Ask) -> None:
    body = {"tickets": [TICKET]}

    def post(number: int) -> int:
        headers = {"Idempotency-Key": "same"} if number % 2 else {}
        answer = ask("POST", "/v1/events", json=body, headers=headers)
        assert answer.status_code == 200
        return int(
            "idempotent-replay" not in answer.headers and answer.json()["accepted"]["tickets"]
        )

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(post, range(8))) == 1
