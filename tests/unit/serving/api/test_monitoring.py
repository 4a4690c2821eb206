"""What the monitor published, by call: findings, key figures, issues, gauges."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
from starlette.testclient import TestClient

from serving.desk import Desk
from serving.monitoring.finding import Finding, frame_of
from serving.monitoring.issues import COLUMNS
from serving.published import publish
from serving.runs import RunRecord

from .conftest import Ask

AS_OF = datetime(2026, 3, 2)


def test_nothing_is_published_before_the_monitor_ran(ask: Ask) -> None:
    answer = ask("GET", "/v1/monitor")
    assert answer.status_code >= 400
    assert "presage monitor" in answer.json()["detail"]


def test_findings_figures_and_issues_are_answered_and_counted(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    state = desk_and_client[0].workspace.state_dir
    findings = frame_of(
        [
            Finding("sources", "orders", "alarm", "orders until Monday", "Ask.", since=AS_OF),
            Finding("sources", "usage", "ok", "usage until now"),
        ]
    )
    figures = pd.DataFrame(
        {
            "week": [datetime(2026, 2, 15, 23), datetime(2026, 2, 22, 23)] * 2,
            "channel": ["", "", "email", "email"],
            "kpi": ["csat", "csat", "csat", "backlog"],
            "value": [4.1, 4.3, 4.0, 7.0],
            "low": [4.0, 4.2, float("nan"), 7.0],
        }
    )
    for kind, frame in (
        ("monitor", findings),
        ("kpis", figures),
        ("issues", pd.DataFrame(columns=COLUMNS)),
    ):
        publish(state, kind, frame, as_of=AS_OF, now=AS_OF)  # type: ignore[arg-type]
    items = ask("GET", "/v1/monitor").json()["items"]
    assert [item["status"] for item in items] == ["alarm", "ok"]
    assert items[0]["since"] == "2026-03-02T00:00:00Z"
    assert ask("GET", "/v1/issues").json()["items"] == []
    csat = ask("GET", "/v1/kpis?kpi=csat&channel=email").json()["items"]
    assert [item["value"] for item in csat] == [4.0]
    assert csat[0]["low"] is None
    late = ask("GET", "/v1/kpis?from=2026-02-20").json()["items"]
    assert [item["kpi"] for item in late] == ["csat", "backlog"]
    assert ask("GET", "/v1/kpis?kpi=cast").status_code == 404
    assert 'presage_monitor_alarms{area="sources"} 1.0' in ask("GET", "/metrics").text


def test_runs_that_were_killed_are_counted(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk, client = desk_and_client
    state = desk.workspace.state_dir
    assert 'presage_runs_at_fault{what="killed"} 0.0' in client.get("/metrics").text
    RunRecord(state, "score", "writing", 7, "presage score", lambda: AS_OF).__enter__()
    assert 'presage_runs_at_fault{what="killed"} 1.0' in client.get("/metrics").text
    assert [one.what for one in desk.night_findings()] == ["score killed"]
