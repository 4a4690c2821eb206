"""A planner's override: said before it is kept, moves the plan at once, is withdrawn and judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from data.store import overrides_of
from serving.desk import Desk
from serving.published import publish

from .conftest import Ask

OVERRIDE = {
    "unique_id": "channel=email",
    "starts_at": "2026-03-02T12:00:00Z",
    "ends_at": "2026-03-02T15:00:00+01:00",
    "factor": 2,
    "reason": "a campaign",
}
FORECAST = "/v1/forecasts?unique_id=channel%3Demail&from=2026-03-02T12:00:00Z&limit=3"
PEOPLE = "/v1/staffing?from=2026-03-02T12:00:00Z&to=2026-03-02T15:00:00Z"


def people(ask: Ask) -> list[int]:
    return [row["agents_net"] for row in ask("GET", PEOPLE).json()["items"]]


def test_an_override_stands_beside_the_forecast_until_it_expires(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    told = ask("POST", "/v1/overrides", json={**OVERRIDE, "expires_at": "2026-03-02T13:00:00Z"})
    assert told.status_code == 200
    assert told.json()["author"] == "everything"
    assert told.json()["ends_at"] == "2026-03-02T14:00:00Z"
    rows = ask("GET", FORECAST).json()["items"]
    assert [row["presage"] for row in rows] == [42, 43, 44]
    assert [row["overridden"] for row in rows] == [84, 86, None]
    # before it was made, the forecast in force had none
    before = ask("GET", f"{FORECAST}&issued_at=2026-03-02T09:00:00Z").json()["items"]
    assert [row["overridden"] for row in before] == [None, None, None]
    store = desk_and_client[0].store
    assert len(overrides_of(store, datetime(2026, 3, 2, 12))) == 1
    assert overrides_of(store, datetime(2026, 3, 2, 13)) == []


def test_an_override_moves_the_plan_at_once_and_its_withdrawal_moves_it_back(ask: Ask) -> None:
    before = people(ask)
    shown = ask("POST", "/v1/overrides/preview", json={**OVERRIDE, "factor": 10}).json()["effect"]
    assert shown["contacts_before"] == 42 + 43
    assert shown["contacts_after"] == 10 * (42 + 43)
    assert shown["hours_gross_after"] > shown["hours_gross_before"]
    assert people(ask) == before, "a preview keeps nothing"
    kept = ask("POST", "/v1/overrides", json={**OVERRIDE, "factor": 10}).json()
    raised = people(ask)
    assert raised[0] > before[0]
    rows = ask("GET", PEOPLE).json()["items"]
    assert [row["volume"] for row in rows] == [420, 430, 44]
    assert [row["volume_forecast"] for row in rows] == [42, 43, 44]
    (day,) = ask("GET", "/v1/staffing/days?to=2026-03-02T12:00:00Z").json()["items"]
    assert day["volume"] - day["volume_forecast"] == pytest.approx(9 * 85)
    assert ask("GET", "/v1/planning").json()["overrides"] == [int(kept["override_id"])]
    gone = ask("POST", f"/v1/overrides/{kept['override_id']}/withdraw").json()
    assert (gone["state"], gone["withdrawn_by"]) == ("withdrawn", "everything")
    assert people(ask) == before
    assert ask("GET", FORECAST).json()["items"][0]["overridden"] is None
    again = ask("POST", f"/v1/overrides/{kept['override_id']}/withdraw")
    assert again.status_code == 409 and "everything" in again.json()["detail"]
    assert ask("POST", "/v1/overrides/77/withdraw").status_code == 404
    assert len(ask("GET", "/v1/overrides").json()["items"]) == 1, "it stays on record"


def test_what_has_passed_is_not_planned_again(ask: Ask) -> None:
    past = "/v1/staffing?to=2026-03-02T10:00:00Z"
    before = ask("GET", past).json()["items"]
    whole_day = {**OVERRIDE, "starts_at": "2026-03-02T00:00:00Z", "factor": 5}
    told = ask("POST", "/v1/overrides", json=whole_day).json()
    assert told["starts_at"] == "2026-03-02T11:00:00Z", "from the first step still to come"
    assert ask("GET", past).json()["items"] == before


def test_overlaps_and_own_effects_are_said(ask: Ask) -> None:
    first = ask("POST", "/v1/overrides", json=OVERRIDE).json()
    assert (first["overlaps"], first["notes"]) == ([], [])
    second = ask("POST", "/v1/overrides", json={**OVERRIDE, "factor": 3}).json()
    assert second["overlaps"] == [first["override_id"]]
    assert "one after the other" in second["notes"][0] and "a campaign" in second["notes"][0]
    elsewhere = {**OVERRIDE, "unique_id": "total"}
    met = ask("POST", "/v1/overrides/preview", json=elsewhere).json()["overlaps"]
    assert [one["override_id"] for one in met] == [first["override_id"], second["override_id"]]
    items = ask("GET", "/v1/overrides").json()["items"]
    effects = [(one["effect"]["contacts_before"], one["effect"]["contacts_after"]) for one in items]
    assert effects == [(3 * 85, 6 * 85), (2 * 85, 6 * 85)]


def test_times_without_a_zone_are_the_companys(ask: Ask) -> None:
    told = {"starts_at": "2026-03-02T13:00:00", "ends_at": "2026-03-02T15:00:00"}
    kept = ask("POST", "/v1/overrides", json={**OVERRIDE, **told}).json()
    assert (kept["starts_at"], kept["ends_at"]) == ("2026-03-02T12:00:00Z", "2026-03-02T14:00:00Z")


def test_an_override_on_closed_hours_says_that_nobody_is_there(ask: Ask) -> None:
    told = {"starts_at": "2026-03-02T18:00:00", "ends_at": "2026-03-02T20:00:00"}
    kept = ask("POST", "/v1/overrides", json={**OVERRIDE, **told}).json()
    assert kept["notes"] == [
        "email is closed in all of this span: its contacts wait for the next opening"
    ]


def test_an_override_is_judged_by_author_when_the_counts_are_in(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk = desk_and_client[0]
    assert ask("POST", "/v1/overrides", json=OVERRIDE).status_code == 200
    assert ask("GET", "/v1/overrides").json()["items"][0]["result"] is None
    assert ask("GET", "/v1/overrides").json()["authors"] == []
    at = datetime(2026, 3, 2, 12)
    came = pd.DataFrame({"unique_id": "channel=email", "ds": [at], "y": [500.0]})
    about: dict[str, Any] = {"as_of": datetime(2026, 3, 3), "now": datetime(2026, 3, 3)}
    publish(desk.workspace.state_dir, "actuals", came, **about)
    told = ask("GET", "/v1/overrides").json()
    # the vintage in force said 420 at that hour
    result = {"steps": 1.0, "error": 80.0, "error_overridden": 340.0, "value_added": -260.0}
    assert told["items"][0]["result"] == result
    assert told["authors"] == [{"author": "everything", "overrides": 1, **result}]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"unique_id": "channel=emial"}, "channel=email"),
        ({"value": 5}, "not both"),
        ({"factor": None}, "not neither"),
        ({"factor": -1}, "factor"),
        ({"reason": ""}, "reason"),
        ({"reason": " \t"}, "reason is blank"),
        ({"author": "Grace"}, "author is the key's name"),
        ({"starts_at": "2026-03-02T16:00:00Z"}, "not after starts_at"),
        (
            {"starts_at": "2026-03-02T06:00:00Z", "ends_at": "2026-03-02T09:00:00Z"},
            "lies in the past",
        ),
        (
            {"starts_at": "2026-05-02T00:00:00Z", "ends_at": "2026-05-03T00:00:00Z"},
            "no step of the forecast",
        ),
        ({"expires_at": "2026-03-02T09:00:00Z"}, "expires_at"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused_and_named(
    wrong: dict[str, object], named: str, ask: Ask
) -> None:
    for path in ("/v1/overrides", "/v1/overrides/preview"):
        answer = ask("POST", path, json={**OVERRIDE, **wrong})
        assert answer.status_code == 422
        assert named in answer.text
    assert ask("GET", "/v1/overrides").json()["items"] == []
