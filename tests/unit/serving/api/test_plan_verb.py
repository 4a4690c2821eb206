"""presage plan has the same plan as the API, and writes who did what."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from data.errors import UsageError
from pipelines.plan_verb import run
from serving.desk import Desk

from .conftest import NOW, Ask

OVERRIDE = {
    "unique_id": "channel=email",
    "starts_at": "2026-03-02T12:00:00Z",
    "ends_at": "2026-03-02T14:00:00Z",
    "factor": 10,
    "reason": "a campaign",
}


def verb(desk: Desk, action: str, name: str | None = None, **told: Any) -> Any:
    options = {"reason": None, "layout": None, "channel": None, "out": None, "span": (None, None)}
    return run(
        desk.workspace.path,
        action,
        name,
        **{"clock": NOW + timedelta(minutes=1), **options, **told},
    )


def test_a_file_by_verb_and_api_is_the_plan_in_force(
    ask: Ask, desk_and_client: tuple[Desk, TestClient], tmp_path: Path
) -> None:
    desk = desk_and_client[0]
    ask("POST", "/v1/overrides", json=OVERRIDE)
    told = verb(desk, "export", out=tmp_path / "plan.csv", channel="email")
    assert told.data["rows"] == 30
    by_api = ask("GET", "/v1/staffing/file?layout=csv&channel=email")
    assert by_api.headers["content-type"].startswith("text/csv")
    assert by_api.text == (tmp_path / "plan.csv").read_text()
    assert pd.read_csv(tmp_path / "plan.csv")["volume"].max() == 430
    short = ask("GET", "/v1/staffing/file?layout=calabrio&from=2026-03-02T12:00:00Z&channel=email")
    assert short.text.splitlines()[1].startswith("email,20260302 13:00,20260302 14:00,420.0,600.0,")
    book = ask("GET", "/v1/staffing/file")
    assert book.content[:2] == b"PK" and "plan.xlsx" in book.headers["content-disposition"]
    for wrong in ("layout=pdf", "channel=fax", "from=yesterday"):
        assert ask("GET", f"/v1/staffing/file?{wrong}").status_code in (400, 404)


def test_changes_are_listed_withdrawn_locked_and_rolled_back_by_name(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk = desk_and_client[0]
    number = ask("POST", "/v1/overrides", json=OVERRIDE).json()["override_id"]
    (listed,) = verb(desk, "overrides").data["overrides"]
    assert (listed["state"], listed["reason"]) == ("in force", "a campaign")
    verb(desk, "withdraw", number, clock=NOW)
    (gone,) = ask("GET", "/v1/overrides").json()["items"]
    assert gone["state"] == "withdrawn" and "command line" in gone["withdrawn_by"]
    version = verb(desk, "lock", reason="sent out").data["version"]
    assert "locked by" in "\n".join(verb(desk, "show").lines)
    assert verb(desk, "versions").data["versions"][0]["state"] == "locked"
    verb(desk, "unlock", reason="late news")
    assert verb(desk, "restore", str(version), reason="back").data["version"] > version


@pytest.mark.parametrize(
    ("action", "name", "told", "named"),
    [
        ("expor", None, {}, "Did you mean"),
        ("withdraw", None, {}, "needs the number"),
        ("withdraw", "9", {}, "no override 9"),
        ("withdraw", "x", {}, "no number"),
        ("lock", None, {"reason": " "}, "needs --reason"),
        ("publish", "busy", {}, "no scenario"),
        ("restore", "99", {"reason": "back"}, "no version 99"),
        ("export", None, {}, "needs --out"),
        ("export", None, {"out": Path("plan.pdf")}, "layout 'pdf'"),
        ("export", None, {"out": Path("plan.csv"), "channel": "fax"}, "no channel 'fax'"),
    ],
)
def test_what_cannot_be_done_is_named(
    action: str,
    name: str | None,
    told: dict[str, Any],
    named: str,
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    with pytest.raises(UsageError, match=named):
        verb(desk_and_client[0], action, name, **told)


def test_past_days_stand_beside_the_week_before(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    from datetime import datetime

    from serving.published import publish

    hours = pd.date_range("2026-02-16T23:00", "2026-03-02T22:00", freq="h")
    counts = pd.DataFrame({"unique_id": "channel=email", "ds": hours})
    counts["y"] = [1.0 if at < datetime(2026, 2, 23, 23) else 2.0 for at in hours]
    about: dict[str, Any] = {"as_of": datetime(2026, 3, 3), "now": datetime(2026, 3, 3)}
    publish(desk_and_client[0].workspace.state_dir, "actuals", counts, **about)
    items = ask("GET", "/v1/accuracy/days?unique_id=channel%3Demail").json()["items"]
    days = {one["day"]: one for one in items}
    assert days["2026-02-17"]["naive"] is None and days["2026-02-17"]["y"] == 24
    assert (days["2026-02-24"]["y"], days["2026-02-24"]["naive"]) == (48, 24)
    assert days["2026-02-24"]["error_naive"] == 24 and days["2026-02-24"]["presage"] is None
    assert ask("GET", "/v1/accuracy/days?unique_id=totl").status_code == 404
