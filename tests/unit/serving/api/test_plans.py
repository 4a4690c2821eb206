"""What if, scenarios beside the plan, versions: published, locked, rolled back."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Ask

SHORT = {"starts_at": "2026-03-02T12:00:00Z", "ends_at": "2026-03-02T13:00:00Z"}


def what_if(ask: Ask, **assumed: Any) -> dict[str, Any]:
    answer = ask("POST", "/v1/what-if", json={"assumed": assumed})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def people(ask: Ask) -> dict[str, int]:
    items = ask("GET", "/v1/staffing").json()["items"]
    return {row["starts_at"]: row["agents_net"] for row in items}


def test_a_what_if_that_changes_nothing_is_the_plan_in_force(ask: Ask) -> None:
    told = what_if(ask)
    assert set(told["change"].values()) == {0.0}
    assert {row["starts_at"]: row["agents_net"] for row in told["items"]} == people(ask)


@pytest.mark.parametrize(
    ("assumed", "name", "sign"),
    [
        ({"volume": 1.5}, "hours_gross", 1),
        ({"volume": {"email": 0.5}}, "hours_gross", -1),
        ({"handle_time": 1.5}, "hours_gross", 1),
        ({"prevented": 0.4}, "contacts", -1),
        ({"shrinkage": 0.5}, "hours_gross", 1),
        ({"service_levels": {"email": {"confidence": 0.5}}}, "hours_gross", -1),
        ({"campaigns": [{**SHORT, "channel": "email", "contacts": 300}]}, "contacts", 1),
        ({"closed": [{**SHORT, "channel": "email"}]}, "people_most", 1),
    ],
)
def test_each_assumption_moves_the_plan(
    assumed: dict[str, Any], name: str, sign: int, ask: Ask
) -> None:
    before = people(ask)
    told = what_if(ask, **assumed)
    assert told["change"][name] * sign > 0, told["change"]
    assert told["after"][name] - told["before"][name] == pytest.approx(told["change"][name])
    assert people(ask) == before, "nothing is kept"


@pytest.mark.parametrize(
    ("assumed", "named"),
    [
        ({"volume": -1}, "volume of * is -1"),
        ({"volume": {"fax": 1.2}}, "no channel 'fax'"),
        ({"shrinkage": 30}, "shrinkage"),
        ({"service_levels": {"email": {"shar": 0.9}}}, "shar"),
        ({"service_levels": {"email": {"share": 1.5}}}, "share"),
        (
            {"closed": [{"starts_at": SHORT["ends_at"], "ends_at": SHORT["starts_at"]}]},
            "before it begins",
        ),
        ({"volum": 2}, "volum"),
        ({"handle_time": 0}, "handle_time"),
        ({"shrinkage": 0.99}, "shrinkage is 0.99"),
        ({"service_levels": {"email": {"patience_seconds": 0}}}, "patience_seconds"),
        ({"service_levels": {"fax": {"share": 0.9}}}, "no channel 'fax'"),
        ({"at_most": {"fax": 2}}, "no channel 'fax'"),
        ({"closed": [{**SHORT, "channel": "fax"}]}, "no channel 'fax'"),
        ({"campaigns": [{**SHORT, "channel": "fax", "contacts": 5}]}, "fax"),
        ({"closed": [{"starts_at": "2027-01-01", "ends_at": "2027-01-02"}]}, "datetime"),
        (
            {"closed": [{"starts_at": "2027-01-01T00:00:00", "ends_at": "2027-01-02T00:00:00"}]},
            "outside the plan",
        ),
    ],
)
def test_what_cannot_be_assumed_is_refused_and_named(
    assumed: dict[str, Any], named: str, ask: Ask
) -> None:
    answer = ask("POST", "/v1/what-if", json={"assumed": assumed})
    assert answer.status_code == 422
    assert named.lower() in answer.text.lower()


@pytest.mark.parametrize(
    ("assumed", "people_most"),
    [
        ({"closed": [{"starts_at": "2026-03-01T00:00:00", "ends_at": "2026-03-09T00:00:00"}]}, 0),
        ({"volume": 0}, 0),
        ({"at_most": {"email": 100_000}}, None),
        ({"service_levels": {"email": {"share": 1.0}}}, None),
    ],
    ids=["closed all week", "nothing comes", "more agents than contacts", "all of them in time"],
)
def test_the_extreme_is_defined(
    assumed: dict[str, Any], people_most: float | None, ask: Ask
) -> None:
    before = what_if(ask)["before"]["people_most"]
    after = what_if(ask, **assumed)["after"]["people_most"]
    if people_most is not None:
        assert after == people_most
    else:
        assert before <= after <= 3 * before


def test_what_an_assumption_is_worth_is_told(ask: Ask) -> None:
    told = ask("POST", "/v1/what-if", json={"sensitivity": True}).json()["sensitivity"]
    by_name = {one["assumption"]: one for one in told}
    assert set(by_name) == {"volume", "handle", "shrinkage", "share"}
    assert all(one["higher"] > one["lower"] for one in told if one["assumption"] != "share")
    swings = [abs(one["higher"] - one["lower"]) for one in told]
    assert swings == sorted(swings, reverse=True)


def test_people_for_more_of_the_scenarios_are_never_fewer(ask: Ask) -> None:
    items = ask("GET", "/v1/staffing/range").json()["items"]
    most = {share: max(row[f"agents_net_{share}"] for row in items) for share in (50, 80, 90)}
    assert 0 < most[50] <= most[80] <= most[90]
    assert {row["starts_at"]: row["agents_net"] for row in items} == people(ask)


def test_a_scenario_is_a_draft_until_published_and_a_version_rolls_it_back(ask: Ask) -> None:
    before = people(ask)
    body = {"name": "busy", "reason": "the launch", "assumed": {"volume": 2, "shrinkage": 0.4}}
    draft = ask("POST", "/v1/scenarios", json=body).json()
    assert (draft["state"], draft["author"]) == ("draft", "everything")
    assert draft["after"]["hours_gross"] > draft["before"]["hours_gross"]
    assert people(ask) == before
    assert ask("POST", "/v1/scenarios", json=body).status_code == 409, "the name is taken"
    first = ask("GET", "/v1/plans").json()["items"][0]["version"]

    versions = ask("POST", "/v1/scenarios/busy/publish").json()["items"]
    assert versions[0]["in_force"] and versions[0]["scenario"] == "busy"
    assert versions[0]["reason"] == "the launch"
    busy = people(ask)
    assert sum(busy.values()) > sum(before.values())
    passed = [at for at in before if at < "2026-03-02T10:00:00Z"]
    assert passed and all(busy[at] == before[at] for at in passed), "the past stands"
    (told,) = ask("GET", "/v1/scenarios").json()["items"]
    assert told["state"] == "in force" and told["published_at"] is not None
    planning = ask("GET", "/v1/planning").json()
    assert (planning["scenario"], planning["shrinkage"]) == ("busy", 0.4)

    back = ask("POST", f"/v1/plans/{first}/restore", json={"reason": "no launch"}).json()["items"]
    assert back[0]["restored"] == first and back[0]["in_force"]
    assert people(ask) == before
    assert ask("GET", "/v1/planning").json()["shrinkage"] == 0.3
    assert ask("POST", "/v1/plans/99/restore", json={"reason": "?"}).status_code == 404
    assert ask("POST", "/v1/scenarios/quiet/publish").status_code == 404


def test_an_override_moves_a_published_scenario_under_its_own_assumptions(ask: Ask) -> None:
    body = {"name": "slow", "reason": "new tool", "assumed": {"handle_time": 2}}
    ask("POST", "/v1/scenarios", json=body)
    ask("POST", "/v1/scenarios/slow/publish")
    before = people(ask)
    told = {**SHORT, "unique_id": "channel=email", "factor": 1.0, "reason": "as it is"}
    assert ask("POST", "/v1/overrides", json=told).status_code == 200
    assert people(ask) == before, "handling time is doubled once"
    path = "/v1/staffing?from=2026-03-02T11:00:00Z"
    handle = {row["handle_seconds"] for row in ask("GET", path).json()["items"]}
    assert handle == {1200.0}


def test_a_locked_plan_stands_whatever_is_changed(ask: Ask) -> None:
    locked = ask("POST", "/v1/plans/lock", json={"reason": "sent to the agents"}).json()["items"]
    assert locked[0]["locked"]
    before = people(ask)
    override = {**SHORT, "unique_id": "channel=email", "factor": 10, "reason": "late news"}
    told = ask("POST", "/v1/overrides", json=override).json()
    assert "locked" in told["notes"][-1]
    assert people(ask) == before
    body = {"name": "busy", "reason": "the launch", "assumed": {"volume": 2}}
    ask("POST", "/v1/scenarios", json=body)
    refused = ask("POST", "/v1/scenarios/busy/publish")
    assert refused.status_code == 409 and "sent to the agents" in refused.json()["detail"]
    assert ask("POST", "/v1/plans/lock", json={"reason": "again"}).status_code == 409
    assert ask("GET", "/v1/planning").json()["lock"]["author"] == "everything"
    assert ask("POST", "/v1/plans/unlock", json={"reason": " "}).status_code == 422
    ask("POST", "/v1/plans/unlock", json={"reason": "the news is true"})
    assert sum(people(ask).values()) > sum(before.values())
    assert ask("POST", "/v1/plans/unlock", json={"reason": "again"}).status_code == 409


def test_a_published_scenario_is_played_and_its_failing_days_are_named(ask: Ask) -> None:
    assert ask("GET", "/v1/planning").json()["failing"] == []
    promise = {"email": {"share": 0.3}}  # more than that no number of people could keep
    assumed = {"volume": 3, "at_most": {"email": 1}, "service_levels": promise}
    ask("POST", "/v1/scenarios", json={"name": "thin", "reason": "flu", "assumed": assumed})
    ask("POST", "/v1/scenarios/thin/publish")
    (worst, *_) = ask("GET", "/v1/planning").json()["failing"]
    assert (worst["channel"], worst["promised"]) == ("email", 0.9)
    assert worst["kept"] < 0.5 and worst["worst_at"].startswith(worst["day"])
    body = {"name": "usual", "reason": "all are well", "assumed": {}}
    ask("POST", "/v1/scenarios", json=body)
    ask("POST", "/v1/scenarios/usual/publish")
    assert ask("GET", "/v1/planning").json()["failing"] == [], "of the plan in force, and no other"
