"""Every violation in one report: bad rows to quarantine, good rows kept, broken tables named."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.check import check
from data.errors import DataError
from data.snapshot import take
from data.violations import Report
from data.workspace import Workspace, init, set_setting

NOW = datetime(2026, 6, 1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init(tmp_path / "acme")


def orders(**columns: Any) -> pd.DataFrame:
    good: dict[str, Any] = {
        "order_id": ["1", "2", "3"],
        "ordered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
        "customer_id": ["a", "b", "c"],
    }
    return pd.DataFrame({**good, **columns})


def put(workspace: Workspace, name: str, content: pd.DataFrame | str | bytes) -> None:
    place = workspace.tables_dir / name
    place.parent.mkdir(exist_ok=True, parents=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(place, index=False)
    else:
        place.write_bytes(content.encode() if isinstance(content, str) else content)


def found(report: Report) -> list[tuple[str, int | None, str | None, str, str | None]]:
    return [(v.file, v.row, v.column, v.rule, v.value) for v in report.errors]


def test_a_clean_workspace_has_nothing_to_report(workspace: Workspace) -> None:
    put(workspace, "orders.parquet", orders())
    report = check(workspace, NOW)
    assert report.ok
    assert report.violations == ()
    assert report.rows == {"orders": 3}
    assert not (workspace.state_dir / "quarantine" / "orders.parquet").exists()


def test_every_violation_of_every_table_is_in_one_report(workspace: Workspace) -> None:
    put(
        workspace,
        "orders.parquet",
        orders(
            order_id=["1", None, "3"],
            ordered_at=["2026-01-01", "2026-01-02", "yesterday"],
            quantity=["many", 2, 3],
        )
        .astype(str)
        .replace({"None": None}),
    )
    put(
        workspace,
        "tickets.csv",
        "ticket_id,opened_at,channel,csat,is_complaint\n"
        "t1,2026-01-01T00:00:00Z,email,6,yes\n"
        "t2,2026-01-01T00:00:00Z,,3,no\n"
        "t3,2026-07-01T00:00:00Z,email,0.5,perhaps\n"
        "t4,2026-01-01T00:00:00Z,email,,\n",
    )
    put(
        workspace,
        "feedback/part-1.parquet",
        pd.DataFrame({"feedback_id": ["f"], "given_at": ["2026-01-01"], "kind": ["gossip"]}),
    )
    put(
        workspace,
        "calendar.csv",
        "event_id,announced_at,name,kind,starts_at,ends_at\n"
        "e,2026-09-01,Fair,campaign,2026-10-02,2026-10-01\n",
    )
    put(workspace, "agents.csv", 'agent_id,hired_at,skills,time_zone\na,2026-01-01,"x, y",Olso\n')
    report = check(workspace, NOW)
    assert sorted(found(report), key=str) == sorted(
        [
            ("orders.parquet", 2, "order_id", "null", None),
            ("orders.parquet", 3, "ordered_at", "type", "yesterday"),
            ("orders.parquet", 1, "quantity", "type", "many"),
            ("tickets.csv", 1, "csat", "maximum", "6"),
            ("tickets.csv", 3, "csat", "minimum", "0.5"),
            ("tickets.csv", 2, "channel", "null", None),
            ("tickets.csv", 3, "opened_at", "future", "2026-07-01T00:00:00Z"),
            ("tickets.csv", 3, "is_complaint", "type", "perhaps"),
            ("feedback/part-1.parquet", 1, "kind", "choice", "gossip"),
            ("calendar.csv", 1, "ends_at", "ends before it starts", "2026-10-01"),
            ("agents.csv", 1, "time_zone", "time zone", "Olso"),
        ],
        key=str,
    )
    assert not report.ok
    assert report.quarantined == {
        "orders": 3,
        "tickets": 3,
        "feedback": 1,
        "calendar": 1,
        "agents": 1,
    }
    line = next(str(v) for v in report.errors if v.column == "channel")
    assert line == "tickets.csv row 2: channel: null; channel is required: fill it in the export"


def test_bad_rows_go_to_quarantine_and_good_ones_are_kept(workspace: Workspace) -> None:
    put(workspace, "orders.parquet", orders(customer_id=["a", None, "c"]))
    snapshot = take(workspace, now=NOW)
    assert snapshot.frame("orders")["order_id"].tolist() == ["1", "3"]
    assert snapshot.quarantined == {"orders": 1}
    file = workspace.state_dir / "quarantine" / "orders.parquet"
    quarantined = pd.read_parquet(file)
    assert list(quarantined.columns) == ["table", "file", "row", "column", "rule", "value"]
    assert quarantined.iloc[0, :5].tolist() == [
        "orders",
        "orders.parquet",
        2,
        "customer_id",
        "null",
    ]
    put(workspace, "orders.parquet", orders())
    assert check(workspace, NOW).ok
    assert not file.exists()  # what was mended is no longer told


def test_rows_are_numbered_within_their_part(workspace: Workspace) -> None:
    put(workspace, "orders/a.parquet", orders())
    put(workspace, "orders/b.parquet", orders(order_id=["4", "5", "6"], customer_id=["a", "b", ""]))
    assert found(check(workspace, NOW)) == [("orders/b.parquet", 3, "customer_id", "null", None)]
    frame = take(workspace, now=NOW).frame("orders")
    assert frame["order_id"].tolist() == ["1", "2", "3", "4", "5"]
    assert frame["_row"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "orders.csv",
            "order_id,orderd_at,customer_id\n1,2026-01-01,a\n",
            "orders.csv: the required column 'ordered_at' is missing. Did you mean \"orderd_at\"?",
        ),
        ("orders.csv", "", "orders.csv is empty: it has not even a header line"),
        (
            "orders.csv",
            b"order_id,ordered_at,customer_id\n1,2026-01-01,\x81\n",
            "byte 0x81 at 45 is not Windows-1252",
        ),
        ("orders.csv", "order_id,order_id\n1,2\n", "the column 'order_id' more than once"),
        ("orders.csv.gz", b"\x1f\x8bno", "orders.csv.gz cannot be read"),
        ("orders.xlsx", b"no", "orders.xlsx is no readable workbook"),
        ("orders.jsonl", b'{"order_id": "1"', "orders.jsonl is no readable JSON"),
        ("orders.parquet", b"PAR1 no", "orders.parquet is no readable Parquet file"),
    ],
)
def test_a_table_that_is_broken_as_a_whole_is_named_and_stops_a_run(
    workspace: Workspace, name: str, content: str | bytes, told: str
) -> None:
    put(workspace, name, content)
    put(workspace, "tickets.csv", "ticket_id,opened_at,channel\n1,2026-01-01,email\n")
    report = check(workspace, NOW)
    assert [told in str(v) for v in report.errors] == [True]
    assert report.rows == {"tickets": 1}  # the others are checked all the same
    with pytest.raises(DataError) as refused:
        take(workspace, now=NOW)
    assert told in str(refused.value)


def test_one_table_in_two_forms_is_refused(workspace: Workspace) -> None:
    put(workspace, "orders.parquet", orders())
    put(workspace, "orders.csv", "order_id,ordered_at,customer_id\n1,2026-01-01,a\n")
    told = "tables/ holds orders more than once: orders.csv and orders.parquet"
    assert told in str(check(workspace, NOW).errors[0])
    with pytest.raises(DataError, match=told):
        take(workspace, now=NOW)


def test_an_empty_table_is_a_warning_and_reads_as_absent(workspace: Workspace) -> None:
    put(workspace, "orders.csv", "order_id,ordered_at,customer_id\n")
    report = check(workspace, NOW)
    assert report.ok
    assert [v.rule for v in report.warnings] == ["no rows"]
    assert take(workspace, now=NOW).names == ()


def test_a_table_with_no_good_row_stops_a_run(workspace: Workspace) -> None:
    put(workspace, "orders.parquet", orders(customer_id=[None, None, None]))
    with pytest.raises(DataError, match=r"all 3 rows break the contract.*orders.parquet row 1"):
        take(workspace, now=NOW)


def test_a_doubled_key_is_an_error_and_the_later_row_counts(workspace: Workspace) -> None:
    put(
        workspace,
        "orders.parquet",
        orders(
            order_id=["1", "1", "3"], ordered_at=["2026-01-01"] * 3, customer_id=["a", "b", "c"]
        ),
    )
    assert found(check(workspace, NOW)) == [("orders.parquet", 1, "order_id", "duplicate key", "1")]
    kept = take(workspace, now=NOW).frame("orders", ["order_id", "customer_id"])
    assert kept.to_numpy().tolist() == [["1", "b"], ["3", "c"]]


def test_rows_that_state_when_they_were_recorded_are_versions(workspace: Workspace) -> None:
    recorded = pd.to_datetime(["2026-01-05", "2026-01-06", "2026-01-06"])
    put(
        workspace,
        "orders.parquet",
        orders(order_id=["1"] * 3, ordered_at=["2026-01-01"] * 3, recorded_at=recorded),
    )
    assert check(workspace, NOW).ok
    assert len(take(workspace, now=NOW).frame("orders")) == 3


def test_rows_without_a_key_are_all_different(workspace: Workspace) -> None:
    line = "2026-01-01,a,pay\n"
    put(workspace, "usage.csv", "used_at,customer_id,feature\n" + line * 3)
    assert check(workspace, NOW).ok
    assert len(take(workspace, now=NOW).frame("usage")) == 3


def test_what_nobody_reads_is_a_warning_with_a_hint(workspace: Workspace) -> None:
    put(
        workspace,
        "customers.csv",
        "customer_id,signed_up_at,regoin,tier\na,2026-01-01,north,gold\n",
    )
    put(workspace, "orders.parquet", orders())
    put(workspace, "order.csv", "x\n")
    report = check(workspace, NOW)
    assert report.ok
    told = "\n".join(str(v) for v in report.warnings)
    assert (
        "column 'regoin' is not in the contract and is not read. Did you mean \"region\"?" in told
    )
    assert '[data] attributes = ["tier"]' in told
    assert 'tables/order.csv is no table. Did you mean "orders"?' in told
    assert "2 rows of orders name a customer_id that customers does not have" in told


def test_what_comes_before_birth_is_read_and_warned_of(workspace: Workspace) -> None:
    put(workspace, "orders.parquet", orders(shipped_at=pd.to_datetime(["2025-12-31"] * 3)))
    report = check(workspace, NOW)
    assert report.ok
    assert report.counts["orders", "shipped_at", "before ordered_at"] == 3


def test_what_is_planned_may_lie_ahead_and_what_happened_may_not(workspace: Workspace) -> None:
    put(
        workspace,
        "calendar.csv",
        "event_id,announced_at,name,kind,starts_at,ends_at\n"
        "e,2027-01-01,Fair,campaign,2027-02-01,2027-02-02\n",
    )
    put(workspace, "orders.parquet", orders(ordered_at=["2026-01-01", "2026-05-01", "2027-01-01"]))
    assert [v.rule for v in check(workspace, NOW).errors] == ["future"]
    set_setting(workspace.path, "data.complete_to", datetime(2027, 6, 1))
    assert check(Workspace.open(workspace.path, {}), NOW).ok  # its owner says it did happen


def test_a_report_lists_so_many_and_counts_all(workspace: Workspace) -> None:
    number = 3000
    put(
        workspace,
        "usage.parquet",
        pd.DataFrame(
            {"used_at": pd.Timestamp("2026-01-01"), "customer_id": None, "feature": "x"},
            index=range(number),
        ),
    )
    report = check(workspace, NOW)
    assert len(report.errors) == 1000
    assert report.counts == {("usage", "customer_id", "null"): number}
    quarantined = pd.read_parquet(workspace.state_dir / "quarantine" / "usage.parquet")
    assert len(quarantined) == number


def test_a_wrong_count_names_its_series_and_row(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    (tmp_path / "tables").mkdir(exist_ok=True)
    rows = ["unique_id,ds,y", "calls,2024-01-01,5", "calls,2024-01-02,-4", "mails,2024-01-02,"]
    (tmp_path / "tables" / "volumes.csv").write_text("\n".join([*rows, rows[1]]))
    told = [str(violation) for violation in check(workspace).errors]
    assert any(line.startswith("volumes.csv row 2 (series 'calls'): y: minimum") for line in told)
    assert any(line.startswith("volumes.csv row 3 (series 'mails'): y: null") for line in told)
    assert any("row 1 (series 'calls'): unique_id: duplicate key" in line for line in told)
