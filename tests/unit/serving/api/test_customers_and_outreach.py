"""One customer at a glance; outreach in order, what became of it, and consent that holds."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from data.store import Limits, claim, create_key, outcomes_of, record_delivery
from serving.desk import Desk

from .conftest import Ask


def test_the_view_holds_what_is_known_now_and_nothing_more(ask: Ask) -> None:
    view = ask("GET", "/v1/customers/a").json()
    assert view["attributes"]["score"] == 1.5
    assert view["attributes"]["mood"] == "good"
    (order,) = view["orders"]
    assert order["amount"] == 9.5
    assert [item["line"] for item in order["items"]] == ["1", "2"]
    newest, older = view["tickets"]
    assert (newest["ticket_id"], older["ticket_id"]) == ("t2", "t1")
    # opened on Monday at 9 local time, answered an hour and a half later, in opening hours
    assert (older["waited_seconds"], older["response_state"]) == (5400.0, "met")
    assert older["resolution_state"] == "met"
    assert (newest["response_state"], newest["resolution_state"]) == ("open", "open")
    (usage,) = view["usage"]
    assert (usage["feature"], usage["uses"], usage["uses_28d"]) == ("search", 2.0, 1.0)
    assert usage["errors"] == 1.0
    assert view["prediction"] is None
    assert [action["outreach_id"] for action in view["outreach"]] == ["d1", "d3", "d5"]
    assert view["consent"]["email_consent"] is True
    assert view["consent"]["sms_consent"] is None


def test_what_was_written_is_read_with_its_own_scope(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk, client = desk_and_client
    row = {"ticket_id": "t2", "text": "where is my parcel"}
    assert ask("POST", "/v1/events", json={"tickets": [row]}).status_code == 200
    assert ask("GET", "/v1/customers/a").json()["tickets"][0]["text"] == "where is my parcel"
    key = create_key(desk.store, "crm", ["customers"], desk.now())
    view = client.get("/v1/customers/a", headers={"Authorization": f"Bearer {key}"})
    assert view.status_code == 200 and view.json()["tickets"][0]["ticket_id"] == "t2"
    assert "parcel" not in view.text


def test_an_id_with_a_slash_is_asked_for_escaped(ask: Ask) -> None:
    assert ask("GET", "/v1/customers/b%2F2").json()["customer_id"] == "b/2"


def test_who_is_unknown_and_who_has_left(ask: Ask) -> None:
    assert ask("GET", "/v1/customers/nobody").status_code == 404
    grant = ask("PUT", "/v1/customers/nobody/consent", json={"email_consent": True})
    assert grant.status_code == 404
    assert (
        ask("GET", "/v1/customers/gone").json()["attributes"]["closed_at"].startswith("2026-02-01")
    )


def test_somebody_posted_is_known_at_once(ask: Ask) -> None:
    row = {"customer_id": "new", "signed_up_at": "2026-03-01", "score": 7}
    assert ask("POST", "/v1/events", json={"customers": [row]}).status_code == 200
    assert ask("GET", "/v1/customers/new").json()["attributes"]["score"] == 7.0


def test_consent_holds_from_the_answer_on(ask: Ask) -> None:
    answer = ask("PUT", "/v1/customers/a/consent", json={"email_consent": False})
    assert answer.json()["email_consent"] is False
    assert ask("GET", "/v1/customers/a").json()["consent"]["email_consent"] is False
    both = {"sms_consent": True, "do_not_contact": True}
    told = ask("PUT", "/v1/customers/a/consent", json=both).json()
    assert (told["email_consent"], told["sms_consent"], told["do_not_contact"]) == (
        False,
        True,
        True,
    )


@pytest.mark.parametrize("body", [{}, {"email": True}, {"email_consent": "no"}, []])
def test_consent_of_another_shape_is_refused(body: object, ask: Ask) -> None:
    assert ask("PUT", "/v1/customers/a/consent", json=body).status_code == 422


def test_decided_actions_come_in_pages_and_hold_outs_do_not(ask: Ask) -> None:
    first = ask("GET", "/v1/outreach?limit=2").json()
    assert [item["outreach_id"] for item in first["items"]] == ["d1", "d3"]
    second = ask("GET", f"/v1/outreach?limit=2&after={first['next']}").json()
    assert [item["outreach_id"] for item in second["items"]] == ["d5"]
    assert second["next"] is None
    last = second["items"][-1]["cursor"]
    assert ask("GET", f"/v1/outreach?after={last}").json()["items"] == []
    assert first["items"][0]["propensity"] == 0.9
    for wrong in ("after=x", "limit=0", "limit=x", "since=1"):
        assert ask("GET", f"/v1/outreach?{wrong}").status_code == 400


def test_an_outcome_is_recorded_once(ask: Ask, desk_and_client: tuple[Desk, TestClient]) -> None:
    report = {"outcome": "answered", "at": "2026-03-02T10:30:00+01:00", "note": "thanks"}
    told = {"outreach_id": "d3", "outcome": "answered", "at": "2026-03-02T09:30:00Z"}
    assert ask("POST", "/v1/outreach/d3/outcome", json=report).json() == told
    again = ask("POST", "/v1/outreach/d3/outcome", json=report).json()
    assert again == {**told, "repeated": True}
    assert len(outcomes_of(desk_and_client[0].store, ["d3"])["d3"]) == 1
    told = ask("GET", "/v1/customers/a").json()["outreach"][1]
    assert told["outcomes"] == [{"outcome": "answered", "at": "2026-03-02T09:30:00Z"}]


def test_outcomes_that_cannot_be(ask: Ask) -> None:
    report = {"outcome": "answered", "at": "2026-03-02T09:30:00Z"}
    assert ask("POST", "/v1/outreach/d2/outcome", json=report).status_code == 404
    assert ask("POST", "/v1/outreach/zz/outcome", json=report).status_code == 404
    for change in ({"outcome": "maybe"}, {"at": "2027-01-01T00:00:00Z"}, {"at": "x"}, {"why": 1}):
        assert ask("POST", "/v1/outreach/d3/outcome", json={**report, **change}).status_code == 422
    early = ask("POST", "/v1/outreach/d3/outcome", json={**report, "at": "2020-01-01T00:00:00Z"})
    assert early.status_code == 422 and "as of which it was decided" in early.json()["detail"]


def test_who_opted_out_is_not_handed_out_any_more(ask: Ask) -> None:
    assert len(ask("GET", "/v1/outreach").json()["items"]) == 3
    assert ask("PUT", "/v1/customers/a/consent", json={"do_not_contact": True}).status_code == 200
    assert ask("GET", "/v1/outreach").json() == {"items": [], "next": None}


def test_an_opt_out_is_answered_when_nothing_is_on_its_way(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    """A message that a sender has marked, and records as delivered a little later."""
    desk = desk_and_client[0]
    limits = Limits(3, timedelta(days=3))
    options = {"holder": "t", "lease": timedelta(seconds=60), "limits": limits}
    found = claim(desk.store, desk.gate, lambda m: b"{}", now_of=desk.now, **options)  # type: ignore[arg-type]
    assert found.message is not None
    recorded = threading.Event()

    def deliver() -> None:
        recorded.set()
        record_delivery(desk.store, found.message, desk.now())  # type: ignore[arg-type]

    timer = threading.Timer(0.5, deliver)
    timer.start()
    assert ask("PUT", "/v1/customers/a/consent", json={"email_consent": False}).status_code == 200
    assert recorded.is_set()
    timer.join()
