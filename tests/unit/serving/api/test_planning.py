"""The planners' calls: pages that never mix two results, vintages, CSV, wrong names."""

from __future__ import annotations

import io
from datetime import datetime

import pandas as pd
import pytest
from starlette.testclient import TestClient

from serving.desk import Desk
from serving.published import newest

from .conftest import Ask


def test_pages_put_together_are_the_published_table(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    rows, after = [], ""
    while True:
        page = ask("GET", f"/v1/forecasts?unique_id=channel%3Demail&limit=7{after}").json()
        rows += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    published = newest(desk_and_client[0].workspace.state_dir, "forecast")
    assert published is not None
    frame = published.frame[published.frame["unique_id"] == "channel=email"]
    assert [row["presage"] for row in rows] == frame["presage"].tolist()
    assert rows[0]["ds"] == "2026-03-02T00:00:00Z"


def test_a_page_after_a_newer_result_is_refused(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    cursor = ask("GET", "/v1/staffing?limit=2").json()["next"]
    desk = desk_and_client[0]
    staffing = newest(desk.workspace.state_dir, "staffing")
    assert staffing is not None

    from serving.published import publish

    changed = staffing.frame.assign(agents_gross=3.0)
    publish(
        desk.workspace.state_dir,
        "staffing",
        changed,
        as_of=datetime(2026, 3, 3),
        now=datetime(2026, 3, 3),
    )
    assert ask("GET", f"/v1/staffing?limit=2&after={cursor}").status_code == 409
    assert ask("GET", "/v1/staffing?limit=1").json()["items"][0]["agents_gross"] == 3.0


def test_csv_is_the_whole_table(ask: Ask) -> None:
    answer = ask("GET", "/v1/staffing?channel=email", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    frame = pd.read_csv(io.StringIO(answer.text))
    assert len(frame) == 30
    assert frame["starts_at"][0] == "2026-03-02T00:00:00Z"


def test_times_bound_the_rows(ask: Ask) -> None:
    query = "from=2026-03-02T02:00:00Z&to=2026-03-02T06:00:00%2B01:00"
    items = ask("GET", f"/v1/staffing?{query}").json()["items"]
    assert [row["starts_at"][11:13] for row in items] == ["02", "03", "04"]


def test_a_vintage_is_the_forecast_in_force_then(ask: Ask) -> None:
    def second(moment: str) -> float:
        path = f"/v1/forecasts?unique_id=total&issued_at={moment}"
        return float(ask("GET", path).json()["items"][1]["presage"])

    assert second("2026-03-01T12:00:00Z") == 1.0
    assert second("2026-03-02T12:00:00Z") == 10.0
    assert ask("GET", "/v1/forecasts?issued_at=2026-02-01").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/forecasts?unique_id=totl", 404),
        ("/v1/staffing?channel=phone", 404),
        ("/v1/staffing?chanel=email", 400),
        ("/v1/staffing?from=yesterday", 400),
        ("/v1/staffing?from=2026-03-02&to=2026-03-01", 400),
        ("/v1/staffing?limit=0", 400),
        ("/v1/staffing?limit=many", 400),
        ("/v1/staffing?after=1", 400),
    ],
)
def test_wrong_questions(path: str, status: int, ask: Ask) -> None:
    answer = ask("GET", path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_format_that_is_not_offered(ask: Ask) -> None:
    assert ask("GET", "/v1/planning", headers={"Accept": "text/csv"}).status_code == 406
    assert ask("GET", "/v1/staffing", headers={"Accept": "image/png"}).status_code == 406


def test_the_page_learns_what_it_shows(ask: Ask) -> None:
    told = ask("GET", "/v1/planning").json()
    assert told["channels"] == ["email"]
    assert told["time_zone"] == "Europe/Oslo"
    assert told["as_of"] == "2026-03-02T00:00:00Z"
    assert told["freq"] == "h"
    assert len(ask("GET", "/v1/actuals?unique_id=total").json()["items"]) == 30


def test_how_far_off_each_series_was_is_told(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    from serving.published import publish

    assert ask("GET", "/v1/accuracy").status_code == 503
    rows = {"unique_id": ["total", "channel=email"], "trials": 12, "mean_count": [9.0, None]}
    rows |= {"presage": [0.2, None], "seasonal_naive": [0.3, None], "mean_of_8": [0.25, None]}
    about = {"as_of": datetime(2026, 3, 2), "now": datetime(2026, 3, 2)}
    publish(desk_and_client[0].workspace.state_dir, "accuracy", pd.DataFrame(rows), **about)
    (total,) = ask("GET", "/v1/accuracy?unique_id=total").json()["items"]
    assert total == {name: value if name == "trials" else value[0] for name, value in rows.items()}
    (email,) = ask("GET", "/v1/accuracy?unique_id=channel%3Demail").json()["items"]
    assert email["presage"] is None
    assert ask("GET", "/v1/accuracy?unique_id=totl").status_code == 404


def test_a_number_is_taken_apart(ask: Ask, desk_and_client: tuple[Desk, TestClient]) -> None:
    from serving.published import publish

    desk = desk_and_client[0]
    row = {"unique_id": "total", "ds": [datetime(2026, 3, 2, 5)], "combined": 3.0, "load": 1.5}
    row |= {"holiday_effect": 1.0, "reconciled": 1.0, "smooth": 2.0, "smooth weight": 0.25}
    row |= {"trees": 10 / 3, "trees weight": 0.75, "theta": 9.0, "theta weight": 0.0}
    about = {"as_of": datetime(2026, 3, 2), "now": datetime(2026, 3, 2)}
    publish(desk.workspace.state_dir, "parts", pd.DataFrame(row), **about)
    path = "/v1/forecasts/explain?unique_id=total&ds=2026-03-02T05:00:00Z"
    told = ask("GET", path).json()
    assert told["presage"] == 5.0
    assert [one["member"] for one in told["members"]] == ["trees", "smooth"]
    assert sum(one["part"] for one in told["members"]) == pytest.approx(told["combined"])
    said = (told["combined"] + told["reconciled"]) * told["adjusted"]
    assert said == pytest.approx(told["presage"])
    # a day before the forecast's as-of time none had been issued, and nothing was compared
    assert told["before"] is None
    assert told["change"] is None
    parts = {"before": 3.0, "model": 0.5, "new_counts": 1.0, "one_number": 0.5, "after": 5.0}
    parts |= dict.fromkeys(("corrected", "calendar", "drivers", "today"), 0.0)
    moved = {"unique_id": "total", "ds": [datetime(2026, 3, 2, 5)], **parts}
    since = "2026-03-01T00:00:00"
    publish(desk.workspace.state_dir, "change", pd.DataFrame(moved), since=since, **about)
    change = {"since": since + "Z", "outreach": 0.0, **parts}  # none was told apart then
    assert ask("GET", path).json()["change"] == change
    assert ask("GET", path.replace("total", "totl")).status_code == 404
    assert ask("GET", path.replace("T05", "T06")).status_code == 404
    assert ask("GET", "/v1/forecasts/explain?unique_id=total").status_code == 400
    publish(desk.workspace.state_dir, "parts", pd.DataFrame(row), **{**about, "as_of": NEXT})
    assert ask("GET", path).status_code == 503


NEXT = datetime(2026, 3, 3)
