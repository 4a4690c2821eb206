"""Consent is read again when actions are handed out; cases of feedback and their steps."""

from __future__ import annotations

from starlette.testclient import TestClient

from serving.desk import Desk
from serving.outreach.cases import open_cases
from serving.outreach.protocol import open_case

from .conftest import NOW, Ask


def test_whoever_opted_out_is_not_handed_out(ask: Ask) -> None:
    assert len(ask("GET", "/v1/outreach").json()["items"]) == 3
    ask("PUT", "/v1/customers/a/consent", json={"do_not_contact": True})
    page = ask("GET", "/v1/outreach").json()
    assert page == {"items": [], "next": None}
    ask("PUT", "/v1/customers/a/consent", json={"do_not_contact": False})
    assert len(ask("GET", "/v1/outreach").json()["items"]) == 3
    ask("PUT", "/v1/customers/a/consent", json={"email_consent": False})
    assert ask("GET", "/v1/outreach").json()["items"] == []


def test_a_page_left_empty_by_refusals_still_leads_on(ask: Ask) -> None:
    ask("PUT", "/v1/customers/a/consent", json={"do_not_contact": True})
    page = ask("GET", "/v1/outreach?limit=2").json()
    assert page["items"] == [] and page["next"] is not None
    assert ask("GET", f"/v1/outreach?after={page['next']}").json()["next"] is None


def test_each_action_says_when_it_may_be_sent(ask: Ask) -> None:
    (first, *_) = ask("GET", "/v1/outreach").json()["items"]
    # ten in the morning UTC is eleven in Oslo: now, until eight in the evening
    assert first["not_before"].startswith("2026-03-02T10:")
    assert first["not_after"] == "2026-03-02T19:00:00Z"
    assert first["message"] is None


def test_a_case_goes_through_its_steps(ask: Ask, desk_and_client: tuple[Desk, TestClient]) -> None:
    open_cases(desk_and_client[0].store, [open_case("f/1", "a", NOW)], NOW)
    (case,) = ask("GET", "/v1/cases").json()["items"]
    assert case["steps"][0] == {
        "step": "acknowledge", "owner": "first line", "deadline": "2026-03-02T18:00:00Z",
        "done_at": None, "state": "due",
    }  # fmt: skip
    step = {"step": "acknowledge", "at": "2026-03-02T10:00:00Z", "by": "Kari"}
    answer = ask("POST", "/v1/cases/f%2F1/steps", json=step).json()
    assert [each["state"] for each in answer["steps"]][:2] == ["done", "due"]
    assert ask("POST", "/v1/cases/f%2F1/steps", json=step).status_code == 409
    assert ask("POST", "/v1/cases/f%2F1/steps", json={**step, "step": "solve"}).status_code == 409
    assert ask("POST", "/v1/cases/zz/steps", json=step).status_code == 404
    ahead = {**step, "step": "own", "at": "2027-01-01T00:00:00Z"}
    assert ask("POST", "/v1/cases/f%2F1/steps", json=ahead).status_code == 422
