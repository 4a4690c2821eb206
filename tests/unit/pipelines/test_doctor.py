"""What a workspace has, lacks, and should mend first, on a page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.workspace import init
from pipelines.console import Result
from pipelines.steps.doctor import examine


def page(result: Result) -> str:
    return "\n".join(result.lines)


def test_an_empty_workspace_is_told_where_to_start(tmp_path: Path) -> None:
    told = page(examine(init(tmp_path / "w").path))
    assert "There is no table yet" in told
    assert "presage map" in told


def test_what_is_there_what_is_missing_and_what_comes_first(tmp_path: Path) -> None:
    workspace = init(tmp_path / "w")
    days = pd.date_range("2026-01-01", periods=10, freq="D")
    tickets = pd.DataFrame({"ticket_id": range(10), "opened_at": days, "channel": "fax"})
    tickets.loc[3, "opened_at"] = pd.Timestamp("1900-01-01")
    tickets.to_csv(workspace.tables_dir / "tickets.csv", index=False)
    found = examine(workspace.path)
    needs = {need["product"]: need for need in found.data["needs"]}
    assert not needs["risk"]["ok"]
    assert "customer_id in tickets" in needs["risk"]["missing"]
    assert "complaints" in needs["risk"]["missing"]
    assert "12 more" in needs["volume"]["missing"]
    assert "service level for fax" in needs["staffing"]["missing"]
    assert found.data["tables"] == [
        {"table": "tickets", "rows": 9, "from": "2026-01-01", "to": "2026-01-10", "set_aside": 1}
    ]
    assert "1 rows of tickets" in found.data["first"][0]
    assert "times lie after 1900" in found.data["first"][0]
    assert any(line.startswith("orders") for line in found.data["would_add"])
    assert "Fix first:" in page(found)


def test_what_cannot_be_read_comes_first(tmp_path: Path) -> None:
    workspace = init(tmp_path / "w")
    (workspace.tables_dir / "tickets.csv").write_text("ticket_id,opened\n1,2026-01-01\n")
    (workspace.tables_dir / "orders.csv").write_text("order_id\n")
    told = page(examine(workspace.path))
    assert "'opened_at' is missing" in told
