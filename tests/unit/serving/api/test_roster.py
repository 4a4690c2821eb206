"""The published roster by call: shifts as JSON, CSV and calendar, and people missing now."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime

import pandas as pd
import pytest
from starlette.testclient import TestClient

from data.store import SCOPES, create_key
from serving.api.calls import CALLS
from serving.api.handlers import rosters
from serving.desk import Desk
from serving.jobs import results
from serving.planning.in_force import plan_in_force
from serving.published import publish
from serving.shifts import calendar_file, with_gap
from serving.shifts.files import MEDIA

from .conftest import MIDNIGHT, NOW, Ask

SHIFTS = pd.DataFrame(
    {
        "agent_id": ["kari", "kari", "=ola"],
        "day": ["2026-03-02", "2026-03-03", "2026-03-02"],
        "starts_at": [datetime(2026, 3, 2, 7), datetime(2026, 3, 3, 0), datetime(2026, 3, 2, 9)],
        "ends_at": [datetime(2026, 3, 2, 15), datetime(2026, 3, 3, 5), datetime(2026, 3, 2, 15)],
        "break_starts_at": pd.to_datetime(["2026-03-02T11:00", None, None]),
        "break_ends_at": pd.to_datetime(["2026-03-02T11:30", None, None]),
        "paid_hours": [7.5, 5.0, 6.0],
        "cost": [225.0, 150.0, 180.0],
        "skills": ["email+phone", "email+phone", "email"],
        "time_zone": ["Europe/Oslo", "Europe/Oslo", "Europe/London"],
    }
)
WEEK = {"first_day": "2026-03-02", "search_cost": 555.0, "bound": 550.0, "gap": 0.009}
CALENDAR = {"Accept": "text/calendar"}


@pytest.fixture
def rostered(desk_and_client: tuple[Desk, TestClient]) -> Iterator[Desk]:
    """The desk with a roster that has one person on e-mail in every interval."""
    desk = desk_and_client[0]
    plan = plan_in_force(desk).frame
    people = plan[["channel", "starts_at", "ends_at"]].assign(rostered=1)
    people = with_gap(people, plan, desk.workspace.settings.shifts.absence)
    state, when = desk.workspace.state_dir, {"as_of": MIDNIGHT, "now": NOW}
    publish(state, "roster_people", people, **when)
    week = {**WEEK, "seconds": 1.0, "ended_by_clock": False}
    publish(state, "roster", SHIFTS, weeks=[week], **when)
    yield desk


def test_without_a_roster_the_answer_says_how_one_is_made(ask: Ask) -> None:
    for path in ("/v1/staffing/roster", "/v1/staffing/gap", "/v1/staffing/roster?format=ics"):
        answer = ask("GET", path)
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/no-roster"
        assert "presage staff --shifts" in answer.json()["detail"]


def test_planning_says_what_there_is_beside_the_plan(ask: Ask, rostered: Desk) -> None:
    told = ask("GET", "/v1/planning").json()
    assert told["roster"] == "2026-03-02T10:00:00Z"
    assert (told["monitored"], told["failing"]) == (None, [])
    failed = {"channel": "email", "day": "2026-03-02", "kept": 0.6, "promised": 0.9}
    failed["worst_at"] = str(failed["day"]) + " 09:00"
    plan, when = plan_in_force(rostered).frame, {"as_of": MIDNIGHT, "now": NOW}
    state = rostered.workspace.state_dir
    publish(state, "staffing", plan, failing=[failed], model_version="volume-1-ab", **when)
    publish(state, "monitor", pd.DataFrame({"area": []}), **when)
    told = ask("GET", "/v1/planning").json()
    assert told["failing"] == [{**failed, "worst_at": "2026-03-02T09:00:00Z"}]
    assert told["monitored"] == "2026-03-02T00:00:00Z"


def test_the_roster_is_told_by_agent_and_span(ask: Ask, rostered: Desk) -> None:
    told = ask("GET", "/v1/staffing/roster?limit=2").json()
    assert [row["agent_id"] for row in told["items"]] == ["kari", "kari"] and told["next"]
    assert told["items"][0]["break_starts_at"] == "2026-03-02T11:00:00Z"
    assert told["items"][1]["break_starts_at"] is None
    assert told["weeks"][0]["gap"] == 0.009 and told["stale"] is False
    late = ask("GET", "/v1/staffing/roster?agent_id=kari&from=2026-03-02T08:00:00Z").json()["items"]
    assert [row["day"] for row in late] == ["2026-03-03"]
    wrong = ask("GET", "/v1/staffing/roster?agent_id=karl")
    assert (wrong.status_code, wrong.json()["type"]) == (404, "/problems/no-such-agent-id")
    assert 'Did you mean "kari"' in wrong.json()["detail"]
    for bad in ("format=pdf", "from=soon", "agent=kari", "from=2026-03-03&to=2026-03-02"):
        assert ask("GET", f"/v1/staffing/roster?{bad}").status_code == 400
    refused = ask("GET", "/v1/staffing/roster", headers={"Accept": "image/png"})
    assert refused.status_code == 406 and "text/calendar" in refused.json()["detail"]


def test_it_comes_as_the_files_that_the_verb_writes(ask: Ask, rostered: Desk) -> None:
    by_accept = ask("GET", "/v1/staffing/roster", headers=CALENDAR)
    assert by_accept.headers["content-type"].startswith("text/calendar")
    assert by_accept.content == calendar_file(SHIFTS, NOW)
    assert ask("GET", "/v1/staffing/roster?format=ics").content == by_accept.content
    one = ask("GET", "/v1/staffing/roster?format=ics&agent_id=kari").text
    assert one.count("BEGIN:VEVENT") == 2 and set(_uids(one)) < set(_uids(by_accept.text))
    table = ask("GET", "/v1/staffing/roster", headers={"Accept": "text/csv"})
    assert table.text.splitlines()[3].startswith("'=ola,"), "no spreadsheet runs it"
    assert pd.read_csv(io.StringIO(table.text))["paid_hours"].sum() == 18.5
    book = ask("GET", "/v1/staffing/roster?format=xlsx", headers={"Accept": MEDIA["xlsx"]})
    assert book.content[:2] == b"PK" and "roster.xlsx" in book.headers["content-disposition"]


def test_the_formats_that_are_documented_are_those_that_are_taken() -> None:
    documented = {
        (route.path, parameter.choices)
        for route in CALLS
        for parameter in route.parameters
        if parameter.name == "format"
    }
    assert documented == {
        ("/v1/staffing/roster", rosters.FORMATS),
        ("/v1/jobs/{id}/result", tuple(results.FORMATS)),
    }


def test_the_gap_follows_the_plan_and_the_roster_grows_stale(ask: Ask, rostered: Desk) -> None:
    first = ask("GET", "/v1/staffing/roster")
    same = ask("GET", "/v1/staffing/roster", headers={"If-None-Match": first.headers["etag"]})
    assert same.status_code == 304
    before = ask("GET", "/v1/staffing/gap?channel=email").json()["items"]
    assert all(row["gap"] == row["rostered"] - row["needed"] for row in before)
    change = {"starts_at": "2026-03-02T12:00:00Z", "ends_at": "2026-03-02T14:00:00Z", "factor": 10}
    ask(
        "POST",
        "/v1/overrides",
        json={**change, "unique_id": "channel=email", "reason": "a campaign"},
    )
    after = ask("GET", "/v1/staffing/gap").json()["items"]
    moved = [a["starts_at"] for a, b in zip(after, before, strict=True) if a["gap"] < b["gap"]]
    assert moved and min(moved) >= "2026-03-02T10:00:00Z"
    again = ask("GET", "/v1/staffing/roster", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200 and again.json()["stale"] is True
    assert ask("GET", "/v1/staffing/roster", headers=CALENDAR).headers["presage-stale"] == "true"


def test_a_key_without_the_scope_sees_no_roster(
    rostered: Desk, desk_and_client: tuple[Desk, TestClient]
) -> None:
    scopes = [scope for scope in SCOPES if scope != "forecasts"]
    told = {"Authorization": f"Bearer {create_key(rostered.store, 'other', scopes, NOW)}"}
    for path in ("roster", "gap"):
        answer = desk_and_client[1].get(f"/v1/staffing/{path}", headers=told)
        assert answer.status_code == 403


def _uids(calendar: str) -> list[str]:
    return [line for line in calendar.splitlines() if line.startswith("UID:")]
