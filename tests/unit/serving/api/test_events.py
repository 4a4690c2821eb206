"""Events in: all or none, wrong rows told by table, row and column, each taken once by key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from data.check import check
from data.snapshot import take
from data.store import event_frames, overrides_of, record_erasure
from data.store.consent import words_in
from data.workspace import Workspace, set_setting
from pipelines.run import newest_as_of
from serving.api.assembly import STANDING
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


def test_a_partial_row_changes_what_it_names(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk, _ = desk_and_client

    def row_of(name: str, key: str, value: str) -> dict[str, Any]:
        frame = take(desk.workspace).frame(name)
        frame = frame[frame[key] == value].sort_values(["recorded_at", "_row"])
        live = desk.live.rows_of([str(frame["customer_id"].iloc[-1])]).frame(name)
        live = live[live[key] == value].sort_values(["recorded_at", "_row"])
        for column in frame.columns.drop("_row"):
            assert str(live[column].iloc[-1]) == str(frame[column].iloc[-1]), column
        return dict(frame.iloc[-1])

    part = {"customer_id": "a", "plan": "gold"}
    for _ in range(2):  # what the tables say, and then what was posted, is kept
        assert ask("POST", "/v1/events", json={"customers": [part]}).status_code == 200
        found = row_of("customers", "customer_id", "a")
        assert (found["plan"], found["score"], found["mood"]) == ("gold", 1.5, "good")
        assert ask("GET", "/v1/customers/a").json()["consent"]["email_consent"] is True
        assert str(found["signed_up_at"]) == "2025-01-01 00:00:00"
        part = {"customer_id": "a", "plan": "gold", "region": "north"}
    assert found["region"] == "north"
    again = ask("POST", "/v1/events", json={"customers": [part]}).json()
    assert again["duplicates"] == {"customers": 1}
    cleared = {"customer_id": "a", "plan": None}
    assert ask("POST", "/v1/events", json={"customers": [cleared]}).status_code == 200
    assert row_of("customers", "customer_id", "a")["plan"] != "gold"
    moved = {"order_id": "o1", "customer_id": "b/2"}
    assert ask("POST", "/v1/events", json={"orders": [moved]}).status_code == 200
    assert row_of("orders", "order_id", "o1")["amount"] == 9.5
    # somebody new needs a whole row, and so does a row that was deleted
    new = ask("POST", "/v1/events", json={"customers": [{"customer_id": "z", "plan": "x"}]})
    assert (new.status_code, new.json()["errors"][0]["column"]) == (422, "signed_up_at")
    gone = {"order_id": "o1", "deleted": True}
    assert ask("POST", "/v1/events", json={"orders": [gone]}).status_code == 200
    assert ask("POST", "/v1/events", json={"orders": [moved]}).status_code == 422


def test_the_newest_word_on_consent_holds_whichever_door_it_came_by(ask: Ask) -> None:
    def consent(customer: str) -> Any:
        return ask("GET", f"/v1/customers/{customer}").json()["consent"]

    def post(**row: Any) -> None:
        known = {"customer_id": "a", "signed_up_at": "2025-01-01", **row}
        assert ask("POST", "/v1/events", json={"customers": [known]}).status_code == 200

    assert consent("a")["email_consent"] is True
    assert ask("PUT", "/v1/customers/a/consent", json={"email_consent": True}).status_code == 200
    post(email_consent=False)
    assert consent("a")["email_consent"] is False
    assert ask("PUT", "/v1/customers/a/consent", json={"email_consent": True}).status_code == 200
    assert consent("a")["email_consent"] is True
    assert ask("PUT", "/v1/customers/a/consent", json={"email_consent": False}).status_code == 200
    post(region="north")  # a row that says nothing of it takes nothing back
    assert consent("a")["email_consent"] is False
    assert ask("PUT", "/v1/customers/a/consent", json={"do_not_contact": True}).status_code == 200
    post(plan="gold")
    assert consent("a")["do_not_contact"] is True
    post(do_not_contact=True)
    post(do_not_contact=False)
    assert consent("a")["do_not_contact"] is False


def test_who_is_not_known_yet_can_refuse(ask: Ask) -> None:
    no = ask("PUT", "/v1/customers/nobody/consent", json={"do_not_contact": True})
    assert (no.status_code, no.json()["do_not_contact"]) == (200, True)
    yes = ask("PUT", "/v1/customers/nobody/consent", json={"email_consent": True})
    assert yes.status_code == 404
    row = {"customer_id": "nobody", "signed_up_at": "2026-03-01", "email_consent": True}
    assert ask("POST", "/v1/events", json={"customers": [row]}).status_code == 200
    assert ask("GET", "/v1/customers/nobody").json()["consent"]["do_not_contact"] is True


def test_a_company_that_goes_on_by_posting_moves_its_nights_on(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    workspace = desk_and_client[0].workspace
    set_setting(workspace.path, "data.complete_to", "2026-02-24T23:00:00")
    pinned = Workspace.open(workspace.path)
    assert pinned.default_as_of() == datetime(2026, 2, 24, 23)
    assert ask("POST", "/v1/events", json={"tickets": [TICKET]}).status_code == 200
    assert pinned.default_as_of() == datetime(2026, 3, 1, 23)  # midnight in Oslo
    assert newest_as_of(pinned, take(pinned), None) == datetime(2026, 3, 1, 23)


def test_an_idempotency_key_does_a_request_once(ask: Ask) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = ask("POST", "/v1/events", json={"tickets": [TICKET]}, headers=headers)
    again = ask("POST", "/v1/events", json={"tickets": [TICKET]}, headers=headers)
    assert again.content == first.content
    assert again.headers["idempotent-replay"] == "true"
    other = ask("POST", "/v1/events", json={"orders": [ORDER]}, headers=headers)
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]
    empty = ask("POST", "/v1/events", json={"orders": [ORDER]}, headers={"Idempotency-Key": ""})
    assert empty.status_code == 400


def test_a_refused_request_leaves_its_idempotency_key_free(ask: Ask) -> None:
    headers = {"Idempotency-Key": "again"}
    wrong = {"tickets": [{**TICKET, "channel": 1.5}]}
    assert ask("POST", "/v1/events", json=wrong, headers=headers).status_code == 422
    right = ask("POST", "/v1/events", json={"tickets": [TICKET]}, headers=headers)
    assert right.json()["accepted"] == {"tickets": 1}


def test_many_at_once_are_each_taken_once(ask: Ask) -> None:
    body = {"tickets": [TICKET]}

    def post(number: int) -> int:
        headers = {"Idempotency-Key": "same"} if number % 2 else {}
        answer = ask("POST", "/v1/events", json=body, headers=headers)
        if number % 2 and answer.status_code == 409:  # the first of that key still runs
            assert answer.json()["type"] == "/problems/running"
            assert int(answer.headers["retry-after"]) > 0
            return 0
        assert answer.status_code == 200
        return int(
            "idempotent-replay" not in answer.headers and answer.json()["accepted"]["tickets"]
        )

    with ThreadPoolExecutor(STANDING) as pool:  # more may be refused on a slow disk
        assert sum(pool.map(post, range(8))) == 1


def test_two_equal_overrides_at_once_are_one(ask: Ask, desk_and_client: Any) -> None:
    change = {
        "unique_id": "total",
        "starts_at": "2026-03-02T12:00:00Z",
        "ends_at": "2026-03-02T18:00:00Z",
        "factor": 2.0,
        "reason": "sale",
    }

    def post(key: int) -> int:
        headers = {"Idempotency-Key": f"k{key // 2}"}
        return int(ask("POST", "/v1/overrides", json=change, headers=headers).status_code)

    with ThreadPoolExecutor(STANDING) as pool:  # more may be refused on a slow disk
        assert set(pool.map(post, range(12))) <= {200, 409}
    assert len(overrides_of(desk_and_client[0].store)) == 6


def test_rows_of_the_erased_are_left_out_and_counted(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk, _ = desk_and_client
    record_erasure(desk.store, "gone-77", {"state": "done"}, desk.now(), orders=["o-77"])
    rows: dict[str, list[dict[str, Any]]] = {
        "orders": [
            {"order_id": "o-78", "ordered_at": "2026-03-01T00:00:00Z", "customer_id": "gone-77"},
            {"order_id": "o-79", "ordered_at": "2026-03-01T00:00:00Z", "customer_id": "a"},
        ],
        "order_items": [{"order_id": "o-77", "line": "1"}],
    }
    done = ask("POST", "/v1/events", json=rows).json()
    assert done["accepted"] == {"orders": 1, "order_items": 0}
    assert done["erased"] == {"orders": 1, "order_items": 1}
    opted = ask("PUT", "/v1/customers/gone-77/consent", json={"email_consent": False})
    assert (opted.status_code, opted.json()["type"]) == (404, "/problems/erased")
    with desk.store.reading() as connection:
        assert words_in(connection, ["gone-77"]) == {"gone-77": {}}
    rows["orders"][1]["amount"] = "much"  # row 2 as it was posted, whoever is left out before it
    refused = ask("POST", "/v1/events", json=rows)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["row"] == 2
